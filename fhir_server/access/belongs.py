"""Whose a resource is: `belongs.json` has a row for each type of R4, which a clinician or security officer can review.

    patient   it is the patients' whom its `paths` name; where these name none it is nobody's (or, `otherwise`, shared)
    entries   it is everybody's whose its entries are
    via       it is whose those are that its reference `params` point to ('*': any reference), or that show it
    shared    about no patient: whoever was granted the type sees it
    nobody    no patient's, and shared with none

Source: http://hl7.org/fhir/R4/compartmentdefinition-patient.html, and the reasons in the rows
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, Literal

import msgspec

Json = dict[str, Any]
Local = Callable[[str], tuple[str, str] | None]
"""Takes the text of a reference and returns the (type, id) of this server that it names, None for another place."""


class Belongs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One row: whose the resources of a type are, and why."""

    type: str
    whose: Literal["patient", "entries", "via", "shared", "nobody"]
    reason: str
    paths: tuple[str, ...] = ()
    otherwise: Literal["", "shared"] = ""
    params: tuple[str, ...] = ()
    shown_by: tuple[str, ...] = ()


@cache
def table() -> dict[str, Belongs]:
    """Return the rows by type."""
    rows = msgspec.json.decode(Path(__file__).with_name("belongs.json").read_bytes(), type=list[Belongs])
    return {row.type: row for row in rows}


def owners(resource: Json, local: Local) -> set[str]:
    """Return the ids of the patients whose `resource` is by its own words; of a Patient its own.

    Shape:  what belongs through others has none, unless it names a patient itself
    """
    name = resource.get("resourceType", "")
    row = table().get(name)
    if row is None:
        return set()
    if name == "Patient":
        return {resource["id"]} if isinstance(resource.get("id"), str) else set()
    if row.whose == "entries":
        inside = (entry.get("resource") for entry in resource.get("entry", ()))
        return {owner for one in inside if one for owner in owners(one, local)}
    found: set[str] = set()
    for steps in _steps(name):
        for reference in _at(resource, steps):
            text = reference.get("reference")
            target = local(text) if isinstance(text, str) and not text.startswith("#") else None
            if target is not None and target[0] == "Patient":
                found.add(target[1])
    return found


@cache
def _steps(type_name: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(path.split(".")) for path in table()[type_name].paths)


def _at(node: Json, steps: tuple[str, ...]) -> Iterator[Json]:
    """Yield the objects that a path leads to, lists flattened."""
    found = node.get(steps[0])
    for child in found if isinstance(found, list) else (found,):
        if isinstance(child, dict):
            if len(steps) == 1:
                yield child
            else:
                yield from _at(child, steps[1:])
