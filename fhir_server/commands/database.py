"""A database to work with: the one that is configured, else the embedded one, running and migrated."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

import psycopg

from fhir_server import keys
from fhir_server.commands.terminal import fail, say
from fhir_server.crypto.providers import KeyTroubleError
from fhir_server.settings import Settings
from fhir_server.storage.embedded import EmbeddedError, EmbeddedPostgres
from fhir_server.storage.schema import MigrationError, Schema, schema, upgrade_apart


def embedded(settings: Settings) -> EmbeddedPostgres | None:
    """Return the embedded PostgreSQL of `settings`, None where an external one is configured."""
    if not settings.embedded:
        return None
    return EmbeddedPostgres(settings.postgres_dir, options=settings.postgres_options)


@contextlib.contextmanager
def running(settings: Settings) -> Iterator[tuple[Settings, EmbeddedPostgres | None]]:
    """Lend settings whose `database_url` answers; an embedded database stops afterwards unless others use it."""
    server = embedded(settings)
    if server is None:
        yield settings, None
        return
    try:
        if server.status().version is None:
            say(f"Making a database in {settings.postgres_dir} …")
        url = server.ensure_running()
    except EmbeddedError as error:
        raise fail(str(error)) from error
    try:
        yield settings.model_copy(update={"database_url": url}), server
    finally:
        server.stop()


def migrate(settings: Settings) -> Schema:
    """Return the schema's state after bringing it up to date, told where it changes."""
    try:
        before = schema(settings.database_url)
        if before.ready:
            return before
        say(f"Migrating the database from {before.current or 'nothing'} to {before.head} …")
        return upgrade_apart(settings.database_url)
    except (MigrationError, psycopg.Error) as error:
        raise fail(f"The database does not answer or refuses: {_first_line(error)}") from error


def unlock(settings: Settings) -> None:
    """Have keys made or opened where content is sealed, before anybody is served; tells what is wrong with them."""

    async def unlocked() -> None:
        sealer = keys.sealer(settings)
        try:
            await keys.ready(settings, sealer)
        finally:
            await sealer.close()

    try:
        asyncio.run(unlocked())
    except KeyTroubleError as error:
        raise fail(str(error)) from error


def is_empty(settings: Settings) -> bool:
    """Whether no resource was ever stored."""
    with psycopg.connect(settings.database_url) as conn:
        return conn.execute("SELECT 1 FROM resource LIMIT 1").fetchone() is None


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]
