"""Elevations in the database: asked for, decided, in force, ended. Each change ends the epoch 'policy'.

Source: http://hl7.org/fhir/R4/security.html#5 (break the glass); docs/explanation/consent.md
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec
from psycopg import AsyncConnection

from fhir_server.storage import epochs

Kind = Literal["operator", "break-glass"]

_COLUMNS = (
    "id, kind, subject, person, client, patient, reason, minutes, asked, approved, decided, decided_by, decision,"
    " expires, ended, ended_by"
)


class Elevation(msgspec.Struct, frozen=True):
    """One row; `state` is what it comes to."""

    id: str
    kind: Kind
    subject: str
    person: str
    client: str
    patient: str
    reason: str
    minutes: int
    asked: datetime
    approved: bool | None
    decided: datetime | None
    decided_by: str | None
    decision: str | None
    expires: datetime | None
    ended: datetime | None
    ended_by: str | None

    @property
    def name(self) -> str:
        """How a grant says it."""
        return f"{self.kind}:{self.patient}" if self.patient else self.kind

    def state(self, now: datetime) -> str:
        """Return requested, refused, active, ended or expired."""
        if self.approved is None:
            return "requested"
        if not self.approved:
            return "refused"
        if self.ended is not None:
            return "ended"
        return "active" if self.expires is not None and now < self.expires else "expired"


_IN_FORCE = f"""SELECT {_COLUMNS} FROM elevation
WHERE subject = %s AND approved AND ended IS NULL AND expires > clock_timestamp() ORDER BY asked, id"""
_OF_PERSON = f"""SELECT {_COLUMNS} FROM elevation
WHERE person = %s AND approved AND ended IS NULL AND expires > clock_timestamp() ORDER BY asked, id"""
_GET = f"SELECT {_COLUMNS} FROM elevation WHERE id = %s"
_LISTED = f"SELECT {_COLUMNS} FROM elevation WHERE kind = %s ORDER BY asked DESC, id LIMIT %s"
_ASK = f"""INSERT INTO elevation
(id, kind, subject, person, client, patient, reason, minutes, approved, decided, expires)
SELECT %s, %s, %s, %s, %s, %s, %s, %s, x.ok, CASE WHEN x.ok THEN clock_timestamp() END,
CASE WHEN x.ok THEN clock_timestamp() + make_interval(mins => %s) END FROM (SELECT %s::boolean) x(ok)
RETURNING {_COLUMNS}"""
_DECIDE = f"""UPDATE elevation SET approved = %s, decided = clock_timestamp(), decided_by = %s, decision = %s,
expires = CASE WHEN %s THEN clock_timestamp() + make_interval(mins => minutes) END
WHERE id = %s AND approved IS NULL AND asked > clock_timestamp() - make_interval(hours => %s) RETURNING {_COLUMNS}"""
_END = f"""UPDATE elevation SET ended = clock_timestamp(), ended_by = %s
WHERE id = %s AND approved AND ended IS NULL AND expires > clock_timestamp() RETURNING {_COLUMNS}"""

OPEN_HOURS = 24
"""How long somebody may decide on a request."""


class Ask(msgspec.Struct, frozen=True):
    """What is asked for, by whom and why."""

    id: str
    kind: Kind
    subject: str
    person: str
    client: str
    reason: str
    minutes: int
    patient: str = ""


async def in_force(conn: AsyncConnection[Any], subject: str) -> Sequence[Elevation]:
    """Return the elevations of an account that are in force now."""
    return await _rows(conn, _IN_FORCE, (subject,))


async def of_person(conn: AsyncConnection[Any], person: str) -> Sequence[Elevation]:
    """Return the elevations of somebody ('Practitioner/1') that are in force now, by whatever account."""
    return await _rows(conn, _OF_PERSON, (person,))


async def get(conn: AsyncConnection[Any], id_: str) -> Elevation | None:
    """Return an elevation, None where there is none with that id."""
    return next(iter(await _rows(conn, _GET, (id_,))), None)


async def listed(conn: AsyncConnection[Any], kind: Kind, most: int = 100) -> Sequence[Elevation]:
    """Return the newest elevations of a kind, newest first."""
    return await _rows(conn, _LISTED, (kind, most))


async def ask(conn: AsyncConnection[Any], what: Ask, *, at_once: bool) -> Elevation:
    """Return a new elevation; `at_once`: it is in force, and nobody has to approve it."""
    values = (
        what.id,
        what.kind,
        what.subject,
        what.person,
        what.client,
        what.patient,
        what.reason,
        what.minutes,
    )
    (row,) = await _rows(conn, _ASK, (*values, what.minutes, at_once or None))
    if at_once:
        await epochs.end(conn, ("policy",), ())
    return row


async def decide(
    conn: AsyncConnection[Any], id_: str, by: str, *, approved: bool, said: str = ""
) -> Elevation | None:
    """Return the elevation as decided; None where nobody has to decide on it (any more)."""
    found = await _rows(conn, _DECIDE, (approved, by, said, approved, id_, OPEN_HOURS))
    if found and approved:
        await epochs.end(conn, ("policy",), ())
    return found[0] if found else None


async def end(conn: AsyncConnection[Any], id_: str, by: str) -> Elevation | None:
    """Return the elevation that ends here; None where it is not in force."""
    found = await _rows(conn, _END, (by, id_))
    if found:
        await epochs.end(conn, ("policy",), ())
    return found[0] if found else None


async def _rows(conn: AsyncConnection[Any], statement: str, values: Sequence[Any]) -> list[Elevation]:
    cursor = await conn.execute(statement.encode(), values)
    return [Elevation(*row) for row in await cursor.fetchall()]
