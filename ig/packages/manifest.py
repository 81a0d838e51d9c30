"""What a package says of itself, and which version of another it asks for.

Source: https://confluence.hl7.org/display/FHIR/NPM+Package+Specification
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from resources.outcome import FhirError

CORE = "hl7.fhir.r4.core"
"""The package of R4 itself, which is always here."""
R4 = ("4.0", "4.0.0", "4.0.1")
_NAME = re.compile(r"[a-zA-Z0-9][\w.-]{0,127}", re.ASCII)
_VERSION = re.compile(r"[\w.+-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Manifest:
    """A package.

    Shape:  `dependencies` by name, the version asked for ('6.1.0', '6.1.x', 'latest'); `fhir` are FHIR versions
    """

    name: str
    version: str
    title: str = ""
    canonical: str = ""
    fhir: tuple[str, ...] = ()
    dependencies: Mapping[str, str] | None = None

    @property
    def label(self) -> str:
        """Name and version as people write them."""
        return f"{self.name}@{self.version}"

    @property
    def for_r4(self) -> bool:
        """Whether its resources are R4's; a package that does not say counts as one."""
        return not self.fhir or any(one in R4 for one in self.fhir)


def manifest(json: dict[str, Any]) -> Manifest:
    """Return a `package.json`, read; raises FhirError 400 where name or version are none."""
    name, version = json.get("name"), json.get("version")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise FhirError(400, "value", "package.json has no name of a package")
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        raise FhirError(400, "value", f"package.json of {name} has no version")
    versions = json.get("fhirVersions") or json.get("fhir-version-list") or []
    dependencies = json.get("dependencies") or {}
    return Manifest(
        name,
        version,
        str(json.get("title") or json.get("description") or "")[:200],
        str(json.get("canonical") or ""),
        tuple(str(one) for one in versions) if isinstance(versions, list) else (str(versions),),
        {str(key): str(value) for key, value in dependencies.items()}
        if isinstance(dependencies, dict)
        else {},
    )


def asked(text: str) -> tuple[str, str]:
    """Return (name, version) of `name@version` or `name#version`; without a version the latest is meant.

    Errors: FhirError 400 for another text
    """
    name, _, version = text.replace("#", "@").partition("@")
    if not _NAME.fullmatch(name) or not (not version or _VERSION.fullmatch(version)):
        raise FhirError(400, "value", f"'{text[:100]}' is no package: write NAME@VERSION or a .tgz file")
    return name, version or "latest"


def satisfies(version: str, wanted: str) -> bool:
    """Whether a version is what was asked for: the same, or one of a range such as `6.1.x`."""
    if wanted in ("latest", "*", "x", ""):
        return True
    parts, given = wanted.split("."), version.split(".")
    for place, part in enumerate(parts):
        if part in ("x", "X", "*"):
            return True
        if place >= len(given) or given[place] != part:
            return False
    return len(given) == len(parts)


def best(versions: Iterable[str], wanted: str) -> str | None:
    """Return the greatest version that is what was asked for, releases before previews; None where none is."""
    return max((one for one in versions if satisfies(one, wanted)), key=_order, default=None)


def _order(version: str) -> tuple[Any, ...]:
    release, dash, _ = version.partition("-")
    numbers = tuple(int(part) if part.isdecimal() else -1 for part in release.split("."))
    return not dash, numbers, version
