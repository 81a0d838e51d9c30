"""Signing in: the first proof, and what is owed after it.

Who is unknown takes the same statements and the same hash as who mistyped; nothing says which it was.

Source: OWASP ASVS 4.0.3 V2.2; RFC 8176 (amr)
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
from psycopg import AsyncConnection

from fhir_server.auth import accounts, backoff, passwords, sessions
from fhir_server.auth.accounts import Account
from fhir_server.auth.mfa import factors
from fhir_server.auth.sessions import Owes
from fhir_server.storage.store import Store


class Judged(msgspec.Struct, frozen=True):
    """What became of a try: an account; or seconds to wait; or neither, which is a wrong password or address.

    Shape:  `unready` where it is the right person, whose account is not open (waiting, disabled)
    """

    account: Account | None = None
    wait: int = 0
    unready: str = ""
    known: str = ""


async def by_password(store: Store, email: str, password: str, address: str) -> Judged:
    """Return what becomes of an address and a password, from a network address.

    Errors: passwords.BusyError
    """
    key = accounts.address_key(email[:300])
    async with store.pool.connection() as conn:
        wait = max(
            await backoff.tried(conn, "account", key, backoff.ACCOUNT),
            await backoff.tried(conn, "address", address, backoff.ADDRESS),
        )
        if wait:
            return Judged(wait=wait)
        account = await accounts.by_email(conn, email[:300])
    match = await passwords.matches(password, account.password if account else None)
    if account is None or not match.right:
        return Judged(known=account.id if account else "")
    async with store.pool.connection() as conn:
        await backoff.forgotten(conn, "account", key)
        await backoff.lessened(conn, "address", address)
        if match.rehashed and account.password:
            await accounts.rehash(conn, account.id, account.password, match.rehashed)
    if account.state != "active":
        return Judged(unready=account.state, known=account.id)
    return Judged(account, known=account.id)


async def owed(conn: AsyncConnection[Any], account: Account, roles: Iterable[str]) -> Owes:
    """Return what an account owes after its first proof; `roles` are those that need a second factor."""
    if factors.strong(await factors.of(conn, account.id)):
        return "challenge"
    return "enrolment" if factors.required(account, roles) else ""


async def moved(
    conn: AsyncConnection[Any],
    old: str,
    account: str,
    *,
    amr: Iterable[str],
    owes: Owes,
    agent: str,
    address: str,
) -> str:
    """Return the cookie of a new session; the one of the cookie `old`, if there was one, ends.

    Shape:  the new cookie is as secure as `old`, which a page has set before
    """
    before = await sessions.found(conn, old)
    if before is not None:
        await sessions.ended(conn, before.account, before.id)
    cookie = sessions.new_cookie(secure=sessions.is_secure(old))
    await sessions.begun(conn, account, cookie, amr=sorted(amr), owes=owes, agent=agent, address=address)
    return cookie
