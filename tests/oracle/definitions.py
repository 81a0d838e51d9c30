"""The official R4 package, read from its archive: search parameters, compartments, code systems, value sets."""

from __future__ import annotations

import json
import os
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

Json = dict[str, Any]

NO_DOMAIN = ("Binary", "Bundle", "Parameters")
"""Resources that are no DomainResource."""

CASE_SENSITIVE_BY_THEMSELVES = ("http://unitsofmeasure.org",)
"""Code systems outside the package that define themselves as case-sensitive. Source: https://ucum.org/ucum §§ 1-3"""


@dataclass(frozen=True)
class Parameter:
    """One search parameter as the package defines it for one type."""

    type: str
    code: str
    kind: str
    expression: str
    targets: tuple[str, ...]
    components: tuple[tuple[str, str], ...]


def archive() -> Path:
    """Return where `healthbuddy definitions` leaves the official package."""
    folder = os.environ.get("HEALTHBUDDY_CACHE_DIR")
    root = Path(folder) if folder else Path(__file__).resolve().parents[2] / ".cache"
    return root / "hl7.fhir.r4.core.tgz"


@cache
def _files() -> dict[str, bytes]:
    wanted = (
        "SearchParameter-",
        "CompartmentDefinition-",
        "CodeSystem-",
        "ValueSet-",
        "StructureDefinition-",
    )
    found = {}
    with tarfile.open(archive()) as opened:
        for member in opened:
            name = Path(member.name).name
            if name.startswith(wanted):
                content = opened.extractfile(member)
                assert content is not None
                found[name] = content.read()
    return found


def _read(prefix: str) -> Iterator[Json]:
    for name, data in _files().items():
        if name.startswith(prefix):
            yield json.loads(data)


@cache
def _search_parameters() -> tuple[Json, ...]:
    """Return the definitions, without the specification's examples of the resource type SearchParameter."""
    return tuple(one for one in _read("SearchParameter-") if not one["id"].startswith("example"))


@cache
def parameters(type_name: str) -> dict[str, Parameter]:
    """Return {code: parameter} of a resource type, those of all resources included."""
    bases = {type_name, "Resource"} | (set() if type_name in NO_DOMAIN else {"DomainResource"})
    found = {}
    for one in _search_parameters():
        if bases.intersection(one.get("base", ())):
            parts = tuple((part["definition"], part["expression"]) for part in one.get("component", ()))
            if (
                one["id"] == "DocumentReference-relationship"
            ):  # its definitions are exchanged, as their types show
                parts = tuple(
                    zip([url for url, _ in reversed(parts)], [path for _, path in parts], strict=True)
                )
            targets = tuple(one.get("target", ()))
            found[one["code"]] = Parameter(
                type_name, one["code"], one["type"], one.get("expression", ""), targets, parts
            )
    return found


@cache
def kind_of(url: str) -> str:
    """Return the type of the search parameter with a canonical url."""
    return str(next(one["type"] for one in _search_parameters() if one["url"] == url))


@cache
def resource_types() -> tuple[str, ...]:
    """Return all resource types that can be stored, sorted."""
    found = []
    for name, data in _files().items():
        if name.startswith("StructureDefinition-"):
            one = json.loads(data)
            if one["kind"] == "resource" and not one["abstract"] and one["derivation"] == "specialization":
                found.append(one["type"])
    return tuple(sorted(set(found) - {"Parameters"}))


@cache
def compartment(name: str) -> dict[str, tuple[str, ...]]:
    """Return {resource type: parameters that put it into the compartment}."""
    data = json.loads(_files()[f"CompartmentDefinition-{name[0].lower()}{name[1:]}.json"])
    return {one["code"]: tuple(one["param"]) for one in data["resource"] if one.get("param")}


@cache
def _code_systems() -> dict[str, Json]:
    return {one["url"]: one for one in _read("CodeSystem-") if "url" in one}


STORED: dict[str, bool] = {}
"""What the code systems of the data say of case: {url: whether it counts}."""


def case_sensitive(system: str | None) -> bool:
    """Whether codes of a system differ by case alone; where nobody says so, they do not."""
    if STORED.get(system or ""):
        return True
    if system in CASE_SENSITIVE_BY_THEMSELVES:
        return True
    known = _code_systems().get(system or "")
    return bool(known and known.get("caseSensitive"))


def _concepts(concepts: list[Json]) -> Iterator[str]:
    for one in concepts:
        yield one["code"]
        yield from _concepts(one.get("concept", []))


@cache
def _value_sets() -> dict[str, Json]:
    return {one["url"]: one for one in _read("ValueSet-") if "url" in one}


@cache
def systems(value_set: str, code: str) -> frozenset[str]:
    """Return the systems that `code` can be of in a value set."""
    found: set[str] = set()
    known = _value_sets().get(value_set)
    for include in known["compose"]["include"] if known else ():
        for other in include.get("valueSet", ()):
            found |= systems(other.partition("|")[0], code)
        system = include.get("system")
        if system is None:
            continue
        listed = [one["code"] for one in include.get("concept", ())]
        if not listed and system in _code_systems() and "filter" not in include:
            listed = list(_concepts(_code_systems()[system].get("concept", [])))
        if not listed or code in listed:
            found.add(system)
    return frozenset(found)


@cache
def _elements(name: str) -> dict[str, Json]:
    data = _files().get(f"StructureDefinition-{name}.json")
    if data is None:
        return {}
    return {one["id"]: one for one in json.loads(data)["snapshot"]["element"]}


_CALL = re.compile(r"\.(where|as|ofType|resolve|exists|extension)\([^()]*(\([^()]*\)[^()]*)*\)")


@cache
def binding(path: str) -> str:
    """Return the value set that the `code` element at the end of a search parameter's path is bound to, or ''."""
    plain = _CALL.sub("", path).strip("() ")
    plain = re.sub(r"\s+as\s+\w+", "", plain)
    names = plain.split(".")
    here = names[0]
    root = here
    for name in names[1:]:
        element = _elements(root).get(f"{here}.{name}")
        if element is None:
            kind = _elements(root).get(here, {}).get("type", [{}])[0].get("code", "")
            root = here = kind
            element = _elements(root).get(f"{here}.{name}")
        if element is None:
            return ""
        here = element["id"]
        if "contentReference" in element:
            here = element["contentReference"].lstrip("#")
    found = _elements(root).get(here, {}).get("binding", {})
    return str(found.get("valueSet", "")).partition("|")[0]
