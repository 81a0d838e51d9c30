"""`healthbuddy client`: the apps and programs that may ask for access tokens."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.table import Table

from fhir_server.access.grant import Grant
from fhir_server.audit.trail import ChainedTrail, NoTrail
from fhir_server.auth import clients, opaque
from fhir_server.auth.client_metadata import client_of
from fhir_server.auth.clients import CODE, CREDENTIALS, REFRESH, Client
from fhir_server.auth.errors import OAuthError
from fhir_server.commands import database
from fhir_server.commands.terminal import fail, out, say
from fhir_server.keys import unlocked
from fhir_server.settings import Settings
from fhir_server.storage.store import Store

T = TypeVar("T")
client = typer.Typer(
    help="Apps and programs that may ask for access tokens: add, list, approve, rotate, remove.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

METHODS = {"public": "none", "secret": "client_secret_basic", "key": "private_key_jwt"}
Which = Annotated[str, typer.Argument(help="The client's id")]


@client.command()
def add(
    name: Annotated[str, typer.Argument(help="Name that people see")],
    kind: Annotated[str, typer.Option(help="How it proves who it is: public, secret or key")] = "public",
    redirect: Annotated[list[str] | None, typer.Option(help="Redirect URI; may be repeated")] = None,
    launch: Annotated[str, typer.Option(help="URL that an EHR opens to start it")] = "",
    scope: Annotated[str, typer.Option(help="The most that it may ask for")] = "",
    keys: Annotated[
        str, typer.Option(help="Its public keys (JWKS): a file, or the URL where it keeps them")
    ] = "",
    id_: Annotated[str, typer.Option("--id", help="Its id; made up where none is given")] = "",
    backend: Annotated[bool, typer.Option(help="A service without a person: needs --kind key")] = False,
) -> None:
    """Register a client; a secret is shown once."""
    if kind not in METHODS:
        raise fail(f"--kind must be one of {', '.join(METHODS)}")
    said = {
        "client_name": name,
        "token_endpoint_auth_method": METHODS[kind],
        "grant_types": [CREDENTIALS] if backend else [CODE, REFRESH],
        "redirect_uris": redirect or [],
        "scope": scope,
        "initiate_login_uri": launch,
        **_keys(keys),
    }

    async def work(store: Store, settings: Settings) -> tuple[Client, str]:
        made = client_of(said, id_ or opaque.fresh()[:22])
        async with store.transaction() as conn:
            if await clients.load(conn, made.id) is not None:
                raise OAuthError("invalid_client_metadata", f"There is a client {made.id} already")
            secret = await clients.add(conn, made)
        await _noted(settings, made.id, "client added")
        return made, secret

    made, secret = _run(work)
    say(f"{made.name} is registered.")
    out.print(f"client_id      {made.id}", markup=False, soft_wrap=True)
    if secret:
        out.print(f"client_secret  {secret}", markup=False, soft_wrap=True)
        say("The secret is not shown again.")


def _keys(keys: str) -> dict[str, Any]:
    if not keys or "://" in keys:
        return {"jwks_uri": keys}
    try:
        return {"jwks": json.loads(Path(keys).read_text(encoding="utf-8"))}
    except (OSError, ValueError) as error:
        raise fail(f"{keys} is no key set: {error}") from None


@client.command("list")
def list_() -> None:
    """Show the clients."""

    async def work(store: Store, _: Settings) -> list[Client]:
        async with store.pool.connection() as conn:
            return await clients.listed(conn)

    table = Table("Id", "Name", "Kind", "State", "From", "Scopes", box=None)
    for one in _run(work):
        table.add_row(one.id, one.name, one.kind, one.state, one.origin, " ".join(one.scopes))
    out.print(table)


@client.command()
def approve(which: Which) -> None:
    """Let a client that registered itself start."""

    async def work(store: Store, settings: Settings) -> None:
        async with store.pool.connection() as conn:
            if not await clients.approve(conn, which):
                raise OAuthError("invalid_client", f"No client {which} waits for approval")
        await _noted(settings, which, "client approved")

    _run(work)
    say(f"{which} may start.")


@client.command()
def rotate(
    which: Which,
    overlap: Annotated[int, typer.Option(min=0, max=720, help="Hours that the old secret still works")] = 24,
) -> None:
    """Give a client a new secret, shown once."""

    async def work(store: Store, settings: Settings) -> str:
        async with store.pool.connection() as conn:
            secret = await clients.rotate_secret(conn, which, overlap)
        if not secret:
            raise OAuthError("invalid_client", f"There is no client {which} with a secret")
        await _noted(settings, which, "client secret rotated")
        return secret

    out.print(f"client_secret  {_run(work)}", markup=False, soft_wrap=True)
    say(f"The secret is not shown again. The old one works for another {overlap} hours.")


@client.command()
def remove(which: Which) -> None:
    """Remove a client; all its tokens end at once."""

    async def work(store: Store, settings: Settings) -> None:
        async with store.transaction() as conn:
            if not await clients.remove(conn, which):
                raise OAuthError("invalid_client", f"There is no client {which}")
        await _noted(settings, which, "client removed")

    _run(work)
    say(f"{which} is removed, and its tokens with it.")


def _run(work: Callable[[Store, Settings], Awaitable[T]]) -> T:
    async def opened(settings: Settings) -> T:
        store = await Store.open(settings.database_url, pool_size=2, sealer=await unlocked(settings))
        try:
            return await work(store, settings)
        finally:
            await store.close()

    with database.running(Settings()) as (settings, _):
        database.migrate(settings)
        try:
            return asyncio.run(opened(settings))
        except OAuthError as error:
            raise fail(error.text) from None


async def _noted(settings: Settings, which: str, what: str) -> None:
    trail = ChainedTrail(settings.database_url) if settings.audited else NoTrail()
    try:
        grant = Grant(subject="command line", client="healthbuddy")
        await trail.note("administration", grant, detail={"what": what, "client": which})
    finally:
        await trail.close()
