"""Reindex jobs: what is to be indexed anew, how far that is, and the resources that come next."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from psycopg import AsyncConnection

from fhir_server.storage.binary import Int2s, Int4s, Int8s
from fhir_server.storage.locks import SPACE
from fhir_server.storage.read import FOR_WRITE, Old

KEPT = "90 days"
"""How long a job that has ended is remembered."""

_LEADER = -1
"""The second key of the advisory lock of whoever works on jobs: no stripe of a condition."""


class Job(msgspec.Struct):
    """One reindex job.

    Shape:  `why`: requested | parameters | upgrade; `types` are the numbers of resource types, none: all;
            `params` are the parameters that it makes ready, with the `epoch` under which it began; `rewrite` also
            writes rows that look right; `state`: queued | running | done | cancelled; `last` is the greatest row
            number to look at, `place` the position of the current type among the types, `rid` the last row that was
            looked at; `done` of `total` resources were, `written` of them had other rows before
    """

    id: str
    why: str
    types: list[int]
    params: list[int]
    rewrite: bool
    state: str
    epoch: int
    created: datetime
    started: datetime | None
    finished: datetime | None
    updated: datetime
    last: int
    place: int
    rid: int
    total: int
    done: int
    written: int
    problem: str | None

    @property
    def percent(self) -> int:
        """How much is done; 100 only at the end."""
        if self.state == "done":
            return 100
        return min(99, self.done * 100 // self.total) if self.total else 0

    @property
    def rate(self) -> float:
        """Resources a second since the start."""
        if self.started is None:
            return 0.0
        elapsed = ((self.finished or self.updated) - self.started).total_seconds()
        return self.done / elapsed if elapsed > 0 else 0.0

    @property
    def eta(self) -> datetime | None:
        """When it will be done at the rate so far, None where that cannot be said."""
        if self.state != "running" or not self.rate:
            return None
        return datetime.now(UTC) + timedelta(seconds=max(0, self.total - self.done) / self.rate)


_COLUMNS = ", ".join(Job.__struct_fields__)


async def create(
    conn: AsyncConnection[Any],
    id_: str,
    why: str,
    types: Sequence[int],
    *,
    params: Sequence[int] = (),
    rewrite: bool = False,
) -> Job:
    """Return a new job, queued."""
    statement = (
        "INSERT INTO reindex_job (id, why, types, params, rewrite) VALUES (%s, %s, %s, %s, %s)"
        f" RETURNING {_COLUMNS}"
    )
    values = (id_, why, Int2s(types), Int4s(params), rewrite)
    row = await (await conn.execute(statement, values)).fetchone()
    assert row is not None
    return Job(*row)


_IN_ZONE = """
WITH kept AS (INSERT INTO epoch AS e (name, value) VALUES ('zone', %s)
    ON CONFLICT (name) DO UPDATE SET value = EXCLUDED.value WHERE e.value <> EXCLUDED.value
    RETURNING xmax <> 0 AS changed)
INSERT INTO reindex_job (id, why, types) SELECT %s, 'upgrade', '{}' FROM kept WHERE changed RETURNING id
"""


async def in_zone(conn: AsyncConnection[Any], id_: str, zone: str) -> bool:
    """Remember the time zone that dates are indexed in; return whether it was another, so that a job is queued."""
    values = (zlib.crc32(zone.encode()), id_)
    return await (await conn.execute(_IN_ZONE, values)).fetchone() is not None


async def get(conn: AsyncConnection[Any], id_: str) -> Job | None:
    """Return a job, None where there is none of that id."""
    cursor = await conn.execute(f"SELECT {_COLUMNS} FROM reindex_job WHERE id = %s", (id_,))
    row = await cursor.fetchone()
    return Job(*row) if row else None


async def unfinished(conn: AsyncConnection[Any]) -> list[Job]:
    """Return the jobs that wait or run, in order."""
    cursor = await conn.execute(
        f"SELECT {_COLUMNS} FROM reindex_job WHERE state IN ('queued', 'running') ORDER BY created, id"
    )
    return [Job(*row) for row in await cursor.fetchall()]


async def cancel(conn: AsyncConnection[Any], id_: str) -> Job | None:
    """Return the job as it is after it was cancelled, unchanged where it had ended; None where there is none."""
    await conn.execute(
        "UPDATE reindex_job SET state = 'cancelled', finished = clock_timestamp()"
        " WHERE id = %s AND state IN ('queued', 'running')",
        (id_,),
    )
    return await get(conn, id_)


async def lead(conn: AsyncConnection[Any]) -> bool:
    """Return whether the jobs are this transaction's alone to work on, until it ends."""
    row = await (await conn.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", (SPACE, _LEADER))).fetchone()
    return bool(row and row[0])


async def take(conn: AsyncConnection[Any]) -> Job | None:
    """Return the next job, locked until the transaction ends; None where there is none."""
    cursor = await conn.execute(
        f"SELECT {_COLUMNS} FROM reindex_job WHERE state IN ('queued', 'running')"
        " ORDER BY state DESC, created, id LIMIT 1 FOR UPDATE"
    )
    row = await cursor.fetchone()
    return Job(*row) if row else None


async def begin(conn: AsyncConnection[Any], job: Job, epoch: int) -> None:
    """Start a job under an epoch: count what there is to do."""
    types = "" if not job.types else " AND type = ANY(%s)"
    values = [Int2s(job.types)] if job.types else []
    await conn.execute("SET LOCAL statement_timeout = 0")
    cursor = await conn.execute(f"SELECT count(*) FROM resource WHERE live{types}", values)
    row = await cursor.fetchone()
    total = row[0] if row else 0
    await conn.execute(
        "UPDATE reindex_job SET state = 'running', epoch = %s, total = %s, started = clock_timestamp(),"
        " updated = clock_timestamp(), last = (SELECT last_value FROM rid_seq) WHERE id = %s",
        (epoch, total, job.id),
    )


_OTHERS = """
SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
AND application_name = current_setting('application_name') AND state <> 'idle' AND xact_start < %s)
"""


async def others_since(conn: AsyncConnection[Any], moment: datetime) -> bool:
    """Whether a transaction of ours is still open that began before `moment`."""
    row = await (await conn.execute(_OTHERS, (moment,))).fetchone()
    return bool(row and row[0])


class Current(Old):
    """A row with all that reindexing compares: what its index rows are now."""

    d1: int = 0
    tokens: list[int] = msgspec.field(default_factory=list)
    present: list[int] = msgspec.field(default_factory=list)


_ROW = f"SELECT {', '.join(FOR_WRITE)}, d1, tokens, present FROM resource"
_NEXT = f"""
{_ROW}
WHERE type = %s AND live AND rid > %s AND rid <= %s ORDER BY rid LIMIT %s
"""


async def following(
    conn: AsyncConnection[Any], type_: int, after: int, last: int, count: int
) -> list[Current]:
    """Return up to `count` live resources of a type, by row number."""
    cursor = await conn.execute(_NEXT, (type_, after, last, count), binary=True)
    return [Current(*row) for row in await cursor.fetchall()]


async def again(conn: AsyncConnection[Any], rid: int) -> Current | None:
    """Return one live resource as it is now."""
    cursor = await conn.execute(
        f"SELECT {', '.join(FOR_WRITE)}, d1, tokens, present FROM resource WHERE rid = %s AND live",
        (rid,),
        binary=True,
    )
    row = await cursor.fetchone()
    return Current(*row) if row else None


async def free(conn: AsyncConnection[Any], rids: Sequence[int]) -> set[int]:
    """Lock those of the resources that nobody else has locked, and return them."""
    cursor = await conn.execute(
        "SELECT rid FROM resource WHERE rid = ANY(%s) ORDER BY rid FOR NO KEY UPDATE SKIP LOCKED",
        (Int8s(rids),),
    )
    return {row[0] for row in await cursor.fetchall()}


async def advance(conn: AsyncConnection[Any], job: Job) -> None:
    """Keep how far a job is."""
    await conn.execute(
        "UPDATE reindex_job SET place = %s, rid = %s, done = %s, written = %s, problem = %s,"
        " updated = clock_timestamp() WHERE id = %s",
        (job.place, job.rid, job.done, job.written, job.problem, job.id),
    )


async def finish(conn: AsyncConnection[Any], job: Job) -> None:
    """End a job: its parameters are ready, unless they were gone meanwhile."""
    await conn.execute(
        "UPDATE custom_param SET ready = true WHERE param = ANY(%s) AND since <= %s",
        (Int4s(job.params), job.epoch),
    )
    await conn.execute(
        "UPDATE reindex_job SET state = 'done', finished = clock_timestamp(), updated = clock_timestamp()"
        " WHERE id = %s",
        (job.id,),
    )
    await conn.execute(
        "DELETE FROM reindex_job WHERE state NOT IN ('queued', 'running')"
        f" AND finished < clock_timestamp() - interval '{KEPT}'"
    )


async def introduce(
    conn: AsyncConnection[Any], id_: str, epoch: int, params: Sequence[tuple[int, int, int]]
) -> Job | None:
    """Queue a job for those of the parameters (number, type, source) that none is for; None where all are cared for.

    Shape:  `epoch` is the one that the parameters were read under: where it has ended nothing is done
    """
    arguments = Int4s([param for param, _, _ in params]), Int8s([source for _, _, source in params]), epoch
    cursor = await conn.execute(_MISSING, arguments)
    waiting = {row[0] for row in await cursor.fetchall()}
    cursor = await conn.execute(_LEFT, arguments[:1])
    waiting.update(row[0] for row in await cursor.fetchall())
    if not waiting:
        return None
    types = sorted({type_ for param, type_, _ in params if param in waiting})
    return await create(conn, id_, "parameters", types, params=sorted(waiting))


_MISSING = """
INSERT INTO custom_param (param, source, since, ready)
SELECT x.param, x.source, e.value, false FROM unnest(%s, %s) AS x(param, source), epoch e
WHERE e.name = 'search' AND e.value = %s ON CONFLICT (param) DO NOTHING RETURNING param
"""
_LEFT = """
SELECT c.param FROM custom_param c WHERE NOT c.ready AND c.param = ANY(%s) AND NOT EXISTS (
SELECT FROM reindex_job j WHERE c.param = ANY(j.params)
AND (j.state IN ('queued', 'cancelled') OR j.state = 'running' AND j.epoch >= c.since))
"""
