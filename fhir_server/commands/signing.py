"""`healthbuddy key rotate` and `key signing`: the keys that access tokens are signed with."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer
from rich.table import Table

from fhir_server.access.grant import Grant
from fhir_server.audit.trail import ChainedTrail, NoTrail
from fhir_server.auth import keys
from fhir_server.auth.keys import ANNOUNCED_S, KeyState, SigningKeys
from fhir_server.commands import database
from fhir_server.commands.terminal import fail, out, say
from fhir_server.crypto.files import SecretFileError
from fhir_server.keys import unlocked
from fhir_server.settings import Settings
from fhir_server.storage.store import Store

T = TypeVar("T")


def rotate(
    now: Annotated[
        bool, typer.Option("--now", help="Drop the old keys at once: all access tokens end; for stolen keys")
    ] = False,
) -> None:
    """Have access tokens signed with a new key."""

    async def work(store: Store, settings: Settings) -> str:
        signing = SigningKeys(keys.sealing_key(settings.data_dir))
        kid = await keys.rotate(store, signing, at_once=now)
        trail = ChainedTrail(settings.database_url) if settings.audited else NoTrail()
        try:
            grant = Grant(subject="command line", client="healthbuddy")
            await trail.note("administration", grant, detail={"what": "signing key rotated", "key": kid})
        finally:
            await trail.close()
        return kid

    kid = _run(work)
    say(f"{kid} signs {'within ten seconds' if now else f'in {ANNOUNCED_S // 60} minutes'}.")


def signing() -> None:
    """Show the keys that access tokens are signed with."""

    async def work(store: Store, _: Settings) -> list[KeyState]:
        return await keys.listed(store)

    table = Table("Key", "Made", "Signs from", "Published until", box=None)
    for one in _run(work):
        until = "" if one.ends is None else f"{one.ends:%Y-%m-%d %H:%M}"
        table.add_row(one.kid, f"{one.created:%Y-%m-%d %H:%M}", f"{one.signs:%Y-%m-%d %H:%M}", until)
    out.print(table)


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
        except SecretFileError as error:
            raise fail(str(error)) from None
