"""Our own guide: the resources under `healthbuddy/`, as a package is laid out.

Source: https://confluence.hl7.org/display/FHIR/NPM+Package+Specification
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from resources.codec.json import parse_json

Json = dict[str, Any]

FOLDER = Path(__file__).with_name("healthbuddy")
_EXAMPLES = FOLDER / "examples"


def files() -> dict[str, bytes]:
    """Return the files of the package by their name in it ('package/StructureDefinition-….json'), sorted."""
    content = {f"package/{path.name}": path.read_bytes() for path in FOLDER.glob("*.json")}
    content |= {f"package/example/{path.name}": path.read_bytes() for path in _EXAMPLES.glob("*.json")}
    return dict(sorted(content.items()))


@cache
def resources() -> tuple[Json, ...]:
    """Return what the guide defines, sorted by type and id: shared, not to be changed."""
    return _read(FOLDER)


@cache
def examples() -> tuple[Json, ...]:
    """Return the examples of the guide, sorted by type and id: shared, not to be changed."""
    return _read(_EXAMPLES)


def manifest() -> Json:
    """Return the package's `package.json`."""
    return parse_json((FOLDER / "package.json").read_bytes())


def _read(folder: Path) -> tuple[Json, ...]:
    paths = sorted(folder.glob("*-*.json"))
    return tuple(parse_json(path.read_bytes()) for path in paths)
