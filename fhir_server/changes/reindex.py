"""Reindexing: index rows of stored resources made anew in the background, batch by batch, in the way of nobody.

Whoever leads holds an advisory lock for one batch; when a process dies, the next one goes on from what is kept in the
job. A job begins once every transaction has ended that began before it, so that whatever is written meanwhile was
indexed by the same parameters: a resource that has another version by now is left alone. Rows that writers hold are
left out of a batch's statement and taken one by one, so that nobody waits for more than one of ours, nor deadlocks.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection

from fhir_server.changes.ids import new_id
from fhir_server.changes.prepare import Prepared, link
from fhir_server.exchange import Server, Session
from fhir_server.search import custom
from fhir_server.search.extract import index
from fhir_server.search.registry import Epoch
from fhir_server.storage import jobs, write
from fhir_server.storage.jobs import Current, Job
from fhir_server.storage.rows import GROUPS, type_number
from fhir_server.storage.write import Write
from resources.codec.json import parse_json
from resources.definitions import definitions

_log = logging.getLogger("fhir_server.reindex")

BATCH = 200
AT_ONCE = 10
"""Resources that are indexed before others have their turn in this process."""
IDLE_S = 0.5
WAIT_S = 0.05
REFRESH_S = 0.5


async def follow(server: Server) -> None:
    """Keep what this process knows of stored search parameters up to date, until cancelled."""
    trouble = ""
    while True:
        try:
            async with Session(server).connection() as conn:
                await custom.refresh(conn)
            trouble = ""
        except Exception as error:
            trouble = _told(trouble, "search parameters cannot be read", error)
        await asyncio.sleep(REFRESH_S)


def _told(before: str, text: str, error: Exception) -> str:
    """Return the kind of an error, logged where it is not the one from before: this repeats every moment."""
    kind = type(error).__name__
    if kind != before:
        _log.warning(text, extra={"error": kind})
    return kind


async def work(server: Server) -> None:
    """Work on reindex jobs, until cancelled; whatever goes wrong is tried again."""
    trouble = ""
    while True:
        pause = IDLE_S
        try:
            pause = await step(server)
            trouble = ""
        except Exception as error:
            trouble = _told(trouble, "reindexing is interrupted", error)
        await asyncio.sleep(pause)


async def step(server: Server) -> float:
    """Do one batch of the next job, and return for how many seconds there is nothing to do."""
    async with server.store.transaction() as conn:
        if not await jobs.lead(conn):
            return IDLE_S
        await custom.refresh(conn)
        await _queue_new(conn)
        job = await jobs.take(conn)
        if job is None:
            return IDLE_S
        if job.started is None:
            await jobs.begin(conn, job, Epoch.value)
            return 0
        if await jobs.others_since(conn, job.started):
            return WAIT_S
        if await _batch(Session(server), job):
            await jobs.finish(conn, job)
        else:
            await jobs.advance(conn, job)
    return 0


async def _queue_new(conn: AsyncConnection[Any]) -> None:
    """Queue a job for the stored parameters that nothing is indexed by yet."""
    if not custom.Stored.pending:
        return
    params = [(param.id, type_number(param.type), source) for source, param in custom.stored()]
    job = await jobs.introduce(conn, new_id(), Epoch.value, params)
    if job is not None:
        _log.info("reindexing for new search parameters", extra={"job": job.id})


async def _batch(session: Session, job: Job) -> bool:
    """Index the next resources of a job, whose position moves on; return whether there was none left."""
    types = job.types or range(len(definitions().resource_types))
    rows: list[Current] = []
    while job.place < len(types) and not rows:
        async with session.connection() as conn:
            rows = await jobs.following(conn, types[job.place], job.rid, job.last, BATCH)
        if not rows:
            job.place, job.rid = job.place + 1, 0
    if not rows:
        return True
    written = await _renew(session, job, rows)
    if written is not None:
        job.rid, job.done, job.written = rows[-1].rid, job.done + len(rows), job.written + written
    return False


async def _renew(session: Session, job: Job, rows: Sequence[Current]) -> int | None:
    """Return how many of `rows` got other index rows; None where their epoch ended, so that all is to be redone."""
    writes = await _writes(session, job, rows)
    async with session.store.transaction() as conn:
        free = await jobs.free(conn, [one.rid for one in writes]) if writes else set()
        together = [one for one in writes if one.rid in free]
        done = await write.reindex(conn, together) if together else set()
    if len(done) < len(together) and await _epoch_ended(session):
        return None
    count = len(done)
    for one in writes:
        if one.rid not in free:
            changed = await _alone(session, job, one.rid)
            if changed is None:
                return None
            count += changed
    return count


async def _alone(session: Session, job: Job, rid: int) -> int | None:
    """Renew one resource that a writer held, after it; return 1 where that changed something, None as `_renew`."""
    async with session.connection() as conn:
        row = await jobs.again(conn, rid)
    for one in await _writes(session, job, [row] if row else []):
        async with session.connection() as conn:
            if await write.reindex(conn, [one]):
                return 1
        if await _epoch_ended(session):
            return None
    return 0


async def _epoch_ended(session: Session) -> bool:
    async with session.connection() as conn:
        return await custom.refresh(conn)


async def _writes(session: Session, job: Job, rows: Sequence[Current]) -> list[Write]:
    """Return the writes of those of `rows` whose index rows are not what they should be."""
    pairs: list[tuple[Write, Prepared]] = []
    for number, row in enumerate(rows):
        if number % AT_ONCE == AT_ONCE - 1:
            await asyncio.sleep(0)
        prepared = _prepared(job, row)
        if prepared is not None:
            if job.rewrite:
                row.digests = [1] * len(GROUPS)  # no digest of anything: every group is removed and added
            pairs.append((write.reindexed(row, prepared.rows), prepared))
    if not pairs:
        return []
    own = {(one.type, one.id): one.rid for one, _ in pairs}
    await link(session.store, pairs, own)
    return [one for one, _ in pairs if not _stands(one)]


def _prepared(job: Job, row: Current) -> Prepared | None:
    try:
        return Prepared(row.type, row.id, b"", index(parse_json(row.json())))
    except Exception as error:
        # stored by an older version that checked less: left as it is, told in the log and in the job
        _log.warning(
            "a resource cannot be indexed",
            extra={"resource": f"{row.type_name}/{row.id}", "error": type(error).__name__},
        )
        job.problem = f"{row.type_name}/{row.id} cannot be indexed; the log lists all such resources"
        return None


def _stands(one: Write) -> bool:
    """Whether the stored rows are what they should be."""
    old, rows = one.old, one.rows
    assert isinstance(old, Current)
    found = (one.pid, one.owners, one.labels, rows.d0, rows.d1, rows.tokens, rows.posts, rows.present)
    stored = (old.pid, old.owners, old.labels, old.d0, old.d1, old.tokens, old.posts, old.present)
    return (*found, one.digests) == (*stored, old.digests)
