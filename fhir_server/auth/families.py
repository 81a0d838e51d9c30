"""Families of tokens: all that came of one agreement of a person. They end together.

A refresh token works once; each use makes the next one. One that comes a second time was stolen from somebody, and
nobody can say from whom: the whole family ends.

Source: RFC 9700 section 4.14, SMART App Launch 2.2 (refresh tokens), OAuth 2.1 draft section 4.3
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from fhir_server.auth import opaque
from fhir_server.auth.allowed import Allowed, dumped, loaded
from fhir_server.auth.revocations import revoke

if TYPE_CHECKING:
    from fhir_server.storage.store import Store

ACCESS_MOST_S = 3600
"""Seconds that no access token outlives."""

_END = """UPDATE auth_family SET ended = now(), why = %(why)s WHERE ended IS NULL AND {which} RETURNING id"""
_APPS = """SELECT f.client, coalesce(c.name, f.client), f.allowed, f.created, f.used
FROM auth_family f LEFT JOIN auth_client c ON c.id = f.client
WHERE f.account = %s AND f.ended IS NULL AND f.expires > now() ORDER BY f.used DESC"""


class Family(msgspec.Struct, frozen=True):
    """One family."""

    id: str
    client: str
    account: str
    session: str
    access: str
    allowed: Allowed
    ended: bool


class App(msgspec.Struct, frozen=True):
    """An app that has access, for the person to look at. `scopes` as granted, `patient` an id or ''."""

    client: str
    name: str
    scopes: tuple[str, ...]
    patient: str
    granted: datetime
    used: datetime


async def begin(conn: AsyncConnection[Any], family: str, client: str, allowed: Allowed, seconds: int) -> None:
    """Have a family begin; it is remembered for `seconds` after its last use."""
    await conn.execute(
        """INSERT INTO auth_family (id, client, account, session, access, allowed, expires)
        VALUES (%s, %s, %s, %s, %s, %s, now() + make_interval(secs => %s))""",
        (family, client, allowed.account, allowed.session, allowed.access, Jsonb(dumped(allowed)), seconds),
    )


async def refresh_token(conn: AsyncConnection[Any], family: str, seconds: int) -> str:
    """Return a new refresh token of a family, which lives as long as that."""
    token = opaque.fresh()
    await conn.execute(
        "INSERT INTO auth_refresh (hash, family, expires) VALUES (%s, %s, now() + make_interval(secs => %s))",
        (opaque.digest(token), family, seconds),
    )
    await conn.execute(
        "UPDATE auth_family SET used = now(), expires = now() + make_interval(secs => %s) WHERE id = %s",
        (seconds, family),
    )
    return token


async def used(conn: AsyncConnection[Any], token: str) -> tuple[Family, bool] | None:
    """Return the family of a refresh token, which is used up by this, and whether it was good until then.

    Shape:  None where nothing is known of it
    """
    hashed = opaque.digest(token)
    cursor = await conn.execute(
        "UPDATE auth_refresh SET used = now() WHERE hash = %s AND used IS NULL AND expires > now() RETURNING family",
        (hashed,),
    )
    row = await cursor.fetchone()
    good = row is not None
    if row is None:
        cursor = await conn.execute("SELECT family FROM auth_refresh WHERE hash = %s", (hashed,))
        row = await cursor.fetchone()
    family = await load(conn, row[0]) if row is not None else None
    return None if family is None else (family, good)


async def family_of(conn: AsyncConnection[Any], token: str) -> tuple[Family, datetime] | None:
    """Return the family of a refresh token that is good, and until when; it is not used up."""
    cursor = await conn.execute(
        "SELECT family, expires FROM auth_refresh WHERE hash = %s AND used IS NULL AND expires > now()",
        (opaque.digest(token),),
    )
    row = await cursor.fetchone()
    family = await load(conn, row[0]) if row is not None else None
    return None if row is None or family is None or family.ended else (family, row[1])


async def load(conn: AsyncConnection[Any], family: str) -> Family | None:
    """Return a family, for update."""
    cursor = await conn.execute(
        "SELECT id, client, account, session, access, allowed, ended IS NOT NULL OR expires <= now() "
        "FROM auth_family WHERE id = %s FOR UPDATE",
        (family,),
    )
    row = await cursor.fetchone()
    return None if row is None else Family(row[0], row[1], row[2], row[3], row[4], loaded(row[5]), row[6])


async def end(conn: AsyncConnection[Any], family: str, why: str) -> None:
    """End a family, with its access tokens; one that has not begun cannot begin any more."""
    await conn.execute(_END.format(which="id = %(id)s"), {"id": family, "why": why})
    await revoke(conn, [f"sid:{family}"], ACCESS_MOST_S)


async def _end_all(store: Store, which: str, why: str, **said: str) -> None:
    async with store.transaction() as conn:
        cursor = await conn.execute(_END.format(which=which), {"why": why, **said})
        ended = [f"sid:{family}" for (family,) in await cursor.fetchall()]
        if ended:
            await revoke(conn, ended, ACCESS_MOST_S)


async def apps(store: Store, account: str) -> list[App]:
    """Return the apps that have access for an account, the one used last first."""
    async with store.pool.connection() as conn:
        rows = await (await conn.execute(_APPS, (account,))).fetchall()
    found = []
    for client, name, kept, created, last in rows:
        allowed = loaded(kept)
        found.append(App(client, name, tuple(allowed.scopes), allowed.patient, created, last))
    return found


async def revoke_app(store: Store, account: str, client: str) -> None:
    """End an app's access for an account; it will have to ask again."""
    async with store.pool.connection() as conn:
        await conn.execute("DELETE FROM auth_agreed WHERE account = %s AND client = %s", (account, client))
    which = "account = %(account)s AND client = %(client)s"
    await _end_all(store, which, "revoked by the person", account=account, client=client)
    async with store.pool.connection() as conn:
        await conn.execute(
            "UPDATE auth_code SET used = now() WHERE used IS NULL AND client = %s AND allowed->>'account' = %s",
            (client, account),
        )


async def revoke_sessions(store: Store, account: str, session: str | None) -> None:
    """End what hangs on a session: apps with online access; with None, all access of the account.

    Shape:  an app with offline access is to go on without the person, so it goes on after signing out
    """
    if session is None:
        await _end_all(store, "account = %(account)s", "account", account=account)
        async with store.pool.connection() as conn:
            await conn.execute(
                "UPDATE auth_code SET used = now() WHERE used IS NULL AND allowed->>'account' = %s",
                (account,),
            )
    else:
        which = "account = %(account)s AND session = %(session)s AND access <> 'offline'"
        await _end_all(store, which, "signed out", account=account, session=session)
