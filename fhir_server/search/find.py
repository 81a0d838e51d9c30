"""Run a search: one statement for the page, one for its includes, one for a total that was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection, AsyncRawCursor

from fhir_server.exchange import Session
from fhir_server.metrics import search_stage
from fhir_server.search import include, plan, recheck
from fhir_server.search.cursor import Cursor, decode, search_text
from fhir_server.search.frequency import FREQUENCIES
from fhir_server.search.order import Key, Place, beyond, keys, order_by
from fhir_server.search.page import Page, links
from fhir_server.search.parse import CURSOR, parse
from fhir_server.search.query import Query
from fhir_server.search.sql import Sql, all_of
from fhir_server.storage.rows import MISSING_DATE, Row
from resources.outcome import FhirError

COLUMNS = "r.rid, r.type, r.id, r.version, r.updated, r.live, r.method, r.tail"
WIDTH = 8
EXACT_UP_TO = 10_000
"""`_total=estimate` counts this far; beyond it is the planner's guess."""


async def find(
    session: Session, type_name: str, pairs: Sequence[tuple[str, str]], *, base: str, strict: bool
) -> Page:
    """Return the page of a search of `type_name`.

    Shape:  `pairs` are decoded and in order; `base` is the absolute address that links start with
    Errors: 400 with every problem: not-supported, value, invalid, too-costly
    """
    with search_stage("parse"):
        query = parse(type_name, pairs, strict=strict)
    cursor = _cursor(query)
    async with session.connection() as conn:
        await FREQUENCIES.refresh(conn)
        if query.only_count or query.count == 0:
            with search_stage("total"):
                counted = await _total(conn, query)
            own = links(query, base, "", (), earlier=False, later=False)
            return Page([], total=counted, links=own, issues=query.issues)
        with search_stage("page"):
            order, found = await _rows(conn, query, cursor)
        page, more = found[: query.count], len(found) > query.count
        backward = cursor is not None and cursor.backward
        if backward:
            page.reverse()
        rows = recheck.true_matches(query.tests, [row for row, _ in page])
        with search_stage("include"):
            included = await include.fetch(conn, type_name, query.includes, rows, COLUMNS)
        alone = cursor is None and not more
        with search_stage("total"):
            total = len(rows) if alone else None if query.total == "none" else await _total(conn, query)
    earlier = more if backward else cursor is not None
    later = backward or more
    places = [place for _, place in page]
    return Page(
        rows, included, total, links(query, base, order, places, earlier=earlier, later=later), query.issues
    )


def _cursor(query: Query) -> Cursor | None:
    if not query.cursor:
        return None
    pairs = [
        (name, str(query.count) if name == "_count" else value)
        for name, value in query.pairs
        if name != CURSOR
    ]
    return decode(query.cursor, search_text(query.type, pairs))


async def _rows(
    conn: AsyncConnection[Any], query: Query, cursor: Cursor | None
) -> tuple[str, list[tuple[Row, Place]]]:
    """Return the order gone by and the next rows with their places, one more than the page holds."""
    sort = query.sort
    if len(sort) == 1 and sort[0].param.place == "main" and not sort[0].descending:
        return "sort", await _by_ascending_date(conn, query, cursor)
    sql = Sql()
    by_date = not sort or (len(sort) == 1 and sort[0].param.place == "main")
    dated = by_date and (cursor is None or cursor.order in ("sort", "d0"))
    rows = plan.source(sql, query.type, query.tests, dated=dated)
    order = cursor.order if cursor else "sort" if sort else rows.order
    wanted = _natural(rows, order) if order != "sort" else keys(sort, "r", rows.d0)
    place, backward = (cursor.place, cursor.backward) if cursor else (None, False)
    return order, await _fetch(conn, sql, query, rows, wanted, place, backward)


def _natural(rows: plan.Source, order: str) -> list[Key]:
    date = Key(rows.d0, False, "bigint", False)
    latest = Key(rows.d0, True, "bigint", False)
    patient = Key(rows.pid, False, "bigint", False)
    return {"pid": [patient, date], "d0": [date], "d0-": [latest]}.get(order, [])


async def _by_ascending_date(
    conn: AsyncConnection[Any], query: Query, cursor: Cursor | None
) -> list[tuple[Row, Place]]:
    """Return the next rows by ascending main date; those without one, which the index has first, come last."""
    place, backward = (cursor.place, cursor.backward) if cursor else (None, False)
    parts = [_undated, _dated] if backward else [_dated, _undated]
    if place is not None and (place.values == _NO_DATE) != (parts[0] is _undated):
        parts = parts[1:]
    found: list[tuple[Row, Place]] = []
    for part in parts:
        if len(found) <= query.count:
            found += await part(conn, query, place, backward)
        place = None  # the second part is read from its start
    return found


_NO_DATE = (None,)
"""The sort values of a row without the main date."""


async def _dated(
    conn: AsyncConnection[Any], query: Query, place: Place | None, backward: bool
) -> list[tuple[Row, Place]]:
    sql, rows = _by_main_date(query, ">")
    return await _fetch(conn, sql, query, rows, [Key(rows.d0, False, "bigint", False)], place, backward)


async def _undated(
    conn: AsyncConnection[Any], query: Query, place: Place | None, backward: bool
) -> list[tuple[Row, Place]]:
    sql, rows = _by_main_date(query, "=")
    after = Place((), place.rid) if place else None
    found = await _fetch(conn, sql, query, rows, [], after, backward)
    return [(row, Place(_NO_DATE, at.rid)) for row, at in found]


def _by_main_date(query: Query, sign: str) -> tuple[Sql, plan.Source]:
    """Return the rows whose main date compares by `sign` with what stands for a missing one, the least of all."""
    sql = Sql()
    rows = plan.source(sql, query.type, query.tests, dated=True)
    rows.conditions.append(f"{rows.d0} {sign} {MISSING_DATE}")
    return sql, rows


async def _fetch(
    conn: AsyncConnection[Any],
    sql: Sql,
    query: Query,
    rows: plan.Source,
    wanted: Sequence[Key],
    place: Place | None,
    backward: bool,
) -> list[tuple[Row, Place]]:
    """Return the next rows beyond `place` (from the start where None), one more than the page holds."""
    conditions = list(rows.conditions)
    if place is not None:
        if len(place.values) != len(wanted):
            raise FhirError(400, "invalid", "'_cursor' is of an older version of this server: start anew")
        conditions.append(beyond(sql, wanted, rows.rid, place, backward))
    if query.sort and query.sort[0].param.code == "_lastUpdated":
        conditions.append("r.version > 0")
    rid = rows.rid_order if not wanted else rows.rid
    values = "".join(f", ({key.expression})::text" for key in wanted)
    tail = f"ORDER BY {order_by(wanted, rid, backward)} LIMIT {query.count + 1}"
    tables, chosen = rows.tables, f" WHERE {all_of(conditions)}"
    if rows.keys:
        each = f"SELECT p.d0, p.rid FROM {tables}{chosen} {tail}"
        merged = f"SELECT DISTINCT p.d0, p.rid FROM k CROSS JOIN LATERAL ({each}) p {tail}"
        tables, chosen = f"({merged}) p JOIN resource r ON r.rid = p.rid", ""
    text = f"{rows.keys} SELECT {COLUMNS}{values} FROM {tables}{chosen} {tail}"
    return [
        (Row(*found[:WIDTH]), Place(tuple(found[WIDTH:]), found[0]))
        for found in await _run(conn, text, sql.args)
    ]


async def _run(conn: AsyncConnection[Any], text: str, args: Sequence[Any]) -> list[Any]:
    cursor = AsyncRawCursor(conn)
    await cursor.execute(text, args, binary=True)
    return await cursor.fetchall()


async def _total(conn: AsyncConnection[Any], query: Query) -> int:
    sql = Sql()
    estimate = query.total == "estimate"
    text = plan.count(sql, query.type, query.tests, EXACT_UP_TO + 1 if estimate else None)
    counted = int((await _run(conn, text, sql.args))[0][0])
    if estimate and counted > EXACT_UP_TO:
        return max(counted, await _guess(conn, query))
    return counted


async def _guess(conn: AsyncConnection[Any], query: Query) -> int:
    """Return how many rows the database expects, without reading them."""
    sql = Sql()
    text = f"EXPLAIN (FORMAT JSON) {plan.listing(sql, query.type, query.tests)}"
    cursor = AsyncRawCursor(conn)
    await cursor.execute(text, sql.args, prepare=False)
    ((plans,),) = await cursor.fetchall()
    return int(plans[0]["Plan"]["Plan Rows"])
