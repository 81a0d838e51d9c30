"""Patients whom somebody may choose: searched and read as FHIR, under that person's own policy, and audited as such."""

from __future__ import annotations

from time import time_ns
from typing import Any

import msgspec

from fhir_server.access import current
from fhir_server.access.grant import Grant
from fhir_server.audit.entry import Entry
from fhir_server.auth.sessions import SignedIn
from fhir_server.exchange import Request, Session
from fhir_server.interactions import dispatch
from fhir_server.pages.desk import Desk
from resources.codec.json import parse_json
from resources.outcome import FhirError

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
    found = await _asked(desk, who, address, "Patient", query)
    entries = found.get("entry", []) if found else []
    return [_known(entry["resource"]) for entry in entries if entry.get("search", {}).get("mode") == "match"]


async def one(desk: Desk, who: SignedIn, address: str, id_: str) -> Known | None:
    """Return a patient whom `who` may see, None where there is none of that id."""
    found = await _asked(desk, who, address, f"Patient/{id_}", [])
    return _known(found) if found and found.get("resourceType") == "Patient" else None


async def own(desk: Desk, who: SignedIn, address: str) -> list[Known]:
    """Return the patients that somebody is or acts for."""
    names = [who.user] if who.user.startswith("Patient/") else []
    found = [await one(desk, who, address, name.split("/")[1]) for name in (*names, *who.acting_for)]
    return [known for known in found if known is not None]


async def _asked(
    desk: Desk, who: SignedIn, address: str, path: str, query: list[tuple[str, str]]
) -> dict[str, Any] | None:
    """Return what a GET answers, None where it is refused."""
    server = desk.server
    grant = Grant(
        subject=who.account,
        client="pages",
        scopes=("user/Patient.rs",),
        user=who.user,
        roles=who.roles,
        acting_for=who.acting_for,
        session=who.session,
        address=address,
    )
    async with server.store.pool.connection() as conn:
        policy = await server.policies.of(conn, grant)
    type_name, _, id_ = path.partition("/")
    body, status = None, 200
    with current.touching() as touched, current.entered(policy):
        try:
            policy.require("read" if id_ else "search-type", type_name)
            request = Request("GET", path, tuple(query), base=desk.places.base, grant=grant)
            body = (await dispatch(Session(server), request)).body
        except FhirError as error:
            status = error.status
    await server.trail.record(
        Entry(
            at=time_ns() // 1000,
            kind="rest",
            subject=who.account,
            client="pages",
            user=who.user,
            roles=who.roles,
            session=who.session,
            acting_for=who.acting_for,
            address=address,
            interaction="read" if id_ else "search-type",
            type=type_name,
            id=id_,
            query="&".join(f"{name}={value}" for name, value in query),
            status=status,
            patients=tuple(sorted(touched)),
        )
    )
    return parse_json(body) if body else None


def _known(patient: dict[str, Any]) -> Known:
    names = patient.get("name") or [{}]
    first = next((name for name in names if name.get("use") == "official"), names[0])
    parts = [*first.get("given", []), first.get("family", "")]
    text = first.get("text") or " ".join(str(part) for part in parts if part)
    numbers = [str(one_.get("value", "")) for one_ in patient.get("identifier", []) if one_.get("value")]
    return Known(
        id=patient["id"],
        name=text or "No name",
        born=str(patient.get("birthDate", "")),
        gender=str(patient.get("gender", "")),
        number=numbers[0] if numbers else "",
    )


def _escaped(value: str) -> str:
    """Return a value as a search takes it for one. Source: http://hl7.org/fhir/R4/search.html#escaping"""
    return "".join(f"\\{c}" if c in "\\,|$" else c for c in value)
