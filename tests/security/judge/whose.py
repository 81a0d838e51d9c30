"""Whose a resource is: the ids of the patients that it is about."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Json = dict[str, Any]
World = Mapping[str, Json]
"""Resources by 'Type/id'."""

SHARED = frozenset({"Practitioner", "Organization", "Medication", "Location"})
NOBODYS = frozenset({"Group"})

ELEMENTS = {
    "Observation": ("subject", "performer"),
    "Condition": ("subject", "asserter"),
    "Encounter": ("subject",),
    "MedicationRequest": ("subject",),
    "DocumentReference": ("subject", "author"),
    "RelatedPerson": ("patient",),
    "List": ("subject",),
    "Task": ("for",),
    "Consent": ("patient",),
}
"""Elements by which R4's compartment, or our rules beside it, name a patient."""


def owners(resource: Json) -> set[str]:
    """Return the ids of the patients that a resource names itself."""
    if resource["resourceType"] == "Patient":
        return {resource["id"]}
    found = set()
    for element in ELEMENTS.get(resource["resourceType"], ()):
        for reference in _listed(resource.get(element)):
            kind, _, id_ = reference.get("reference", "").partition("/")
            if kind == "Patient":
                found.add(id_)
    return found


def reached(key: str, world: World) -> set[str]:
    """Return the ids of the patients whose a resource is, also by what it refers to or what shows it."""
    resource = world[key]
    kind = resource["resourceType"]
    if kind == "Provenance":
        return _of(world, (one["reference"] for one in resource["target"]))
    if kind == "Binary":
        context = [resource["securityContext"]["reference"]] if "securityContext" in resource else []
        showing = (other for other, one in world.items() if shows(one, key))
        return _of(world, [*context, *showing])
    return owners(resource)


def _of(world: World, keys: Iterable[str]) -> set[str]:
    return {id_ for key in keys if key in world for id_ in owners(world[key])}


def shows(resource: Json, key: str) -> bool:
    """Whether a document shows a Binary."""
    if resource["resourceType"] != "DocumentReference":
        return False
    return any(one["attachment"].get("url") == key for one in resource["content"])


def _listed(value: Any) -> list[Json]:
    return value if isinstance(value, list) else [value] if value else []
