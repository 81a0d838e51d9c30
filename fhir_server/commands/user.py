"""`healthbuddy user`: accounts of people."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, TypeVar

import typer
from psycopg import AsyncConnection
from rich.table import Table

from fhir_server.access.grant import Grant
from fhir_server.audit.trail import ChainedTrail, NoTrail
from fhir_server.auth import accounts, families, joining, passwords, sessions
from fhir_server.auth.accounts import Account, AccountError
from fhir_server.auth.joining import Sender
from fhir_server.auth.mfa import factors
from fhir_server.auth.places import places
from fhir_server.commands import database
from fhir_server.commands.terminal import fail, out, say
from fhir_server.keys import unlocked
from fhir_server.settings import Settings
from fhir_server.storage.store import Store

T = TypeVar("T")
Work = Callable[[Store, Settings], Awaitable[T]]
user = typer.Typer(no_args_is_help=True, help="Accounts of people: add, list, invite, bind, disable, reset.")

Who = Annotated[str, typer.Argument(help="E-mail address or id of the account")]
Roles = Annotated[list[str], typer.Option("--role", help="A role, such as clinician; may be repeated")]
Binding = Annotated[str, typer.Option("--as", help="Whom of the record this is: Practitioner/123")]
Name = Annotated[str, typer.Option(help="Name of the person")]


@user.command()
def add(
    email: Annotated[str, typer.Argument(help="E-mail address")], name: Name, role: Roles, as_: Binding = ""
) -> None:
    """Make an account with a password that is shown once."""
    password = passwords.generated()

    async def work(store: Store, settings: Settings) -> Account:
        hashed = await passwords.hashed(password)
        async with store.pool.connection() as conn:
            account = await accounts.create(
                conn, name=name, email=email, user=as_, roles=role, password=hashed, verified=True
            )
        await _noted(settings, account, "account added")
        return account

    account = _run(work)
    say(f"{account.email} may sign in as {', '.join(account.roles)}. The password, shown this once:")
    out.print(password, markup=False)


@user.command()
def invite(
    email: Annotated[str, typer.Argument(help="E-mail address")], name: Name, role: Roles, as_: Binding = ""
) -> None:
    """Invite somebody: a link is sent by which that person makes the account. It is shown, too."""

    async def work(store: Store, settings: Settings) -> str:
        async with store.pool.connection() as conn, conn.transaction():
            by = _sender(settings)
            return await joining.invited(conn, by, name=name, email=email, user=as_, roles=role)

    out.print(_run(work), markup=False)


@user.command("list")
def list_() -> None:
    """List the accounts."""

    async def work(store: Store, _settings: Settings) -> list[Account]:
        async with store.pool.connection() as conn:
            return await accounts.all_of(conn)

    table = Table("Account", "E-mail", "Name", "Roles", "In the record", "State", "Last sign-in", box=None)
    for one in _run(work):
        seen = f"{one.last_sign_in:%Y-%m-%d %H:%M}" if one.last_sign_in else "never"
        table.add_row(one.id, one.email, one.name, ", ".join(one.roles), one.fhir_user, one.state, seen)
    out.print(table, markup=False)


@user.command()
def bind(who: Who, role: Roles, as_: Binding = "") -> None:
    """Say whom of the record an account is, and in which roles; apps have to be connected anew."""

    async def change(conn: AsyncConnection[Any], account: Account) -> None:
        await accounts.bind(conn, account.id, as_, role)

    _changed(who, change, "account bound")
    say(f"{who} is {as_ or 'nobody of the record'} now, as {', '.join(role)}.")


@user.command("reset-mfa")
def reset_mfa(who: Who) -> None:
    """Remove all second factors of an account and end its sessions: for who lost phone and recovery codes."""

    async def change(conn: AsyncConnection[Any], account: Account) -> None:
        await factors.removed(conn, account.id)

    _changed(who, change, "factors removed")
    say(
        f"{who} has no second factor any more, and is signed out. Make sure that it was that person who asked."
    )


@user.command()
def disable(who: Who) -> None:
    """Close an account: nobody signs in to it, and its sessions and apps end within a second."""

    async def change(conn: AsyncConnection[Any], account: Account) -> None:
        await accounts.set_state(conn, account.id, "disabled")

    _changed(who, change, "account disabled")
    say(f"{who} is closed.")


@user.command()
def enable(who: Who) -> None:
    """Open an account again."""

    async def change(conn: AsyncConnection[Any], account: Account) -> None:
        await accounts.set_state(conn, account.id, "active")

    _changed(who, change, "account enabled")
    say(f"{who} may sign in.")


def _changed(who: str, change: Callable[[AsyncConnection[Any], Account], Awaitable[None]], what: str) -> None:
    """Change an account; its sessions and the access of its apps end with that."""

    async def work(store: Store, settings: Settings) -> None:
        async with store.pool.connection() as conn, conn.transaction():
            account = await accounts.named(conn, who)
            if account is None:
                raise AccountError(f"There is no account '{who}'")
            await change(conn, account)
            await sessions.ended(conn, account.id)
        await families.revoke_sessions(store, account.id, None)
        await _noted(settings, account, what)

    _run(work)


def _run(work: Work[T]) -> T:
    async def opened(settings: Settings) -> T:
        store = await Store.open(settings.database_url, pool_size=2, sealer=await unlocked(settings))
        try:
            return await work(store, settings)
        finally:
            await store.close()

    with database.running(Settings()) as (settings, _server):
        database.migrate(settings)
        try:
            return asyncio.run(opened(settings))
        except AccountError as error:
            raise fail(str(error)) from None


def _sender(settings: Settings) -> Sender:
    return Sender(settings.brand_name, places(settings).issuer)


async def _noted(settings: Settings, account: Account, what: str) -> None:
    trail = ChainedTrail(settings.database_url) if settings.audited else NoTrail()
    try:
        grant = Grant(subject="command line", client="healthbuddy")
        await trail.note("administration", grant, detail={"what": what, "account": account.id})
    finally:
        await trail.close()
