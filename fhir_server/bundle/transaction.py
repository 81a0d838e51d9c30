"""Transaction: all entries or none, whatever their order, inside one database transaction.

The plan is made outside of it (searching, checking and indexing take their time); inside, locks are taken in one
order, everything the plan relied on is looked at again, and only then is written. What has changed meanwhile sends us
back to planning, a bounded number of times.

Source: http://hl7.org/fhir/R4/http.html#transaction
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection, errors

from fhir_server.access import current, seen
from fhir_server.bundle.answer import response_bundle
from fhir_server.bundle.entries import Entry, located, parse_transaction
from fhir_server.bundle.plan import (
    Found,
    Plan,
    Target,
    judge,
    make_plan,
    match,
    match_reference,
    prepare_target,
)
from fhir_server.bundle.reads import carried_out
from fhir_server.changes import guard
from fhir_server.changes.conditions import Criteria
from fhir_server.changes.prepare import link
from fhir_server.changes.single import attempts
from fhir_server.exchange import Handler, Request, Result, Session
from fhir_server.search import custom
from fhir_server.search.match import match_ids
from fhir_server.storage import epochs, locks, read, write
from fhir_server.storage.rows import Row, type_number
from fhir_server.storage.write import Write
from resources.codec.json import parse_json
from resources.outcome import FhirError

WRITTEN_AT_ONCE = 2000
"""Rows in one statement: enough to spread its cost, few enough to stay far below the statement timeout."""


class _MovedError(Exception):
    """What the plan relied on no longer holds."""


_RETRIED = (_MovedError, errors.SerializationFailure, errors.DeadlockDetected, errors.UniqueViolation)


async def transaction(
    session: Session, request: Request, bundle: dict[str, Any], dispatch: Handler
) -> Result:
    """Return the transaction-response, committed; raises FhirError with nothing done.

    Errors: as planning and the entries' own reads; 409 where others keep interfering
    """
    fresh: dict[str, Any] | None = bundle
    async for _ in attempts():
        # planning rewrites links in place, so that a second attempt starts from the text again
        entries = parse_transaction(fresh or parse_json(request.body), request.base)
        fresh = None
        plan = await make_plan(session, request, entries)
        try:
            results = await _execute(session, request, plan, dispatch)
        except _RETRIED:
            await _refresh(session)
            continue
        return response_bundle("transaction-response", results, request.base, request.wants_bodies)
    raise AssertionError("attempts() ends by raising")


async def _refresh(session: Session) -> None:
    """Read anew what rows are indexed by, since its change may be what the transaction ran into."""
    async with session.connection() as conn:
        await custom.refresh(conn)


async def _execute(
    session: Session, request: Request, plan: Plan, dispatch: Handler
) -> list[Result | FhirError]:
    """Do what the plan says and return one result an entry, in the request's order."""
    async with session.store.transaction() as conn:
        inside = Session(session.server, conn)
        await locks.hold(conn, map(str, plan.matches))
        await _lock_rows(inside, plan)
        await guard.before(conn, [t.write for t in plan.targets if t.write is not None])
        now = await read.clock(conn)
        rows = await _write(inside, plan.removed, now)
        await _prove(inside, plan)
        rows |= await _write(inside, plan.written, now)
        rows |= await _resolve_deferred(inside, request, plan, rows)
        await guard.after(conn, [t.write for t in plan.written if t.write is not None], rows.values())
        await _prove_unique(inside, plan)
        results = await _answer(inside, request, plan, rows, dispatch)
        await _end_epochs(conn, plan)
    session.store.identities.remember({(row.type, row.id): row.rid for row in rows.values()})
    return results


async def _end_epochs(conn: AsyncConnection[Any], plan: Plan) -> None:
    """End the epochs that the writes end, last of all: whoever else ends one waits until this is committed."""
    ending = [t.write for t in (*plan.removed, *plan.written) if t.write is not None and t.write.epochs]
    await epochs.end(conn, {name for one in ending for name in one.epochs}, [one.rid for one in ending])


async def _lock_rows(session: Session, plan: Plan) -> None:
    """Lock what is replaced; several rows are always locked in the same order, so that nobody deadlocks."""
    replaced = {t.key: t.write.old for t in plan.targets if t.write is not None and t.write.old is not None}
    if len(replaced) < 2:
        return  # one row is guarded by its version alone
    async with session.connection() as conn:
        locked = await read.lock(conn, replaced)
    for key, old in replaced.items():
        if key not in locked or locked[key].version != old.version:
            raise _MovedError


async def _write(session: Session, targets: Sequence[Target], now: datetime) -> dict[str, Row]:
    """Write `targets` and return their rows by reference; in one order, so that new ids do not deadlock either."""
    writes = sorted((t.write for t in targets if t.write is not None), key=lambda one: (one.type, one.id))
    return await _apply(session, writes, now)


async def _apply(session: Session, writes: Sequence[Write], now: datetime) -> dict[str, Row]:
    rows: dict[str, Row] = {}
    async with session.connection() as conn:
        for start in range(0, len(writes), WRITTEN_AT_ONCE):
            written = await write.apply(conn, writes[start : start + WRITTEN_AT_ONCE], now, ends=False)
            if written is None:
                raise _MovedError
            current.note(written)
            rows.update((f"{row.type_name}/{row.id}", row) for row in written)
    return rows


async def _prove(session: Session, plan: Plan) -> None:
    """Search again, now that nobody else can create under the same conditions."""
    by_condition = {t.condition: t.entry for t in plan.targets if t.condition is not None}
    for condition, found in plan.matches.items():
        entry = by_condition.get(condition) or _idle_delete(plan)
        expected = () if entry.method == "DELETE" else found
        if await match(session, condition, entry) != expected:
            raise _MovedError
    for condition, found in plan.references.items():
        if tuple(await match_ids(session, condition.type, list(condition.pairs))) != found:
            raise _MovedError


def _idle_delete(plan: Plan) -> Entry:
    """Return a conditional delete that found nothing: it alone has a condition but no target."""
    return next(e for e in plan.entries if e.method == "DELETE" and not e.route.id)


async def _resolve_deferred(
    session: Session, request: Request, plan: Plan, rows: dict[str, Row]
) -> dict[str, Row]:
    """Resolve the conditional references that see what this bundle wrote, and amend their holders."""
    holders = [t for t in plan.written if t.deferred]
    found: dict[Criteria, Found] = {}
    for target in holders:
        for holder, condition in target.deferred:
            if condition not in found:
                found[condition] = await match_reference(session, condition, target.entry)
            ((rid, id_),) = found[condition]
            holder["reference"] = f"{condition.type}/{id_}"
            plan.known[type_number(condition.type), id_] = rid
    await judge(session, request, holders)
    amended = []
    for target in holders:
        assert target.write is not None
        prepared = prepare_target(target)
        one = write.amended(target.write, rows[target.reference], prepared.tail, prepared.rows)
        amended.append((one, prepared))
    if not amended:
        return {}
    await link(session.store, amended, plan.known, session.conn)
    return await _apply(session, [one for one, _ in amended], rows[holders[0].reference].updated)


async def _prove_unique(session: Session, plan: Plan) -> None:
    """Refuse a bundle that itself made several resources match one of its conditions."""
    touched = {t.type for t in plan.written}
    for target in plan.targets:
        condition = target.condition
        if condition is None or target.entry.method == "DELETE" or condition.type not in touched:
            continue
        found = await match_ids(session, condition.type, list(condition.pairs), limit=2)
        if len(found) > 1:
            text = f"With this bundle several resources match '{condition}'"
            raise FhirError(412, "multiple-matches", text, f"{target.entry.where}.request")


async def _answer(
    session: Session, request: Request, plan: Plan, rows: dict[str, Row], dispatch: Handler
) -> list[Result | FhirError]:
    """Return one result an entry; reads run now and see everything written."""
    by_entry = {target.entry.index: target for target in plan.targets}
    existing = await _existing(session, plan)
    results: list[Result | FhirError] = []
    for entry in plan.entries:
        target = by_entry.get(entry.index)
        if not entry.writes:
            with located(f"{entry.where}.request"):
                results.append(await carried_out(session, entry, request, dispatch))
        elif target is None or entry.method == "DELETE":
            row = rows.get(target.reference) if target else None
            results.append(Result(204, None, row.version if row else None, row.updated if row else None))
        else:
            row = rows.get(target.reference) or existing[target.reference]
            results.append(_written(target, row))
    return results


async def _existing(session: Session, plan: Plan) -> dict[str, Row]:
    wanted = [(t.type, t.id) for t in plan.targets if t.matched]
    if not wanted:
        return {}
    async with session.connection() as conn:
        found = await read.several(conn, wanted)
    return {f"{type_}/{id_}": row for (type_, id_), row in found.items()}


def _written(target: Target, row: Row) -> Result:
    created = not target.matched and (target.old is None or not target.old.live)
    location = f"{target.reference}/_history/{row.version}"
    return Result(201 if created else 200, seen.shown(row), row.version, row.updated, location, target.issues)
