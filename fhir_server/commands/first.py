"""What a server needs before anybody gets in: its own client; at a first start with demo data, people and an app."""

from __future__ import annotations

import asyncio
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec
from psycopg import AsyncConnection

from fhir_server.auth import accounts, clients, passwords
from fhir_server.auth.client_metadata import client_of
from fhir_server.auth.clients import CREDENTIALS, Client
from fhir_server.commands.terminal import say
from fhir_server.commands.tokens import ALGORITHM, SCOPES, client_id, own_key
from fhir_server.demo import caregiver as demo_caregiver
from fhir_server.settings import Settings
from fhir_server.storage.rows import type_number

APP = "demo-app"
"""The demo app's client_id: a public client on this machine, port 3000."""
AT = "demo.example"
"""Domain of the demo accounts; nobody's (RFC 2606)."""


class FirstStartError(Exception):
    """What nobody gets in without could not be made; the text says so."""


class Made(msgspec.Struct, frozen=True):
    """An account that was made, with its password: shown once, kept nowhere."""

    role: str
    email: str
    password: str
    user: str


class _Row(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    role: str
    user: str


class _Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    people: tuple[_Row, ...]
    app: dict[str, Any]


def table() -> _Table:
    """Return the rows of `demo/accounts.json`."""
    path = Path(__file__).parents[1] / "demo" / "accounts.json"
    return msgspec.json.decode(path.read_bytes(), type=_Table)


def prepared(settings: Settings, *, demo: bool, loading: bool) -> list[Made]:
    """Return the accounts that were made; the work is done in a process of its own, whose threads end with it.

    Errors: FirstStartError where it could not be done; the process has told why
    """
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        code = 1
        try:
            made = asyncio.run(prepare(settings, demo=demo, loading=loading))
            os.write(write, msgspec.json.encode(made))
            code = 0
        except Exception as error:
            say(f"{type(error).__name__}: {error}")
        finally:
            with suppress(OSError):
                os.close(write)
            os._exit(code)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        told = pipe.read()
    if os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]):
        raise FirstStartError("The server's own client could not be registered; the reason is above")
    return msgspec.json.decode(told, type=list[Made])


async def prepare(settings: Settings, *, demo: bool, loading: bool) -> list[Made]:
    """Return the demo accounts that were made just now, having registered our own client and the demo app.

    Shape:  `demo` says that demo data are wanted, `loading` that they are about to be loaded; demo accounts are made
            where those are or will be there and nobody has an account yet
    """
    async with await AsyncConnection.connect(settings.database_url, autocommit=True) as conn:
        await clients.ensure(conn, own_client(settings))
        if not demo or not await _is_first(conn, settings, loading):
            return []
        await clients.ensure(conn, client_of(table().app, APP))
        return [made for row in table().people if (made := await _person(conn, settings, row)) is not None]


async def _is_first(conn: AsyncConnection[Any], settings: Settings, loading: bool) -> bool:
    """Whether there are demo people, or will be, and nobody has an account."""
    cursor = await conn.execute(
        "SELECT EXISTS (SELECT FROM account), EXISTS (SELECT FROM resource WHERE type = %s AND id = %s)",
        (type_number("Patient"), f"demo-{settings.demo_seed}-0000"),
    )
    accounts_there, people_there = await cursor.fetchone() or (True, False)
    return not accounts_there and (loading or people_there)


def own_client(settings: Settings) -> Client:
    """Return the client that commands on this machine are."""
    key = own_key(settings)
    public = {**key.as_dict(private=False), "kid": key.thumbprint(), "alg": ALGORITHM, "use": "sig"}
    return Client(
        id=client_id(key),
        name="Commands on the server's machine",
        kind="key",
        jwks={"keys": [public]},
        grants=[CREDENTIALS],
        scopes=[SCOPES],
    )


async def _person(conn: AsyncConnection[Any], settings: Settings, row: _Row) -> Made | None:
    """Return the account of a row, None where it is there already or stands for nobody."""
    email = f"{row.role}@{AT}"
    user = _user(settings, row)
    if user is None or await accounts.by_email(conn, email) is not None:
        return None
    password = secrets.token_urlsafe(12)
    hashed = await passwords.hashed(password)
    name = f"Demo {row.role}"
    await accounts.create(
        conn, name=name, email=email, user=user, roles=(row.role,), password=hashed, verified=True
    )
    return Made(row.role, email, password, user)


def _user(settings: Settings, row: _Row) -> str | None:
    """Return whom of the demo people a row is, None where so few were made that there is no such."""
    if row.user == "{patient}":
        return f"Patient/demo-{settings.demo_seed}-0000"
    if row.user == "{caregiver}":
        found = demo_caregiver.caregiver(settings.demo_patients, settings.demo_seed)
        return f"RelatedPerson/{found['id']}" if found else None
    return row.user


def shown(made: list[Made]) -> str:
    """Return what to tell of accounts that were made: once, since passwords are kept nowhere."""
    rows = [f"  {one.role:<10}  {one.email:<23}  {one.password}   {one.user}" for one in made]
    return "\n".join(
        (
            "",
            "Demo accounts, shown this once; clinician, operator and auditor are asked for a second factor:",
            "",
            *rows,
            "",
            f"Demo app: client_id {APP}, public, redirect_uri {', '.join(table().app['redirect_uris'][:2])} …",
        )
    )
