"""The rows of a page: the next ones beyond a place, in the order asked for or in the one that costs nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection

from fhir_server.search import plan
from fhir_server.search.cursor import Cursor
from fhir_server.search.frequency import FREQUENCIES
from fhir_server.search.led import led
from fhir_server.search.order import Key, Place, beyond, keys, order_by
from fhir_server.search.params import text
from fhir_server.search.query import Query
from fhir_server.search.run import COLUMNS, WIDTH, run
from fhir_server.search.sql import Sql, Test, all_of
from fhir_server.search.weigh import BY_DATE, BY_UPDATE, weighed
from fhir_server.storage.rows import MISSING_DATE, Row
from resources.outcome import FhirError


async def rows(
    conn: AsyncConnection[Any], query: Query, cursor: Cursor | None
) -> tuple[str, list[tuple[Row, Place]]]:
    """Return the order gone by and the next rows with their places, one more than the page holds."""
    sort = query.sort
    by_main = len(sort) == 1 and sort[0].param.place == "main" and len(query.types) == 1
    if by_main and not sort[0].descending:
        return "sort", await _by_ascending_date(conn, query, cursor)
    sql = Sql()
    dated = (not sort or by_main) and (cursor is None or cursor.order in ("sort", "d0"))
    main = BY_DATE if not sort or by_main else BY_UPDATE if _by_update(query) else ""
    own = await led(conn, query.types, query.tests)
    tests = await weighed(conn, own, query.count + 1, main, natural=not sort)
    if _by_update(query) and len(sort) == 1:
        found = await _latest(conn, query, tests, cursor)
        if len(found) > query.count:
            return "sort", found
    free = not sort or (cursor is not None and cursor.order != "sort")
    asked: plan.Order = "free" if free else "type" if _by_update(query) else ""
    rows = plan.source(sql, query.types, tests, dated=dated, order=asked)
    order = cursor.order if cursor else "sort" if sort else rows.order
    ranked = _score(sql, query) if any(key.param.place == "score" for key in sort) else ""
    wanted = _natural(query, rows, order) if order != "sort" else _sorted(query, rows, ranked)
    place, backward = (cursor.place, cursor.backward) if cursor else (None, False)
    return order, await _fetch(conn, sql, query, rows, wanted, place, backward)


async def _latest(
    conn: AsyncConnection[Any], query: Query, tests: Sequence[Test], cursor: Cursor | None
) -> list[tuple[Row, Place]]:
    """Return the next rows by last update, as many as a short walk in this order finds.

    A code in a fifth of all rows fills a page soon; one that nobody uses any more does not, and is looked up instead.
    """
    shares = [FREQUENCIES.filed(test.postings) for test in tests if test.postings]
    most = FREQUENCIES.worth(query.count + 1)
    settled = any(test.patients or test.rank <= plan.FEW for test in tests)
    if settled or not shares or min(shares) * most < query.count + 1:
        return []
    sql = Sql()
    place, backward = (cursor.place, cursor.backward) if cursor else (None, False)
    walk = plan.source(sql, query.types, (), order="type")
    wanted = _sorted(query, walk)
    walk.conditions.append("r.version > 0")
    if place is not None:
        walk.conditions.append(beyond(sql, wanted, "r.rid", place, backward))
    order = order_by(wanted, "r.rid", backward)
    near = f"SELECT r.* FROM {walk.tables} WHERE {all_of(walk.conditions)} ORDER BY {order} LIMIT {most}"
    rows = plan.Source(f"({near}) r", [test.where(sql, "r") for test in tests], walked=True)
    return await _fetch(conn, sql, query, rows, wanted, place, backward)


def _by_update(query: Query) -> bool:
    return bool(query.sort) and query.sort[0].param.code == "_lastUpdated"


def _score(sql: Sql, query: Query) -> str:
    return text.score(sql, query.words, "r") if query.words else ""


def _sorted(query: Query, rows: plan.Source, ranked: str = "") -> list[Key]:
    found = keys(query.sort, "r", rows.d0, ranked, walked=rows.walked)
    return [*_type_first(query, found[0].descending), *found] if _by_update(query) else found


def _type_first(query: Query, descending: bool) -> list[Key]:
    """Return the type as the first key of an order by last update, which there is an index for, too, of all types."""
    return [Key("r.type", descending, "smallint", False, True)] if len(query.types) == 1 else []


def _natural(query: Query, rows: plan.Source, order: str) -> list[Key]:
    date = Key(rows.d0, False, "bigint", False)
    latest = Key(rows.d0, True, "bigint", False)
    patient = Key(rows.pid, False, "bigint", False)
    kind = Key("r.type", False, "smallint", False, len(query.types) == 1)
    return {
        "u": [*_type_first(query, False), Key("r.updated", False, "timestamptz", False)],
        "u-": [*_type_first(query, True), Key("r.updated", True, "timestamptz", False)],
        "pid": [patient, date],
        "d0": [date],
        "d0-": [latest],
        "type": [kind],
        "patient": [patient, kind, date],
    }.get(order, [])


async def _by_ascending_date(
    conn: AsyncConnection[Any], query: Query, cursor: Cursor | None
) -> list[tuple[Row, Place]]:
    """Return the next rows by ascending main date; those without one, which the index has first, come last."""
    place, backward = (cursor.place, cursor.backward) if cursor else (None, False)
    own = await led(conn, query.types, query.tests)
    tests = await weighed(conn, own, query.count + 1, BY_DATE)
    parts = [_undated, _dated] if backward else [_dated, _undated]
    if place is not None and (place.values == _NO_DATE) != (parts[0] is _undated):
        parts = parts[1:]
    found: list[tuple[Row, Place]] = []
    for part in parts:
        if len(found) <= query.count:
            found += await part(conn, query, tests, place, backward)
        place = None  # the second part is read from its start
    return found


_NO_DATE = (None,)
"""The sort values of a row without the main date."""


async def _dated(
    conn: AsyncConnection[Any], query: Query, tests: Sequence[Test], place: Place | None, backward: bool
) -> list[tuple[Row, Place]]:
    sql, rows = _by_main_date(query, tests, ">")
    return await _fetch(conn, sql, query, rows, [Key(rows.d0, False, "bigint", False)], place, backward)


async def _undated(
    conn: AsyncConnection[Any], query: Query, tests: Sequence[Test], place: Place | None, backward: bool
) -> list[tuple[Row, Place]]:
    sql, rows = _by_main_date(query, tests, "=")
    after = Place((), place.rid) if place else None
    found = await _fetch(conn, sql, query, rows, [], after, backward)
    return [(row, Place(_NO_DATE, at.rid)) for row, at in found]


def _by_main_date(query: Query, tests: Sequence[Test], sign: str) -> tuple[Sql, plan.Source]:
    """Return the rows whose main date compares by `sign` with what stands for a missing one, the least of all."""
    sql = Sql()
    rows = plan.source(sql, query.types, tests, dated=True)
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
    if _by_update(query):
        conditions.append("r.version > 0")
    rid = rows.rid_order if not wanted else rows.rid
    values = "".join(f", ({key.expression})::text" for key in wanted)
    values += f", ({_score(sql, query)})::text" if query.words else ""
    tail = f"ORDER BY {order_by(wanted, rid, backward)} LIMIT {query.count + 1}"
    tables, chosen = rows.tables, f" WHERE {all_of(conditions)}"
    if rows.keys:
        each = f"SELECT p.d0, p.rid FROM {tables}{chosen} {tail}"
        merged = f"SELECT DISTINCT p.d0, p.rid FROM k CROSS JOIN LATERAL ({each}) p {tail}"
        tables, chosen = f"({merged}) p JOIN resource r ON r.rid = p.rid", ""
    statement = f"{rows.keys} SELECT {COLUMNS}{values} FROM {tables}{chosen} {tail}"
    end = WIDTH + len(wanted)
    return [
        (Row(*found[:WIDTH]), Place(found[WIDTH:end], found[0], *found[end:]))
        for found in await run(conn, statement, sql.args)
    ]
