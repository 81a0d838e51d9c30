"""Tickets: what is handed out once, opens one thing, and ends soon. Only their hash is kept."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from fhir_server.auth import opaque

Kind = Literal["verify", "invitation", "reset", "code", "passkey", "federation"]
MINUTES: dict[Kind, int] = {
    "verify": 24 * 60,
    "invitation": 7 * 24 * 60,
    "reset": 30,
    "code": 10,
    "passkey": 5,
    "federation": 10,
}
"""How long each holds. Source: NIST SP 800-63B section 5.1.3.2 (a code: 10 minutes); the others ours."""


class Ticket(NamedTuple):
    """What a ticket opens."""

    account: str | None
    data: dict[str, Any]


async def issue(
    conn: AsyncConnection[Any],
    kind: Kind,
    account: str | None = None,
    data: dict[str, Any] | None = None,
    *,
    value: str = "",
) -> str:
    """Return a new ticket; `value` is taken where what the holder shows is made elsewhere."""
    shown = value or opaque.fresh()
    await conn.execute(
        "INSERT INTO account_ticket (secret, kind, account, data, expires)"
        " VALUES (%s, %s, %s, %s, clock_timestamp() + make_interval(mins => %s))",
        (opaque.digest(f"{kind}:{shown}"), kind, account, Jsonb(data or {}), MINUTES[kind]),
    )
    return shown


async def seen(conn: AsyncConnection[Any], kind: Kind, shown: str) -> Ticket | None:
    """Return what a ticket opens without using it up; None where it is unknown, used or over."""
    cursor = await conn.execute(
        "SELECT account, data FROM account_ticket WHERE secret = %s AND kind = %s AND expires > clock_timestamp()",
        (opaque.digest(f"{kind}:{shown[: opaque.LONGEST]}"), kind),
    )
    row = await cursor.fetchone()
    return Ticket(*row) if row else None


async def used(conn: AsyncConnection[Any], kind: Kind, shown: str) -> Ticket | None:
    """Return what a ticket opens and end it: of many at once, one gets it."""
    cursor = await conn.execute(
        "DELETE FROM account_ticket WHERE secret = %s AND kind = %s"
        " RETURNING account, data, expires > clock_timestamp()",
        (opaque.digest(f"{kind}:{shown[: opaque.LONGEST]}"), kind),
    )
    row = await cursor.fetchone()
    return Ticket(row[0], row[1]) if row and row[2] else None


async def withdrawn(conn: AsyncConnection[Any], kind: Kind, account: str) -> None:
    """End all tickets of a kind that an account has."""
    await conn.execute("DELETE FROM account_ticket WHERE kind = %s AND account = %s", (kind, account))


async def swept(conn: AsyncConnection[Any]) -> None:
    """Remove tickets that are over."""
    await conn.execute("DELETE FROM account_ticket WHERE expires < clock_timestamp() - interval '1 day'")
