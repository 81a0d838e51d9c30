"""Accounts: who may sign in, whom of the record they are, and in which roles.

Source: OWASP ASVS 4.0.3 chapter 2; RFC 5321 section 4.5.3.1.3 (the longest address)
"""

from __future__ import annotations

import contextlib
import re
import unicodedata
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec
from psycopg import AsyncConnection
from psycopg.errors import UniqueViolation

from fhir_server.access import roles as role_table
from fhir_server.auth import opaque

State = Literal["active", "waiting", "disabled"]
BOUND = ("Patient", "Practitioner", "RelatedPerson", "Person")
_REFERENCE = re.compile(r"([A-Za-z]+)/([A-Za-z0-9\-.]{1,64})")
_ADDRESS = re.compile(r"[^\s@<>\"(),:;\\\[\]\x00-\x1f\x7f]{1,64}@[^\s@<>\"(),:;\\\[\]\x00-\x1f\x7f]{1,250}")
_PHONE = re.compile(r"\+[1-9][0-9]{6,14}")
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
_COLUMNS = "id, name, email, email_verified, phone, fhir_user, roles, state, password, created, last_sign_in"


class AccountError(ValueError):
    """What is wrong with what somebody entered; `field` names where, the text may be shown."""

    def __init__(self, text: str, field: str = "") -> None:
        super().__init__(text)
        self.field = field


class Account(msgspec.Struct, frozen=True):
    """One account.

    Shape:  `verified` since when the address is known to be the holder's; `fhir_user` is 'Patient/1' or empty;
            `password` is the argon2id hash, None where only a passkey or another provider signs in
    """

    id: str
    name: str
    email: str
    verified: datetime | None
    phone: str
    fhir_user: str
    roles: tuple[str, ...]
    state: str
    password: str | None = msgspec.field(default=None)
    created: datetime | None = None
    last_sign_in: datetime | None = None

    def __repr__(self) -> str:
        """Return what may stand in a log."""
        return f"Account({self.id!r})"


def address(text: str) -> str:
    """Return an e-mail address without what surrounds it; raises AccountError where it is none."""
    found = unicodedata.normalize("NFC", text.strip())
    if len(found) > 254 or not _ADDRESS.fullmatch(found):
        raise AccountError("This is not an e-mail address such as ana@example.org", "email")
    return found


def address_key(text: str) -> str:
    """Return the form of an address in which two are compared: without case, its domain as DNS has it."""
    local, _, domain = unicodedata.normalize("NFKC", text.strip()).casefold().rpartition("@")
    with contextlib.suppress(UnicodeError):
        domain = domain.encode("idna").decode("ascii")
    return f"{local}@{domain}"


def person_name(text: str) -> str:
    """Return a name to show; raises AccountError where there is none or it could not be one."""
    found = " ".join(text.split())
    if not found or len(found) > 200 or any(unicodedata.category(c) in ("Cc", "Cf") for c in found):
        raise AccountError("Enter a name of at most 200 characters", "name")
    return found


def phone_number(text: str) -> str:
    """Return a telephone number as E.164 has it; raises AccountError where it is none."""
    found = re.sub(r"[ ()./-]", "", text)
    if not _PHONE.fullmatch(found):
        raise AccountError("Enter the number with its country code, such as +43 660 1234567", "phone")
    return found


def fhir_user(text: str) -> str:
    """Return a reference to a person of the record; raises AccountError where it is none."""
    found = _REFERENCE.fullmatch(text)
    if text and (found is None or found[1] not in BOUND):
        raise AccountError(f"'{text}' is not one of {', '.join(f'{name}/id' for name in BOUND)}", "fhir_user")
    return text


def known_roles(names: Iterable[str]) -> list[str]:
    """Return roles, each once; raises AccountError for one that is not in the table of roles."""
    found = sorted(set(names))
    if unknown := [name for name in found if name not in role_table.table()]:
        known = ", ".join(role_table.table())
        raise AccountError(f"There is no role '{', '.join(unknown)}'; there are {known}", "roles")
    return found


async def create(
    conn: AsyncConnection[Any],
    *,
    name: str,
    email: str = "",
    user: str = "",
    roles: Sequence[str] = (),
    state: State = "active",
    password: str | None = None,
    verified: bool = False,
) -> Account:
    """Return a new account; `password` is a hash. Raises AccountError, also where the address is taken."""
    row = (
        opaque.fresh()[:22],
        person_name(name),
        address(email) if email else "",
        address_key(email) if email else None,
        fhir_user(user),
        known_roles(roles),
        state,
        password,
        verified and bool(email),
        password is not None,
    )
    try:
        cursor = await conn.execute(
            f"INSERT INTO account (id, name, email, email_key, fhir_user, roles, state, password, email_verified,"
            f" password_set) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, CASE WHEN %s THEN clock_timestamp() END,"
            f" CASE WHEN %s THEN clock_timestamp() END) RETURNING {_COLUMNS}",
            row,
        )
    except UniqueViolation:
        raise AccountError("There is an account with this e-mail address", "email") from None
    return _account((await cursor.fetchone()) or ())


async def by_id(conn: AsyncConnection[Any], id_: str) -> Account | None:
    """Return the account of an id."""
    cursor = await conn.execute(f"SELECT {_COLUMNS} FROM account WHERE id = %s", (id_,))
    row = await cursor.fetchone()
    return _account(row) if row else None


async def by_email(conn: AsyncConnection[Any], email: str) -> Account | None:
    """Return the account of an address, however that is written."""
    cursor = await conn.execute(f"SELECT {_COLUMNS} FROM account WHERE email_key = %s", (address_key(email),))
    row = await cursor.fetchone()
    return _account(row) if row else None


async def named(conn: AsyncConnection[Any], text: str) -> Account | None:
    """Return the account whose id or address is `text`."""
    if "@" in text:
        return await by_email(conn, text)
    return await by_id(conn, text) if _ID.fullmatch(text) else None


async def all_of(conn: AsyncConnection[Any]) -> list[Account]:
    """Return all accounts, the oldest first."""
    cursor = await conn.execute(f"SELECT {_COLUMNS} FROM account ORDER BY created, id")
    return [_account(row) for row in await cursor.fetchall()]


async def set_state(conn: AsyncConnection[Any], id_: str, state: State) -> None:
    """Let an account sign in, or not."""
    await conn.execute("UPDATE account SET state = %s WHERE id = %s", (state, id_))


async def set_password(conn: AsyncConnection[Any], id_: str, hashed: str) -> None:
    """Replace the hash of a password."""
    await conn.execute(
        "UPDATE account SET password = %s, password_set = clock_timestamp() WHERE id = %s", (hashed, id_)
    )


async def rehash(conn: AsyncConnection[Any], id_: str, old: str, new: str) -> None:
    """Replace a hash by one of the same password with today's costs."""
    await conn.execute("UPDATE account SET password = %s WHERE id = %s AND password = %s", (new, id_, old))


async def set_phone(conn: AsyncConnection[Any], id_: str, number: str) -> None:
    """Replace the telephone number that codes are sent to."""
    await conn.execute("UPDATE account SET phone = %s WHERE id = %s", (number, id_))


async def bind(conn: AsyncConnection[Any], id_: str, user: str, roles: Iterable[str]) -> None:
    """Say whom of the record an account is, and in which roles."""
    await conn.execute(
        "UPDATE account SET fhir_user = %s, roles = %s WHERE id = %s",
        (fhir_user(user), known_roles(roles), id_),
    )


async def verified(conn: AsyncConnection[Any], id_: str, email: str) -> bool:
    """Whether the account still has the address that was just proved to be its holder's; it may sign in then."""
    cursor = await conn.execute(
        "UPDATE account SET email_verified = clock_timestamp(),"
        " state = CASE WHEN state = 'waiting' THEN 'active' ELSE state END"
        " WHERE id = %s AND email_key = %s RETURNING id",
        (id_, address_key(email)),
    )
    return await cursor.fetchone() is not None


def _account(row: Sequence[Any]) -> Account:
    id_, name, email, proved, phone, user, roles, *rest = row
    return Account(id_, name, email, proved, phone, user, tuple(roles), *rest)
