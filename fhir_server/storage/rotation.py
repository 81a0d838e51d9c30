"""New data keys: every version is sealed anew under the next generation of its owners' keys, while the server works.

The job keeps its place with every batch, so that a run which was interrupted goes on. It also seals what was written
before encryption was switched on. The older keys go at the end, once a whole pass has found nothing under them.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import Any, NamedTuple

import msgspec
from psycopg import AsyncConnection

from fhir_server.crypto import envelope
from fhir_server.crypto.classes import DataClass, class_of, rows
from fhir_server.crypto.envelope import KeyId
from fhir_server.crypto.ring import FRESH_S, subjects
from fhir_server.storage.binary import Byteas, Int4s, Int8s
from fhir_server.storage.rows import type_number
from fhir_server.storage.sealing import Sealer
from fhir_server.storage.store import Store

AT_ONCE = 200
STAGES = ("keys", "resource", "resource_version", "again", "done")

_FIELDS = "id, state, stage, rid, version, total, done, written, extract(epoch from started)::float8"
_ROWS = {
    "resource": """SELECT r.rid, r.type, r.id, r.version, r.tail, r.pid, r.owners FROM resource r
WHERE r.tail IS NOT NULL AND r.rid > %s AND r.type <> ALL(%s) ORDER BY r.rid LIMIT %s""",
    "resource_version": """SELECT v.rid, v.type, r.id, v.version, v.tail, v.pid, v.owners FROM resource_version v
JOIN resource r USING (rid) WHERE v.tail IS NOT NULL AND (v.rid, v.version) > (%s, %s) AND v.type <> ALL(%s)
ORDER BY v.rid, v.version LIMIT %s""",
}


class KeyJob(msgspec.Struct):
    """A rotation of data keys: `stage` of STAGES, the place within it, and how many versions are done."""

    id: int
    state: str
    stage: str
    rid: int
    version: int
    total: int
    done: int
    written: int
    started: float


class Version(NamedTuple):
    """A stored version as it lies in its table."""

    rid: int
    type: int
    id: str
    version: int
    tail: bytes
    pid: int | None
    owners: list[int] | None


async def job(conn: AsyncConnection[Any]) -> KeyJob | None:
    """Return the job that runs or was interrupted, None where there is none."""
    cursor = await conn.execute(f"SELECT {_FIELDS} FROM key_job WHERE state = 'running'")
    row = await cursor.fetchone()
    return KeyJob(*row) if row else None


async def last(conn: AsyncConnection[Any]) -> KeyJob | None:
    """Return the last job, whatever its state."""
    row = await (await conn.execute(f"SELECT {_FIELDS} FROM key_job ORDER BY id DESC LIMIT 1")).fetchone()
    return KeyJob(*row) if row else None


async def begin(conn: AsyncConnection[Any]) -> KeyJob:
    """Return the job that was interrupted, else a new one."""
    await conn.execute("SET statement_timeout = 0")
    found = await job(conn)
    if found is None:
        await conn.execute(
            "INSERT INTO key_job (total) SELECT (SELECT count(*) FROM resource WHERE tail IS NOT NULL AND type <>"
            " ALL(%s)) + (SELECT count(*) FROM resource_version WHERE tail IS NOT NULL AND type <> ALL(%s))",
            (_open(), _open()),
        )
        found = await job(conn)
    assert found is not None
    return found


async def run(store: Store) -> AsyncGenerator[KeyJob, None]:
    """Do the whole job from where it stands; yields it after every batch."""
    sealer = store.sealer
    assert sealer is not None
    async with store.pool.connection() as conn:
        one = await begin(conn)
        yield one
        if one.stage == "keys":
            await _new_keys(conn, sealer, one)
            await _at(conn, one, "resource")
        while one.stage != "done":
            async for _ in _pass(conn, sealer, one):
                yield one
            await _after(conn, one)
        await sealer.ring.store.drop_older()
        await sealer.ring.store.advance()
        await conn.execute(
            "UPDATE key_job SET state = 'done', finished = clock_timestamp() WHERE id = %s", (one.id,)
        )
        one.state = "done"
        yield one


async def _new_keys(conn: AsyncConnection[Any], sealer: Sealer, one: KeyJob) -> None:
    """Give every subject a next generation, which all processes seal with once this returns."""
    ring, keys = sealer.ring, sealer.ring.store
    row = await (await conn.execute("SELECT started FROM key_job WHERE id = %s", (one.id,))).fetchone()
    assert row is not None
    while older := await keys.made_before(row[0], AT_ONCE):
        await keys.keep(await ring.made(KeyId(k.kind, k.subject, k.generation + 1) for k in older))
    await keys.advance()
    ring.forget()
    await asyncio.sleep(2 * FRESH_S)


async def _pass(conn: AsyncConnection[Any], sealer: Sealer, one: KeyJob) -> AsyncIterator[None]:
    for table in ("resource", "resource_version"):
        if one.stage in ("resource", "resource_version") and one.stage != table:
            continue
        if one.stage == "again":
            one.rid = one.version = 0
        while found := await _next(conn, table, one):
            changed = await _sealed_anew(sealer, found)
            async with conn.transaction():
                one.written += await _replace(conn, table, changed)
                one.rid, one.version = found[-1].rid, found[-1].version
                one.done += len(found) if one.stage != "again" else 0
                await _keep(conn, one)
            yield


async def _after(conn: AsyncConnection[Any], one: KeyJob) -> None:
    """Go on to the next stage: a last pass is repeated until it changes nothing."""
    if one.stage == "again" and one.written:
        one.written = 0
        await _at(conn, one, "again")
        return
    following = STAGES[STAGES.index(one.stage) + 1]
    if following == "again":
        one.written = 0
    await _at(conn, one, following)


async def _at(conn: AsyncConnection[Any], one: KeyJob, stage: str) -> None:
    one.stage, one.rid, one.version = stage, 0, 0
    await _keep(conn, one)


async def _keep(conn: AsyncConnection[Any], one: KeyJob) -> None:
    await conn.execute(
        "UPDATE key_job SET stage = %s, rid = %s, version = %s, done = %s, written = %s,"
        " updated = clock_timestamp() WHERE id = %s",
        (one.stage, one.rid, one.version, one.done, one.written, one.id),
    )


def _open() -> list[int]:
    return [type_number(name) for row in rows() if row.number == DataClass.OPEN for name in row.types]


async def _next(conn: AsyncConnection[Any], table: str, one: KeyJob) -> list[Version]:
    place = (one.rid,) if table == "resource" else (one.rid, one.version)
    cursor = await conn.execute(_ROWS[table], (*place, _open(), AT_ONCE), binary=True)
    return [Version(*row) for row in await cursor.fetchall()]


async def _sealed_anew(sealer: Sealer, found: Sequence[Version]) -> list[tuple[Version, bytes]]:
    """Return those of the versions that are not sealed under their owners' last keys, with their new content."""
    ring = sealer.ring
    taken = [envelope.parts(v.tail) if envelope.is_sealed(v.tail) else None for v in found]
    await ring.fetch([parts for parts in taken if parts is not None])
    plain = [
        v.tail if parts is None else ring.opened(parts, envelope.bound(v.type, v.id, v.version))
        for v, parts in zip(found, taken, strict=True)
    ]
    owners = [
        subjects(class_of(v.type), v.owners or (v.pid,))
        if parts is None
        else tuple(envelope.owners_of(parts))
        for v, parts in zip(found, taken, strict=True)
    ]
    await ring.owners(
        {(class_of(v.type), one) for v, held in zip(found, owners, strict=True) for one in held}
    )
    fresh = []
    for version, parts, content, held in zip(found, taken, plain, owners, strict=True):
        kind = class_of(version.type)
        if parts is None or set(parts.keys) != set(ring.in_use(kind, held)):
            name = envelope.bound(version.type, version.id, version.version)
            clear = sealer.clear(version.type, content)
            fresh.append((version, ring.sealed(kind, held, content, name, clear)))
    return fresh


async def _replace(conn: AsyncConnection[Any], table: str, changed: Sequence[tuple[Version, bytes]]) -> int:
    """Replace contents that still are what was read; return how many were looked at."""
    if changed:
        await conn.execute(
            f"UPDATE {table} t SET tail = k.fresh FROM unnest(%s, %s, %s, %s) AS k(rid, version, old, fresh)"
            " WHERE t.rid = k.rid AND t.version = k.version AND t.tail = k.old",
            (
                Int8s([v.rid for v, _ in changed]),
                Int4s([v.version for v, _ in changed]),
                Byteas([v.tail for v, _ in changed]),
                Byteas([fresh for _, fresh in changed]),
            ),
        )
    return len(changed)
