"""`healthbuddy key`: the keys that content is sealed with, and those that sign access tokens."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from fhir_server import keys
from fhir_server.commands import database
from fhir_server.commands.signing import rotate, signing
from fhir_server.commands.terminal import err, fail, out, say
from fhir_server.crypto import keystore, rewrap
from fhir_server.crypto.classes import DataClass
from fhir_server.crypto.providers import KeyTroubleError
from fhir_server.crypto.ring import Ring
from fhir_server.search.context import configure, protect
from fhir_server.settings import Settings
from fhir_server.storage import rotation
from fhir_server.storage.store import Store

key = typer.Typer(
    help="The keys that content is sealed with, and those that sign access tokens.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
key.command("rotate")(rotate)
key.command("signing")(signing)


def _with_ring(work: Callable[[Settings, Ring], Awaitable[None]]) -> None:
    """Run `work` on the database of the settings and its keys."""

    async def all_of_it(settings: Settings) -> None:
        ring = keys.ring(settings)
        try:
            await keystore.create(ring.store.conninfo, settings.database_url)
            await work(settings, ring)
        finally:
            await ring.store.close()

    with database.running(Settings()) as (settings, _):
        database.migrate(settings)
        try:
            asyncio.run(all_of_it(settings))
        except KeyTroubleError as error:
            raise fail(str(error)) from error


def progress() -> Progress:
    """Return a bar for work on many rows."""
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(*columns, TimeRemainingColumn(), console=err, refresh_per_second=4)


@key.command("list")
def list_() -> None:
    """Show which keys there are; none of them is shown."""

    async def show(settings: Settings, ring: Ring) -> None:
        table = Table("Class", "Number", "Wrapped under", "Keys below", "Destroyed", box=None)
        for kind, number, under, count, gone in await ring.store.figures():
            table.add_row(DataClass(kind).label, str(number), under, f"{count:,}", f"{gone:,}")
        out.print(table)
        say(
            f"Encryption of what is written is {settings.encryption}; wrapping keys: {settings.key_provider}."
        )

    _with_ring(show)


@key.command("rotate-wrapping")
def rotate_wrapping(
    classes: Annotated[
        bool, typer.Option(help="Also make new class keys, and wrap every patient's key under them")
    ] = False,
) -> None:
    """Wrap keys under a new wrapping key; no content is rewritten."""

    async def rotate(_: Settings, ring: Ring) -> None:
        await ring.load()
        moved = await rewrap.wrapping_key(ring)
        say(f"{moved} class keys are wrapped under {ring.provider.current()}; keep a copy of it apart.")
        if classes:
            with progress() as bar:
                task = bar.add_task("Patients' keys", total=None)
                async for step in rewrap.class_keys(ring):
                    bar.update(task, total=step.total, completed=step.done)

    _with_ring(rotate)


@key.command("rotate-data")
def rotate_data() -> None:
    """Seal every version anew under new keys; may be interrupted and started again, and the server may run."""

    async def rotate(settings: Settings, ring: Ring) -> None:
        await ring.load()
        store = await opened(settings)
        try:
            with progress() as bar:
                task = bar.add_task("Sealing", total=None)
                async for job in rotation.run(store):
                    bar.update(
                        task, total=job.total, completed=min(job.done, job.total), description=job.stage
                    )
        finally:
            await store.close()
        say("Every version is sealed under new keys; the older ones are gone.")

    if Settings().encryption == "off":
        raise fail("The setting `encryption` is off: switch it on first")
    _with_ring(rotate)


async def opened(settings: Settings) -> Store:
    """Return a store of this command that seals and opens as the server does."""
    store = await Store.open(settings.database_url, pool_size=2, sealer=keys.sealer(settings))
    configure(
        token_key=store.keys["token-hash"], cursor_key=store.keys["cursor-signature"], zone=settings.time_zone
    )
    protect(settings.search_in_clear, sealed=settings.encryption == "on")
    return store
