"""What the database says of a grant: the row numbers of its patients, and whose care teams its user is in."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import msgspec
from psycopg import AsyncConnection

from fhir_server.access.grant import Grant
from fhir_server.storage.binary import Int2s, Texts
from fhir_server.storage.read import COLUMNS
from fhir_server.storage.rows import Row, param_id, type_number
from resources.codec.json import parse_json

BREAK_GLASS = "break-glass:"


class Facts(msgspec.Struct, frozen=True):
    """Row numbers of Patients.

    Shape:  `patient` the launch context's; `own` the user's and those whom one acts for; `cared_for` of one's care
            teams; `broken` those whose record was opened in an emergency; `complete` False where a Patient that the
            grant names is not there yet
    """

    patient: tuple[int, ...] = ()
    own: tuple[int, ...] = ()
    cared_for: tuple[int, ...] = ()
    broken: tuple[int, ...] = ()
    complete: bool = True


_OF_R = ", ".join(f"r.{column}" for column in COLUMNS.split(", "))
_FIND = "SELECT r.type, r.id, r.rid FROM unnest(%s, %s) AS k(type, id) JOIN resource r USING (type, id)"


async def gathered(conn: AsyncConnection[Any], grant: Grant, *, care_teams: bool) -> Facts:
    """Return the facts of a grant; the care teams only where they are asked for."""
    broken = [one.removeprefix(BREAK_GLASS) for one in grant.elevations if one.startswith(BREAK_GLASS)]
    own = [*grant.acting_for, *([grant.user] if grant.user.startswith("Patient/") else [])]
    context = [f"Patient/{grant.patient}"] if grant.patient else []
    names = {one for one in (*broken, *own, *context) if one.startswith("Patient/")}
    user = {grant.user} if care_teams and "/" in grant.user else set()
    rids = await _rids(conn, names | user)

    def numbers(listed: Iterable[str]) -> tuple[int, ...]:
        return tuple(sorted({rids[one] for one in listed if one in rids}))

    cared_for = await _cared_for(conn, rids[grant.user]) if user & rids.keys() else ()
    return Facts(numbers(context), numbers(own), cared_for, numbers(broken), names <= rids.keys())


async def _rids(conn: AsyncConnection[Any], names: set[str]) -> dict[str, int]:
    if not names:
        return {}
    pairs = [(name.partition("/")[0], name.partition("/")[2]) for name in sorted(names)]
    values = Int2s([type_number(kind) for kind, _ in pairs]), Texts([id_ for _, id_ in pairs])
    kinds = {type_number(kind): kind for kind, _ in pairs}
    found = await (await conn.execute(_FIND, values, binary=True)).fetchall()
    return {f"{kinds[type_]}/{id_}": rid for type_, id_, rid in found}


@cache
def _teams() -> bytes:
    """Return the statement on the care teams that name a practitioner, or a role of theirs."""
    return f"""
SELECT {_OF_R} FROM resource r
WHERE r.type = {type_number("CareTeam")} AND r.live AND r.pid IS NOT NULL AND r.rid = ANY(ARRAY(
SELECT e.src FROM edge e WHERE e.dst = ANY(ARRAY(SELECT %s::bigint UNION ALL
SELECT w.src FROM edge w WHERE w.dst = %s AND w.param = {param_id("PractitionerRole", "practitioner")}))
AND e.param = {param_id("CareTeam", "participant")}))
""".encode()


_OVER = frozenset({"inactive", "entered-in-error", "proposed", "suspended"})


async def _cared_for(conn: AsyncConnection[Any], user: int) -> tuple[int, ...]:
    """Return the patients of the care teams at work that name a user, or a role that he has."""
    found = await (await conn.execute(_teams(), (user, user), binary=True)).fetchall()
    rows = [Row(*each) for each in found]
    return tuple(sorted({row.pid for row in rows if row.pid is not None and _status(row) not in _OVER}))


def _status(row: Row) -> str:
    return str(parse_json(row.json()).get("status", ""))
