"""Which packages have to be installed for one, in which order: what it depends on comes first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ig.packages.manifest import CORE, Manifest

MOST = 200
"""The most packages that one may need."""

Find = Callable[[str, str], tuple[Manifest, Path] | None]
"""Where packages come from: by name and version asked for; None where there is none."""
Installed = Callable[[str, str], bool]
"""Whether a package that satisfies name and version is installed already."""


@dataclass(slots=True)
class Plan:
    """What to install, dependencies first, and what nobody has: 'name@version, for whom'."""

    packages: list[tuple[Manifest, Path]] = field(default_factory=list)
    missing: dict[str, str] = field(default_factory=dict)


def plan(root: Manifest, path: Path, find: Find, installed: Installed) -> Plan:
    """Return everything to install for `root`, which comes last; circles are cut where they close."""
    result = Plan()
    seen = {root.name}

    def visit(one: Manifest, where: Path) -> None:
        for name, wanted in (one.dependencies or {}).items():
            if name == CORE or name in seen or installed(name, wanted):
                continue
            seen.add(name)
            found = find(name, wanted) if len(seen) <= MOST else None
            if found is None:
                result.missing[f"{name}@{wanted}"] = one.label
            else:
                visit(*found)
        result.packages.append((one, where))

    visit(root, path)
    return result
