"""Loads of whole code systems from files: in steps that are kept, so that one that was interrupted goes on.

Concepts are written in the order in which a release gives them each time; what a job has written is its position there.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import islice
from typing import NamedTuple

from psycopg import AsyncConnection

from fhir_server.concepts import load
from fhir_server.concepts.load import Progress
from fhir_server.concepts.model import Conn
from fhir_server.storage import binary, epochs
from terminology.loaders.release import Release
from terminology.records import ConceptRecord, SystemHeader

STEP = 20_000
"""Concepts in one transaction."""
LOCK = 0x4842_4C44
"""The first key of the lock of a job: 'HBLD'."""


@asynccontextmanager
async def connected(conninfo: str) -> AsyncIterator[Conn]:
    """Lend a connection for loads, outside of any server's pool: its statements may take their time."""
    async with await AsyncConnection.connect(conninfo, autocommit=True) as conn:
        binary.register(conn.adapters)
        yield conn


class BusyError(Exception):
    """Another process is at the same load."""


class Loaded(NamedTuple):
    """What was loaded."""

    system: int
    concepts: int
    resumed: int


class Job(NamedTuple):
    """A load, as far as it is."""

    kind: str
    source: str
    url: str
    version: str
    state: str
    rows: int
    started: str
    updated: str


def name(kind: str, fingerprint: str, header: SystemHeader) -> str:
    """Return the id of a load: the same for the same files."""
    text = f"{kind}|{header.url}|{header.version}|{fingerprint}"
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


async def run(
    conn: Conn,
    kind: str,
    source: str,
    id_: str,
    release: Release,
    *,
    progress: Progress | None = None,
    anew: bool = False,
) -> Loaded:
    """Return what was loaded, after all concepts of a release are in the tables and count.

    Shape:  where the same files have been loaded already, nothing is written unless `anew`
    Errors: BusyError where another process is at it
    """
    key = int(id_[:7], 16)
    cursor = await conn.execute("SELECT pg_try_advisory_lock(%s, %s)", (LOCK, key))
    if await cursor.fetchone() != (True,):
        raise BusyError(f"Another process is loading {source}")
    try:
        if anew:
            await conn.execute("UPDATE load_job SET state = 'old' WHERE id = %s", (id_,))
        return await _done(conn, id_) or await _run(conn, kind, source, id_, release, progress)
    finally:
        await conn.execute("SELECT pg_advisory_unlock(%s, %s)", (LOCK, key))


async def _done(conn: Conn, id_: str) -> Loaded | None:
    """Return what a load has brought that is complete and counts, None where there is none."""
    cursor = await conn.execute(
        "SELECT s.id, s.concepts FROM load_job j JOIN code_system s ON s.id = j.system"
        " WHERE j.id = %s AND j.state = 'done' AND s.ready AND s.replaced IS NULL",
        (id_,),
    )
    found = await cursor.fetchone()
    return Loaded(int(found[0]), int(found[1]), int(found[1])) if found else None


async def _run(
    conn: Conn, kind: str, source: str, id_: str, release: Release, progress: Progress | None
) -> Loaded:
    system, position = await _begun(conn, kind, source, id_, release.header)
    resumed = position
    stream = islice(release.records(), position, None)
    while step := _step(stream):
        async with conn.transaction():
            await conn.execute("SET LOCAL statement_timeout = 0")
            position = await load.copy(
                conn, system, release.header.cased, step, start=position, progress=progress
            )
            await conn.execute(
                "UPDATE load_job SET position = %s, rows = %s, updated = clock_timestamp() WHERE id = %s",
                (position, position, id_),
            )
    async with conn.transaction():
        await conn.execute("SET LOCAL statement_timeout = 0")
        await load.finish(conn, system)
        await load.publish(conn, system)
        await conn.execute(
            "UPDATE load_job SET state = 'done', stage = 'done', updated = clock_timestamp() WHERE id = %s",
            (id_,),
        )
    return Loaded(system, position, resumed)


def _step(stream: Iterator[ConceptRecord]) -> list[ConceptRecord]:
    return list(islice(stream, STEP))


async def _begun(conn: Conn, kind: str, source: str, id_: str, header: SystemHeader) -> tuple[int, int]:
    """Return number and position of an interrupted load, or of a new one in place of any other of this code system."""
    cursor = await conn.execute(
        "SELECT j.system, j.position FROM load_job j JOIN code_system s ON s.id = j.system"
        " WHERE j.id = %s AND j.state = 'running' AND NOT s.ready",
        (id_,),
    )
    found = await cursor.fetchone()
    if found is not None:
        return int(found[0]), int(found[1])
    async with conn.transaction():
        await conn.execute("SET LOCAL statement_timeout = 0")
        await _forget(conn, header.url, header.version, only_unready=True)
        system = await load.begin(conn, header, "loader")
        await conn.execute(
            "INSERT INTO load_job (id, kind, source, system, stage) VALUES (%s, %s, %s, %s, 'concepts')"
            " ON CONFLICT (id) DO UPDATE SET system = excluded.system, stage = 'concepts', position = 0, rows = 0,"
            " state = 'running', problem = NULL, started = clock_timestamp(), updated = clock_timestamp()",
            (id_, kind, source, system),
        )
    return system, 0


async def _forget(conn: Conn, url: str, version: str, *, only_unready: bool = False) -> list[int]:
    cursor = await conn.execute(
        "SELECT id FROM code_system WHERE origin = 'loader' AND url = %s AND (%s = '' OR version = %s)"
        + (" AND NOT ready" if only_unready else "")
        + " FOR UPDATE",
        (url, version, version),
    )
    gone = [int(id_) for (id_,) in await cursor.fetchall()]
    if gone:
        await conn.execute("DELETE FROM load_job WHERE system = ANY(%s)", (gone,))
        await load.remove(conn, gone)
    return gone


async def remove(conn: Conn, url: str, version: str = "") -> list[str]:
    """Return the versions of a loaded code system that were removed, all of them or one."""
    async with conn.transaction():
        await conn.execute("SET LOCAL statement_timeout = 0")
        cursor = await conn.execute(
            "SELECT version FROM code_system WHERE origin = 'loader' AND url = %s AND ready AND replaced IS NULL"
            " AND (%s = '' OR version = %s) ORDER BY version",
            (url, version, version),
        )
        found = [str(one) for (one,) in await cursor.fetchall()]
        await _forget(conn, url, version)
        await epochs.end(conn, {"terminology"}, ())
    return found


async def systems(conn: Conn) -> list[tuple[str, str, int, str, str]]:
    """Return (url, version, concepts, origin, problem) of each code system that counts."""
    cursor = await conn.execute(
        "SELECT url, version, concepts, origin, coalesce(problem, '') FROM code_system"
        " WHERE ready AND replaced IS NULL ORDER BY origin, url, version"
    )
    return [(str(a), str(b), int(c), str(d), str(e)) for a, b, c, d, e in await cursor.fetchall()]


async def jobs(conn: Conn) -> list[Job]:
    """Return all loads, the newest first."""
    cursor = await conn.execute(
        "SELECT j.kind, j.source, coalesce(s.url, ''), coalesce(s.version, ''), j.state, j.rows,"
        " to_char(j.started, 'YYYY-MM-DD HH24:MI:SS'), to_char(j.updated, 'YYYY-MM-DD HH24:MI:SS')"
        " FROM load_job j LEFT JOIN code_system s ON s.id = j.system ORDER BY j.started DESC"
    )
    return [Job(*row) for row in await cursor.fetchall()]
