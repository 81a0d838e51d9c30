"""Patients whom somebody may choose, and what a person recognizes them by."""

from __future__ import annotations

from typing import Any

import msgspec

from fhir_server.auth.sessions import SignedIn
from fhir_server.pages import records
from fhir_server.pages.desk import Desk

MOST = 20


class Known(msgspec.Struct, frozen=True):
    """A patient as a person recognizes one."""

    id: str
    name: str
    born: str
    gender: str
    number: str


async def searched(desk: Desk, who: SignedIn, address: str, name: str, born: str) -> list[Known]:
    """Return the patients of a name or birth date whom `who` may see, at most MOST."""
    query = [("_count", str(MOST)), ("_sort", "family")]
    query += [("name", _escaped(part)) for part in name.split()[:5]] + ([("birthdate", born)] if born else [])
    if len(query) == 2:
        return []
    return [_known(patient) for patient in await records.search(desk, who, address, "Patient", query)]


async def one(desk: Desk, who: SignedIn, address: str, id_: str) -> Known | None:
    """Return a patient whom `who` may see, None where there is none of that id."""
    found = await records.read(desk, who, address, f"Patient/{id_}")
    return _known(found) if found else None


async def own(desk: Desk, who: SignedIn, address: str) -> list[Known]:
    """Return the patients that somebody is or acts for."""
    names = [who.user] if who.user.startswith("Patient/") else []
    found = [await one(desk, who, address, name.split("/")[1]) for name in (*names, *who.acting_for)]
    return [known for known in found if known is not None]


def name_of(person: dict[str, Any]) -> str:
    """Return the name of a person of the record."""
    names = person.get("name") or [{}]
    first = next((name for name in names if name.get("use") == "official"), names[0])
    parts = [*first.get("given", []), first.get("family", "")]
    return str(first.get("text") or " ".join(str(part) for part in parts if part) or "No name")


def _known(patient: dict[str, Any]) -> Known:
    numbers = [str(one_.get("value", "")) for one_ in patient.get("identifier", []) if one_.get("value")]
    return Known(
        id=patient["id"],
        name=name_of(patient),
        born=str(patient.get("birthDate", "")),
        gender=str(patient.get("gender", "")),
        number=numbers[0] if numbers else "",
    )


def _escaped(value: str) -> str:
    """Return a value as a search takes it for one. Source: http://hl7.org/fhir/R4/search.html#escaping"""
    return "".join(f"\\{c}" if c in "\\,|$" else c for c in value)
