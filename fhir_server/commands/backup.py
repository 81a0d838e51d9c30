"""`healthbuddy backup` and `healthbuddy restore`: sealed dumps, restored and compared; keys apart from content."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated, Any

import psycopg
import typer
from typer.core import TyperGroup

from fhir_server import keys
from fhir_server.commands import backup_steps as steps
from fhir_server.commands import database
from fhir_server.commands.terminal import fail, say
from fhir_server.crypto import envelope as env
from fhir_server.crypto.providers import Wrapped
from fhir_server.crypto.ring import Ring
from fhir_server.storage import backup as dumps
from fhir_server.storage.backup import Head


class _Group(TyperGroup):
    """A group whose first word may also be a file: then it is a backup to that place."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that the words ask for."""
        known = args and (args[0] in self.commands or args[0].startswith("-"))
        return super().resolve_command(ctx, args if known else ["to", *args])


backup = typer.Typer(
    cls=_Group,
    help="Sealed backups: healthbuddy backup FILE|FOLDER",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@backup.command("to")
def to(place: Annotated[Path, typer.Argument(help="A new file, or a folder to put one into")]) -> None:
    """Write a sealed backup of the content; its key goes into the key store and expires."""
    with steps.ready() as (settings, _):
        path = steps.new_file(place, "content")
        id_, key = steps.run(settings, lambda ring: steps.new_backup_key(ring, settings.backup_days))
        steps.write(
            settings.database_url,
            path,
            key,
            Head(id_, *steps.times(settings.backup_days), *steps.versions(settings), {}),
        )
    say(
        f"{path} is complete. Its key is in the key store for {settings.backup_days} days; restore test: "
        f"healthbuddy backup test {path}"
    )


@backup.command("keys")
def keys_to(place: Annotated[Path, typer.Argument(help="A new file, or a folder to put one into")]) -> None:
    """Write a sealed backup of the key store; keep it shortly and apart from the backups of content."""
    with steps.ready() as (settings, _):
        path, key = steps.new_file(place, "keys"), env.new_key()
        moments = steps.times(settings.keys_backup_days)

        async def wrapped(ring: Ring) -> Wrapped:
            return await asyncio.to_thread(ring.provider.wrap, key, f"keys backup {moments[1]}")

        under = steps.run(settings, wrapped)
        url = keys.key_store(settings).conninfo
        steps.write(
            url, path, key, Head("", *moments, *steps.versions(settings), {}, under.under, under.data)
        )
    say(
        f"{path} is complete and may be restored for {settings.keys_backup_days} days, with the wrapping key."
    )


@backup.command("test")
def check(
    file: Annotated[Path, typer.Argument(help="The backup", exists=True)],
    scratch: Annotated[
        str, typer.Option(help="URL of an empty database to use [default: one made for it]")
    ] = "",
) -> None:
    """Restore a backup into a scratch database, and compare counts and hashes of every table."""
    with steps.ready() as (settings, server), steps.scratch(settings, server, scratch) as url:
        head = steps.read(settings, file, url)
        with psycopg.connect(url) as conn, steps.bar("Comparing", len(head.tables)) as step:
            told = dumps.differences(head.tables, dumps.state(conn, lambda _: step(1)))
        if told:
            raise fail("\n".join(["The restored copy differs from the backup:", *told]))
        read = steps.run(settings, lambda ring: steps.sampled(ring, url)) if not head.wrapped else 0
    rows = sum(table.rows for table in head.tables.values())
    say(f"Restored and compared: {len(head.tables)} tables, {rows:,} rows; {read:,} sealed versions opened.")


def restore(
    file: Annotated[Path, typer.Argument(help="A backup of content, or of the key store", exists=True)],
) -> None:
    """Restore a backup into the configured database, which must be empty; erasures made since are made again."""
    with steps.ready(create=False) as (settings, server):
        with file.open("rb") as source:
            head, _ = steps.told(lambda: dumps.read_head(source))
        if head.wrapped:
            url = steps.keys_place(settings, server)
            steps.read(settings, file, url)
            say("The key store is restored.")
            return
        if not dumps.is_empty(settings.database_url):
            raise fail(
                "The database is not empty: restore into a new one (HEALTHBUDDY_DATABASE_URL), or a new data folder"
            )
        steps.read(settings, file, settings.database_url)
        database.migrate(settings)
        gone = asyncio.run(steps.settled(settings))
    say(
        f"Restored as of {head.made}."
        + (f" {gone} people who were erased since were erased again." if gone else "")
    )
