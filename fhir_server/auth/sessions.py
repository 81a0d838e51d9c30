"""Sessions of people's browsers: a random cookie, and a row that says whose it is and what is still owed.

The cookie is a new one after each step of signing in (nobody can plant one beforehand). Where pages are served over
https its name begins with `__Host-` and its value with `s.`: such a value counts under no other name, so that a
neighbouring domain, which may set the plain name, gains nothing.

Source: OWASP ASVS 4.0.3 chapter 3; NIST SP 800-63B-4 section 2.2.3 (AAL2: again after 24 hours, or an hour unused)
"""

from __future__ import annotations

import hashlib
import hmac
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec
from psycopg import AsyncConnection

from fhir_server.auth import accounts, opaque
from fhir_server.consent.stored import acting_for
from fhir_server.storage.store import Store

Owes = Literal["", "challenge", "enrolment"]
SECURE_NAME = "__Host-hb"
PLAIN_NAME = "hb"
_SECURE = "s."
HOURS = 12
IDLE_MINUTES = 60
_OPEN = (
    "s.expires > clock_timestamp() AND s.seen > clock_timestamp() - make_interval(mins => "
    f"{IDLE_MINUTES}) AND a.state = 'active'"
)


class SignedIn(msgspec.Struct, frozen=True):
    """A person who is signed in.

    Shape:  `session` names the session and is no secret, empty where there is none; `user` is 'Practitioner/1' or
            empty; `amr` as RFC 8176; `acting_for` the Patients whom this person may act for
    Units:  `auth_time` seconds since 1970
    """

    account: str
    session: str
    user: str
    name: str
    email: str
    roles: tuple[str, ...]
    amr: tuple[str, ...]
    auth_time: int
    acting_for: tuple[str, ...]


class Session(msgspec.Struct, frozen=True):
    """A session as its row has it, signed in or on the way."""

    id: str
    account: str
    amr: tuple[str, ...]
    owes: Owes
    signed_in: datetime


class Listed(msgspec.Struct, frozen=True):
    """A session as its owner sees it."""

    id: str
    agent: str
    address: str
    created: datetime
    seen: datetime


def new_cookie(*, secure: bool) -> str:
    """Return a value that nobody has yet."""
    return (_SECURE if secure else "") + opaque.fresh()


def is_secure(cookie: str) -> bool:
    """Whether a cookie was made for https."""
    return cookie.startswith(_SECURE)


def cookie_of(cookies: Mapping[str, str]) -> str:
    """Return the session's value among cookies, empty where there is none."""
    secure = cookies.get(SECURE_NAME, "")
    if secure.startswith(_SECURE):
        return secure[: opaque.LONGEST]
    plain = cookies.get(PLAIN_NAME, "")
    return "" if plain.startswith(_SECURE) else plain[: opaque.LONGEST]


def form_token(cookie: str) -> str:
    """Return what a form has to bring along that is sent with this cookie."""
    return urlsafe_b64encode(hmac.digest(cookie.encode(), b"form", hashlib.sha256)).decode().rstrip("=")


async def begun(
    conn: AsyncConnection[Any],
    account: str,
    cookie: str,
    *,
    amr: Sequence[str],
    owes: Owes,
    agent: str,
    address: str,
) -> str:
    """Return the name of a new session, whose cookie is `cookie`."""
    id_ = opaque.fresh()[:22]
    await conn.execute(
        "INSERT INTO account_session (id, secret, account, amr, owes, agent, address, expires)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, clock_timestamp() + make_interval(hours => %s))",
        (id_, opaque.digest(cookie), account, list(amr), owes, agent[:300], address[:100], HOURS),
    )
    if not owes:
        await _arrived(conn, account)
    return id_


async def advanced(conn: AsyncConnection[Any], session: Session, cookie: str, amr: Sequence[str]) -> None:
    """Note that what was owed is done; the session's cookie is `cookie` from now on."""
    cursor = await conn.execute(
        "UPDATE account_session SET secret = %s, amr = %s, owes = '', signed_in = clock_timestamp(),"
        " seen = clock_timestamp() WHERE id = %s RETURNING account",
        (opaque.digest(cookie), sorted({*session.amr, *amr}), session.id),
    )
    if await cursor.fetchone():
        await _arrived(conn, session.account)


async def found(conn: AsyncConnection[Any], cookie: str) -> Session | None:
    """Return the open session of a cookie, also one that still owes something."""
    if not cookie:
        return None
    cursor = await conn.execute(
        "SELECT s.id, s.account, s.amr, s.owes, s.signed_in, s.seen < clock_timestamp() - interval '1 minute'"
        f" FROM account_session s JOIN account a ON a.id = s.account WHERE s.secret = %s AND {_OPEN}",
        (opaque.digest(cookie),),
    )
    row = await cursor.fetchone()
    if row is None:
        return None
    id_, account, amr, owes, signed, stale = row
    if stale:
        await conn.execute("UPDATE account_session SET seen = clock_timestamp() WHERE id = %s", (id_,))
    return Session(id_, account, tuple(amr), owes, signed)


async def signed_in(store: Store, cookies: Mapping[str, str]) -> SignedIn | None:
    """Return who is signed in by these cookies; None too while a second factor is owed."""
    cookie = cookie_of(cookies)
    if not cookie:
        return None
    async with store.pool.connection() as conn:
        session = await found(conn, cookie)
        if session is None or session.owes:
            return None
        account = await accounts.by_id(conn, session.account)
        return await _signed(conn, account, session) if account else None


async def alive(store: Store, session: str) -> bool:
    """Whether a session has not ended; that its browser is not in use ends it for pages, not for apps."""
    async with store.pool.connection() as conn:
        cursor = await conn.execute(
            "SELECT 1 FROM account_session s JOIN account a ON a.id = s.account"
            " WHERE s.id = %s AND s.owes = '' AND s.expires > clock_timestamp() AND a.state = 'active'",
            (session,),
        )
        return await cursor.fetchone() is not None


async def person(store: Store, account: str) -> SignedIn | None:
    """Return an account as it stands now, in no session; None where it may do nothing."""
    async with store.pool.connection() as conn:
        found_ = await accounts.by_id(conn, account)
        if found_ is None or found_.state != "active":
            return None
        return await _signed(conn, found_, None)


async def listed(conn: AsyncConnection[Any], account: str) -> list[Listed]:
    """Return an account's open sessions, the latest first."""
    cursor = await conn.execute(
        "SELECT s.id, s.agent, s.address, s.created, s.seen FROM account_session s"
        f" JOIN account a ON a.id = s.account WHERE s.account = %s AND s.owes = '' AND {_OPEN} ORDER BY s.seen DESC",
        (account,),
    )
    return [Listed(*row) for row in await cursor.fetchall()]


async def ended(conn: AsyncConnection[Any], account: str, session: str | None = None) -> list[str]:
    """Return the names of the sessions that were ended: the one, or all of an account."""
    cursor = await conn.execute(
        "DELETE FROM account_session WHERE account = %s AND (%s::text IS NULL OR id = %s) RETURNING id",
        (account, session, session),
    )
    return [row[0] for row in await cursor.fetchall()]


async def swept(conn: AsyncConnection[Any]) -> None:
    """Remove sessions that are over."""
    await conn.execute("DELETE FROM account_session WHERE expires < clock_timestamp()")


async def _arrived(conn: AsyncConnection[Any], account: str) -> None:
    await conn.execute("UPDATE account SET last_sign_in = clock_timestamp() WHERE id = %s", (account,))


async def _signed(conn: AsyncConnection[Any], account: accounts.Account, session: Session | None) -> SignedIn:
    return SignedIn(
        account=account.id,
        session=session.id if session else "",
        user=account.fhir_user,
        name=account.name,
        email=account.email,
        roles=account.roles,
        amr=session.amr if session else (),
        auth_time=int(session.signed_in.timestamp()) if session else 0,
        acting_for=await acting_for(conn, account.fhir_user),
    )
