"""Backups: one dump in one snapshot, sealed while it is written, with counts and hashes of every table at its head.

The dump is PostgreSQL's own, by the `pg_dump` of the wheel, which reads every older server too. What its head says is
counted in the dump's own snapshot, so that a restored copy can be compared with it row by row.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import psycopg
from psycopg import sql

from fhir_server.crypto import stream
from fhir_server.storage.embedded_host import package_folder

READ = 1 << 20

_TABLES = """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname = 'public' AND c.relkind = 'r' ORDER BY c.relname
"""
_HASH = "SELECT count(*), COALESCE(sum(hashtextextended(t::text, 0)::numeric), 0)::text FROM {} t"


class TableState(msgspec.Struct, frozen=True):
    """The rows of a table: how many, and a hash of all that does not depend on their order."""

    rows: int
    hash: str


class Head(msgspec.Struct, frozen=True):
    """What a backup says of itself, readable without a key.

    Shape:  `id` names its key in the key store; `revision` is the schema's; `server` the version of PostgreSQL; one of
            the key store itself has its key with it, `wrapped` under the wrapping key called `under`
    """

    id: str
    made: str
    expires: str
    revision: str
    server: str
    tables: dict[str, TableState]
    under: str = ""
    wrapped: bytes = b""


class BackupError(RuntimeError):
    """A backup or its restoration failed; the text says why."""


def program(name: str) -> Path:
    """Return a program of PostgreSQL from the wheel."""
    return package_folder() / "pginstall" / "bin" / name


@contextlib.contextmanager
def snapshot(conninfo: str) -> Iterator[tuple[psycopg.Connection[Any], str]]:
    """Lend a connection within a snapshot, with the name by which others can see the same."""
    with psycopg.connect(conninfo) as conn:
        conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        row = conn.execute("SELECT pg_export_snapshot()").fetchone()
        assert row is not None
        yield conn, row[0]


def state(
    conn: psycopg.Connection[Any], tell: Callable[[str], None] = lambda _: None
) -> dict[str, TableState]:
    """Return the rows of every table as a transaction sees them; `tell` is called with each table's name."""
    conn.execute("SET LOCAL timezone = 'UTC'")
    found = {}
    for (name,) in conn.execute(_TABLES).fetchall():
        tell(name)
        row = conn.execute(sql.SQL(_HASH).format(sql.Identifier(name))).fetchone()
        assert row is not None
        found[name] = TableState(row[0], row[1])
    return found


def dump(conninfo: str, name: str, sink: stream.Sink, tell: Callable[[int], None] = lambda _: None) -> None:
    """Write the dump of the snapshot called `name` into `sink`; `tell` is called with the bytes of each piece.

    Errors: BackupError with what pg_dump said
    """
    command: list[str | Path] = [
        program("pg_dump"),
        "-Fc",
        "--no-owner",
        "--no-privileges",
        f"--snapshot={name}",
        "-d",
        conninfo,
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        while data := process.stdout.read(READ):
            sink.write(data)
            tell(len(data))
        said = process.stderr.read().decode(errors="replace").strip()
    if process.returncode:
        raise BackupError(f"pg_dump failed: {said}")
    sink.close()


def restore(conninfo: str, pieces: Iterable[bytes], tell: Callable[[int], None] = lambda _: None) -> None:
    """Load a dump into an empty database.

    Errors: BackupError with what pg_restore said; SealError where the dump was cut or altered: then nothing is there
    """
    command: list[str | Path] = [program("pg_restore"), "--no-owner", "--no-privileges", "--no-comments"]
    command += ["--exit-on-error", "--single-transaction", "-d", conninfo]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stderr is not None
        try:
            for data in pieces:
                process.stdin.write(data)
                tell(len(data))
            process.stdin.close()
        except BrokenPipeError:
            pass
        except BaseException:
            process.kill()
            raise
        said = process.stderr.read().decode(errors="replace").strip()
    if process.returncode:
        raise BackupError(f"pg_restore failed: {said}")


def is_empty(conninfo: str) -> bool:
    """Whether a database has no table of ours."""
    with psycopg.connect(conninfo) as conn:
        return not conn.execute(_TABLES).fetchall()


def differences(said: dict[str, TableState], found: dict[str, TableState]) -> list[str]:
    """Return in words where a restored database differs from what its backup says; empty where nowhere."""
    told = []
    for name in sorted({*said, *found}):
        one, other = said.get(name), found.get(name)
        if one is None or other is None:
            told.append(f"{name}: {'missing' if other is None else 'was not in the backup'}")
        elif one.rows != other.rows:
            told.append(f"{name}: {other.rows:,} rows instead of {one.rows:,}")
        elif one.hash != other.hash:
            told.append(f"{name}: other content")
    return told


def read_head(file: BinaryIO) -> tuple[Head, bytes]:
    """Return what a backup says of itself, and its bytes; raises SealError, BackupError."""
    said = stream.head(file)
    try:
        return msgspec.json.decode(said, type=Head), said
    except msgspec.DecodeError:
        raise BackupError("The head of the backup is damaged") from None
