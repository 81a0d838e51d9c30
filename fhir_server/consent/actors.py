"""Who somebody is to a Consent: himself, his roles, the organizations and care teams that he works in.

Source: http://hl7.org/fhir/R4/consent-definitions.html#Consent.provision.actor
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from psycopg import AsyncConnection

from fhir_server.consent.moments import MICRO, period
from fhir_server.storage.binary import Int2s, Int8s, Texts
from fhir_server.storage.read import COLUMNS
from fhir_server.storage.rows import Row, param_id, type_name, type_number
from resources.codec.json import parse_json

Json = dict[str, Any]

_FIND = "SELECT r.type, r.id, r.rid FROM unnest(%s, %s) AS k(type, id) JOIN resource r USING (type, id)"
_OF_R = ", ".join(f"r.{column}" for column in COLUMNS.split(", "))
_POINTING = f"""SELECT {_OF_R} FROM resource r WHERE r.type = %s AND r.live
AND r.rid = ANY(ARRAY(SELECT e.src FROM edge e WHERE e.dst = ANY(%s) AND e.param = %s))"""
_NAMED = f"""SELECT {_OF_R} FROM unnest(%s, %s) AS k(type, id)
JOIN resource r USING (type, id) WHERE r.live"""
_OVER = frozenset({"inactive", "entered-in-error", "proposed", "suspended"})


async def rids(conn: AsyncConnection[Any], references: Iterable[str]) -> dict[str, int]:
    """Return the row numbers of the resources that 'Type/id' names, of those that there are."""
    pairs = [one.partition("/") for one in sorted(set(references)) if "/" in one]
    if not pairs:
        return {}
    values = Int2s([type_number(kind) for kind, _, _ in pairs]), Texts([id_ for _, _, id_ in pairs])
    found = await (await conn.execute(_FIND, values, binary=True)).fetchall()
    return {f"{type_name(type_)}/{id_}": rid for type_, id_, rid in found}


async def named(conn: AsyncConnection[Any], references: Iterable[str]) -> dict[str, Json]:
    """Return the resources that 'Type/id' names, of those that there are."""
    pairs = [one.partition("/") for one in sorted(set(references)) if "/" in one]
    if not pairs:
        return {}
    values = Int2s([type_number(kind) for kind, _, _ in pairs]), Texts([id_ for _, _, id_ in pairs])
    found = await (await conn.execute(_NAMED.encode(), values, binary=True)).fetchall()
    rows = [Row(*each) for each in found]
    return {f"{row.type_name}/{row.id}": parse_json(row.json()) for row in rows}


async def persons(conn: AsyncConnection[Any], user: str) -> frozenset[str]:
    """Return what somebody signed in is: the resource itself, of a Person also those that it links."""
    if not user.startswith("Person/"):
        return frozenset({user} if user else ())
    person = (await named(conn, [user])).get(user, {})
    links = person.get("link", ()) if person.get("active", True) else ()
    return frozenset({user, *(_reference(one, "target") for one in links)} - {""})


async def actors(conn: AsyncConnection[Any], user: str, now: float) -> frozenset[str]:
    """Return every actor of a Consent that somebody signed in is: himself, his roles, organizations and care teams."""
    found = set(await persons(conn, user))
    known = await rids(conn, found)
    for role in await _pointing(conn, "PractitionerRole", "practitioner", known.values()):
        if role.get("active", True) and current(role.get("period"), now):
            found |= {f"PractitionerRole/{role['id']}", _reference(role, "organization")}
    known = await rids(conn, {one for one in found if not one.startswith("Organization/")})
    for team in await _pointing(conn, "CareTeam", "participant", known.values()):
        if team.get("status") not in _OVER and current(team.get("period"), now) and _member(team, found, now):
            found.add(f"CareTeam/{team['id']}")
    return frozenset(found - {""})


def _member(team: Json, found: set[str], now: float) -> bool:
    return any(
        _reference(one, "member") in found and current(one.get("period"), now)
        for one in team.get("participant", ())
    )


def _reference(node: Json, element: str) -> str:
    found = node.get(element, {})
    return str(found.get("reference", "")) if isinstance(found, dict) else ""


def current(value: Any, now: float) -> bool:
    """Whether a Period holds now; one that cannot be read does not."""
    if value is None:
        return True
    try:
        lo, hi = period(value)
    except (ValueError, TypeError):
        return False
    return lo <= now * MICRO <= hi


async def _pointing(conn: AsyncConnection[Any], kind: str, param: str, targets: Iterable[int]) -> list[Json]:
    """Return the resources of a type that refer to one of `targets` through a parameter."""
    values = type_number(kind), Int8s(sorted(set(targets))), param_id(kind, param)
    found = await (await conn.execute(_POINTING.encode(), values, binary=True)).fetchall()
    return [parse_json(Row(*each).json()) for each in found]
