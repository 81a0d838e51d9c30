"""Write one resource: each attempt is one look and one guarded statement, and a lost race is run again."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from typing import Any

from fhir_server.access import current, seen
from fhir_server.changes import guard
from fhir_server.changes.conditions import ANY_VERSION, Criteria, Precondition, expect
from fhir_server.changes.ids import new_id
from fhir_server.changes.prepare import Prepared, link, prepare, renewed
from fhir_server.exchange import Session
from fhir_server.search import custom
from fhir_server.storage import read, write
from fhir_server.storage.locks import hold
from fhir_server.storage.read import Old
from fhir_server.storage.rows import POST, PUT, Row, type_name
from fhir_server.storage.write import Write
from resources.outcome import FhirError

ATTEMPTS = 8
_FIRST_PAUSE_S = 0.005
_jitter = random.SystemRandom()


async def attempts() -> AsyncIterator[int]:
    """Yield attempt numbers, pausing a random, growing while between them.

    Errors: FhirError 409 after the last one
    """
    for attempt in range(ATTEMPTS):
        if attempt:
            await asyncio.sleep(_jitter.uniform(0, _FIRST_PAUSE_S * 2**attempt))
        yield attempt
    raise FhirError(409, "conflict", "Others keep writing the same resource; please try again")


async def draft(session: Session, prepared: Prepared, method: int, old: Old | None = None) -> Write:
    """Return the write of a new resource, or of the version after `old`, ready to be applied."""
    prepared = renewed(prepared)
    identities = session.store.identities
    if old is None:
        (rid,) = await identities.allocate(1)
        one = write.created(rid, prepared.type, prepared.id, prepared.tail, prepared.rows, method)
    else:
        one = write.replaced(old, prepared.tail, prepared.rows, method)
    await link(session.store, [(one, prepared)], {(one.type, one.id): one.rid})
    return one


async def create(session: Session, resource: dict[str, Any]) -> Row:
    """Return the row of a new resource under an id of ours."""
    prepared = prepare(resource, new_id())
    async for (
        _
    ) in attempts():  # a fresh UUID is nobody else's, but search parameters may have changed meanwhile
        row = await apply(session, await draft(session, prepared, POST))
        if row is not None:
            return row
    raise AssertionError("attempts() ends by raising")


async def apply_unless(session: Session, criteria: Criteria, one: Write) -> Row | None:
    """Return the row as written, None where something matches `criteria` by now or somebody else was faster.

    Whoever writes under the same criteria waits, so that only one of them creates.
    """
    async with session.store.transaction() as conn:
        inside = Session(session.server, conn)
        await hold(conn, [str(criteria)])
        return None if await criteria.match(inside) else await apply(inside, one)


async def put(session: Session, prepared: Prepared, wanted: Precondition = ANY_VERSION) -> tuple[Row, bool]:
    """Return the row after an update or update-as-create, and whether the resource was there before.

    Errors: 412 where `wanted` (If-Match, If-None-Match) rules out the current version; 409 where others are faster
    """
    kind = type_name(prepared.type)
    async for _ in attempts():
        old = await look(session, kind, prepared.id)
        there = old is not None and old.live
        expect(wanted, old.version if old is not None and there else None, f"{kind}/{prepared.id}")
        row = await apply(session, await draft(session, prepared, PUT, old))
        if row is not None:
            return row, there
    raise AssertionError("attempts() ends by raising")


async def look(session: Session, kind: str, id_: str) -> Old | None:
    """Return the current row of a resource, ready to be replaced.

    Errors: 404 not-found where a grant that does not see all of a type does not see it, whether it is there or not
    """
    async with session.connection() as conn:
        old = await read.old(conn, kind, id_)
        await seen.replaceable(conn, kind, old, id_)
    return old


async def remove(session: Session, kind: str, id_: str, wanted: Precondition = ANY_VERSION) -> Row | None:
    """Return the row of the deletion, None where there was nothing to delete.

    Errors: 412 where `wanted` (If-Match, If-None-Match) rules out the current version
    """
    async for _ in attempts():
        old = await look(session, kind, id_)
        there = old is not None and old.live
        expect(wanted, old.version if old is not None and there else None, f"{kind}/{id_}")
        if old is None or not there:
            return None
        row = await apply(session, write.deleted(old))
        if row is not None:
            return row
    raise AssertionError("attempts() ends by raising")


async def remove_all(session: Session, found: Sequence[Old]) -> bool:
    """Delete all of `found` or, where one of them has changed meanwhile, none; return whether it was done."""
    if len(found) < 2:
        return all([await apply(session, write.deleted(old)) for old in found])
    async with session.store.transaction() as conn:
        locked = await read.lock(conn, [(old.type, old.id) for old in found])
        if any(locked[old.type, old.id].version != old.version for old in found):
            return False
        # the rows as they are now: reindexing may have renewed some of the same version
        gone = [write.deleted(old) for old in locked.values()]
        await guard.before(conn, gone)
        rows = await write.apply(conn, gone)
        current.note(rows or ())
        return rows is not None


async def apply(session: Session, one: Write) -> Row | None:
    """Return the row as written, None where somebody was faster: another writer, or a change of search parameters."""
    free = guard.nothing_to_ask(one)
    if free or session.conn is not None:
        row = await _written(session, one, guarded=not free)
    else:
        async with session.store.transaction() as conn:
            row = await _written(Session(session.server, conn), one)
    if row is None or (session.conn is None and "search" in one.epochs):
        async with session.connection() as conn:
            await custom.refresh(conn)
    if row is not None and session.conn is None:
        session.store.identities.remember({(one.type, one.id): one.rid})
    return row


async def _written(session: Session, one: Write, *, guarded: bool = True) -> Row | None:
    async with session.connection() as conn:
        if guarded:
            await guard.before(conn, [one])
        rows = await write.apply(conn, [one])
        if rows is None:
            return None
        if guarded:
            await guard.after(conn, [one], rows)
    current.note(rows)
    return rows[0]
