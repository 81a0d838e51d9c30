"""The steps of backups and restorations, as commands take them: with bars, and with texts for what goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import msgspec
import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from fhir_server import keys
from fhir_server.commands import database
from fhir_server.commands.key import opened
from fhir_server.commands.terminal import err, fail
from fhir_server.crypto import envelope as env
from fhir_server.crypto import keystore, stream
from fhir_server.crypto.classes import DataClass
from fhir_server.crypto.envelope import SealError
from fhir_server.crypto.providers import KeyTroubleError, Wrapped
from fhir_server.crypto.ring import Ring
from fhir_server.settings import Settings
from fhir_server.storage import backup as dumps
from fhir_server.storage import epochs, erasing
from fhir_server.storage.backup import BackupError, Head
from fhir_server.storage.embedded import EmbeddedPostgres
from fhir_server.storage.schema import schema

T = TypeVar("T")
SUFFIX = ".hbbackup"
SAMPLE = 200
EPOCHS = ("search", "terminology", "conformance", "policy")


@contextlib.contextmanager
def ready(*, create: bool = True) -> Iterator[tuple[Settings, EmbeddedPostgres | None]]:
    """Lend the settings of a database that answers; `create` makes schema and key store where there are none."""
    with database.running(Settings()) as (settings, server):
        if create:
            database.migrate(settings)
            told(
                lambda: asyncio.run(keystore.create(keys.key_store(settings).conninfo, settings.database_url))
            )
        yield settings, server


def told(work: Callable[[], T]) -> T:
    """Return what `work` returns; what goes wrong with keys, files or the database is told."""
    try:
        return work()
    except (KeyTroubleError, SealError, BackupError) as error:
        raise fail(str(error)) from error
    except psycopg.Error as error:
        raise fail(f"The database refuses: {str(error).strip().splitlines()[0]}") from error


def run(settings: Settings, work: Callable[[Ring], Awaitable[T]]) -> T:
    """Return what `work` does with the keys of the settings."""

    async def run() -> T:
        ring = keys.ring(settings)
        try:
            return await work(ring)
        finally:
            await ring.store.close()

    return told(lambda: asyncio.run(run()))


async def new_backup_key(ring: Ring, days: int) -> tuple[str, bytes]:
    await ring.load()
    await ring.store.expire()
    number, under = await ring.last_class(DataClass.BACKUP)
    id_, key = f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{os.urandom(4).hex()}", env.new_key()
    await ring.store.keep_backup(id_, number, env.wrap(key, under, f"backup/{id_}".encode()), days)
    return id_, key


async def backup_key(ring: Ring, head: Head) -> bytes:
    """Return the key of a backup; raises KeyTroubleError where it has expired or was never here."""
    if head.wrapped:
        if datetime.fromisoformat(head.expires) < datetime.now(UTC):
            raise KeyTroubleError(f"This backup of keys was good until {head.expires}")
        return await asyncio.to_thread(
            ring.provider.unwrap, Wrapped(head.under, head.wrapped), f"keys backup {head.expires}"
        )
    found = await ring.store.backup(head.id)
    if found is None:
        raise KeyTroubleError(
            f"The key store has no key of the backup {head.id}: it has expired, or was never here"
        )
    return env.unwrap(
        found[1], await ring.class_key(DataClass.BACKUP, found[0]), f"backup/{head.id}".encode()
    )


def times(days: int) -> tuple[str, str]:
    now = datetime.now(UTC).replace(microsecond=0)
    return now.isoformat(), (now + timedelta(days=days)).isoformat()


def versions(settings: Settings) -> tuple[str, str]:
    with psycopg.connect(settings.database_url) as conn:
        return schema(settings.database_url).current or "", conn.info.parameter_status("server_version") or ""


def new_file(place: Path, kind: str) -> Path:
    path = (
        place / f"healthbuddy-{kind}-{datetime.now(UTC):%Y%m%d-%H%M%S}{SUFFIX}" if place.is_dir() else place
    )
    if path.exists():
        raise fail(f"{path} is there already")
    return path


def write(url: str, path: Path, key: bytes, head: Head) -> None:
    """Write a sealed dump beside its place and move it there when it is whole."""
    draft = path.with_name(f"{path.name}.part")
    with dumps.snapshot(url) as (conn, name):
        with bar("Counting", None) as step:
            head = msgspec.structs.replace(head, tables=dumps.state(conn, lambda _: step(1)))
        row = conn.execute("SELECT pg_database_size(current_database())").fetchone()
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with (
                os.fdopen(descriptor, "wb") as file,
                bar("Writing", row[0] if row else None, size=True) as step,
            ):
                told(lambda: dumps.dump(url, name, stream.Sink(file, key, msgspec.json.encode(head)), step))
                file.flush()
                os.fsync(file.fileno())
            draft.rename(path)
        finally:
            draft.unlink(missing_ok=True)


def read(settings: Settings, file: Path, url: str) -> Head:
    """Load a backup into an empty database and return what it says of itself."""
    with file.open("rb") as source:
        head, said = told(lambda: dumps.read_head(source))
        key = run(settings, lambda ring: backup_key(ring, head))
        with bar("Restoring", file.stat().st_size, size=True) as step:
            told(lambda: dumps.restore(url, stream.opened(source, key, said), step))
    return head


@contextlib.contextmanager
def bar(text: str, total: int | None, *, size: bool = False) -> Iterator[Callable[[int], None]]:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Progress(*columns, *([DownloadColumn()] if size else []), console=err, refresh_per_second=4) as bar:
        task = bar.add_task(text, total=total)
        yield lambda count: bar.advance(task, count)
        bar.update(task, total=bar.tasks[0].completed or 1, completed=bar.tasks[0].completed or 1)


@contextlib.contextmanager
def scratch(settings: Settings, server: EmbeddedPostgres | None, given: str) -> Iterator[str]:
    """Lend an empty database; one that was made for it goes again."""
    if given:
        if not told(lambda: dumps.is_empty(given)):
            raise fail("The scratch database is not empty")
        yield given
        return
    name = f"{conninfo_to_dict(settings.database_url).get('dbname')}_restore_test_{os.urandom(3).hex()}"
    admin = server.admin_conninfo() if server is not None else settings.database_url
    owner = conninfo_to_dict(settings.database_url).get("user")
    make = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
    if owner:
        make += sql.SQL(" OWNER {}").format(sql.Identifier(str(owner)))
    told(lambda: do(admin, make))
    try:
        yield keystore.with_name(settings.database_url, name)
    finally:
        do(admin, sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def do(url: str, statement: sql.Composed) -> None:
    with psycopg.connect(url, autocommit=True) as conn:
        conn.execute(statement)


def keys_place(settings: Settings, server: EmbeddedPostgres | None) -> str:
    """Return the conninfo of the key store's database, made where it is not there; it must be empty."""
    url = keys.key_store(settings).conninfo
    name = str(conninfo_to_dict(url)["dbname"])
    with contextlib.suppress(psycopg.errors.DuplicateDatabase):
        admin = server.admin_conninfo() if server is not None else settings.database_url
        if not there(url):
            told(lambda: do(admin, sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))))
    if not dumps.is_empty(url):
        raise fail(f"The key store {name} is not empty")
    return url


def there(url: str) -> bool:
    with contextlib.suppress(psycopg.OperationalError), psycopg.connect(url):
        return True
    return False


async def sampled(ring: Ring, url: str) -> int:
    """Return how many sealed versions of a sample of a restored copy were opened.

    Errors: SealError where one does not open
    """
    async with await psycopg.AsyncConnection.connect(url) as conn:
        cursor = await conn.execute(
            "SELECT type, id, version, tail FROM resource WHERE get_byte(tail, 0) = 1 ORDER BY random() LIMIT %s",
            (SAMPLE,),
        )
        found = [(row, env.parts(bytes(row[3]))) for row in await cursor.fetchall()]
    gone = await ring.store.destroyed()
    await ring.fetch([parts for _, parts in found])
    count = 0
    for (kind, id_, version, _), parts in found:
        if not gone.issuperset(env.owners_of(parts)):
            ring.opened(parts, env.bound(kind, id_, version))
            count += 1
    return count


async def settled(settings: Settings) -> int:
    """Make a restored database go on from the present, and return how many people were erased again.

    Row numbers go on behind all that ever had a key; who has no key any more is removed; every epoch ends.
    """
    store = await opened(settings)
    try:
        assert store.sealer is not None
        greatest, gone = 0, set[int]()
        with contextlib.suppress(KeyTroubleError):
            greatest = await store.sealer.ring.store.greatest()
            gone = await store.sealer.ring.store.destroyed()
        erased = 0
        for subject in sorted(gone):
            async with store.transaction() as conn:
                removed, _ = await erasing.rows(conn, subject)
                erased += bool(removed)
        async with store.transaction() as conn:
            await conn.execute(
                "SELECT setval('rid_seq', GREATEST(last_value, %s) + 1000) FROM rid_seq", (greatest,)
            )
            await epochs.end(conn, EPOCHS, ())
        return erased
    finally:
        await store.close()
