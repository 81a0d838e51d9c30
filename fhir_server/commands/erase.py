"""`healthbuddy erase verify`: proof that an erasure holds, in the database, in the key store, in a backup."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import psycopg
import typer
from psycopg import AsyncConnection

from fhir_server.commands import backup_steps as steps
from fhir_server.commands.terminal import fail, say
from fhir_server.crypto import envelope
from fhir_server.crypto.envelope import SealError
from fhir_server.crypto.ring import Ring
from fhir_server.settings import Settings
from fhir_server.storage import erasing

erase = typer.Typer(
    help="Erasures of people ($erase).",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@erase.callback()
def erasures() -> None:
    """Erasures of people ($erase)."""


@erase.command("verify")
def verify(
    erasure: Annotated[str, typer.Argument(help="The number in the certificate")],
    backup: Annotated[
        Path | None,
        typer.Option(help="A backup made before, to be restored apart and tried to read", exists=True),
    ] = None,
) -> None:
    """Prove that nothing of an erased person is left: no row, no index row, no key, nothing readable in a backup."""
    with steps.ready() as (settings, server):
        subject, rids = _found(settings, erasure)
        left = steps.told(lambda: asyncio.run(_left(settings, subject, rids)))
        wrapped = steps.run(settings, lambda ring: ring.store.wrapped(subject))
        problems = [f"{count} rows of {table} still name the person" for table, count in left.items()]
        problems += [f"{wrapped} keys of the person are still there"] if wrapped else []
        tried = 0
        if backup is not None:
            with steps.scratch(settings, server, "") as url:
                steps.read(settings, backup, url)
                tried, opened = steps.run(settings, lambda ring: readable(ring, url, subject))
            problems += [f"{opened} versions in the backup can still be read"] if opened else []
    if problems:
        raise fail("\n".join(["The erasure does not hold:", *problems]))
    say("No row, no index row and no key of the person is left.")
    if backup is not None:
        say(f"{tried} versions in the backup are about the person alone; none can be read.")


def _found(settings: Settings, erasure: str) -> tuple[int, list[int]]:
    with psycopg.connect(settings.database_url) as conn:
        row = conn.execute("SELECT subject, rids, state FROM erasure WHERE id = %s", (erasure,)).fetchone()
    if row is None:
        raise fail(f"There is no erasure {erasure}")
    if row[2] != "done":
        raise fail("The erasure was begun and not finished: ask for $erase again")
    return row[0], row[1]


async def _left(settings: Settings, subject: int, rids: list[int]) -> dict[str, int]:
    async with await AsyncConnection.connect(settings.database_url) as conn:
        return await erasing.left(conn, subject, rids)


async def readable(ring: Ring, url: str, subject: int) -> tuple[int, int]:
    """Return how many versions of a restored copy are about an erased person alone, and how many of them open."""
    found = await _copies(url, subject)
    await ring.fetch([parts for _, parts in found if parts is not None])
    opened = 0
    for name, parts in found:
        try:
            opened += parts is None or bool(ring.opened(parts, name))
        except SealError:
            continue
    return len(found), opened


async def _copies(url: str, subject: int) -> list[tuple[bytes, envelope.Parts | None]]:
    columns = "x.type, r.id, x.version, x.tail"
    whose = "x.tail IS NOT NULL AND (x.pid = %(s)s AND x.owners IS NULL OR x.owners = ARRAY[%(s)s]::bigint[])"
    async with await AsyncConnection.connect(url) as conn:
        cursor: Any = await conn.execute(
            f"SELECT {columns} FROM resource x JOIN resource r USING (rid) WHERE {whose} UNION ALL"
            f" SELECT {columns} FROM resource_version x JOIN resource r USING (rid) WHERE {whose}".encode(),
            {"s": subject},
        )
        rows = await cursor.fetchall()
    return [
        (
            envelope.bound(kind, id_, version),
            envelope.parts(bytes(tail)) if envelope.is_sealed(bytes(tail)) else None,
        )
        for kind, id_, version, tail in rows
    ]
