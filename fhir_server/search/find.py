"""Run a search: one statement for the page, one for its includes, one for a total that was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection

from fhir_server.access import current
from fhir_server.exchange import Session
from fhir_server.metrics import STAGES, search_stage
from fhir_server.search import contained, explain, include, keyset, named, recheck, relevance
from fhir_server.search.cursor import Cursor, decode, search_text
from fhir_server.search.frequency import FREQUENCIES
from fhir_server.search.page import Page, links
from fhir_server.search.parse import CURSOR
from fhir_server.search.query import Query
from fhir_server.search.run import STATEMENTS, Statement
from fhir_server.search.totals import total
from fhir_server.search.understand import understand
from fhir_server.storage.rows import Row


async def find(
    session: Session, path: str, pairs: Sequence[tuple[str, str]], *, base: str, strict: bool
) -> Page:
    """Return the page of a search below `path`: a resource type, or what else `scope_of` understands.

    Shape:  `pairs` are decoded and in order; `base` is the absolute address that links start with
    Errors: 400 with every problem: not-supported, value, invalid, too-costly; 404
    """
    if not explain.wanted(pairs):
        return await _page(session, path, explain.without(pairs), base, strict)
    statements: list[Statement] = []
    marks = STATEMENTS.set(statements), STAGES.set([])
    try:
        page = await _page(session, path, explain.without(pairs), base, strict)
        STATEMENTS.set(None)
        page.issues = [*page.issues, *await explain.issues(session, statements)]
        return page
    finally:
        STATEMENTS.reset(marks[0])
        STAGES.reset(marks[1])


async def _query(session: Session, path: str, pairs: Sequence[tuple[str, str]], strict: bool) -> Query:
    """Return the search that `pairs` ask for, a named query in it spelled out."""
    query_named = await named.expand(session, path, pairs)
    asked = query_named.pairs if query_named else pairs
    query = await understand(session, path, asked, strict=strict)
    if query_named:
        query.pairs = query_named.shown(query.pairs)
    return query


async def _page(
    session: Session, path: str, pairs: Sequence[tuple[str, str]], base: str, strict: bool
) -> Page:
    with search_stage("parse"):
        query = await _query(session, path, pairs, strict)
    cursor = _cursor(query)
    async with session.connection() as conn:
        await FREQUENCIES.refresh(conn)
        if query.only_count or query.count == 0:
            return await _count(conn, query, base)
        return await _matches(conn, query, cursor, base)


async def _count(conn: AsyncConnection[Any], query: Query, base: str) -> Page:
    """Return the page without entries, which says how many match."""
    with search_stage("total"):
        counted = await total(conn, query)
    own = links(query, base, "", (), earlier=False, later=False)
    return Page([], total=counted, links=own, issues=query.issues)


async def _matches(conn: AsyncConnection[Any], query: Query, cursor: Cursor | None, base: str) -> Page:
    """Return the page of matches that `cursor` leads to, the first one without a cursor."""
    backward = cursor is not None and cursor.backward
    inside = query.contained != "false"
    with search_stage("page"):
        order, found = await (contained if inside else keyset).rows(conn, query, cursor)
    page, more = found[: query.count], len(found) > query.count
    if backward:
        page.reverse()
    sees = current.policy().sees
    rows = [row for row in recheck.true_matches(query.tests, [row for row, _ in page]) if sees(row)]
    included = await _included(conn, query, rows) if query.includes else []
    included = [row for row in included if sees(row)]
    query.issues += await relevance.warnings(conn, query) if cursor is None else []
    alone = cursor is None and not more
    counted = len(rows) if alone else await _counted(conn, query)
    earlier, later = (more if backward else cursor is not None), backward or more
    places = [place for _, place in page]
    shown = links(query, base, order, places, earlier=earlier, later=later)
    scores = {place.rid: place.score for place in places if place.score}
    return Page(rows, included, counted, shown, query.issues, scores)


async def _included(conn: AsyncConnection[Any], query: Query, rows: Sequence[Row]) -> list[Row]:
    """Return what the includes of a search bring along with a page."""
    with search_stage("include"):
        if query.contained == "false":
            return await include.fetch(conn, query.includes, rows)
        found = await include.fetch(conn, query.includes, contained.starts(rows))
        return [*found, *await contained.neighbours(conn, query, rows)]


async def _counted(conn: AsyncConnection[Any], query: Query) -> int | None:
    """Return the number of matches where it was asked for."""
    if query.total == "none":
        return None
    with search_stage("total"):
        return await total(conn, query)


def _cursor(query: Query) -> Cursor | None:
    if not query.cursor:
        return None
    pairs = [
        (name, str(query.count) if name == "_count" else value)
        for name, value in query.pairs
        if name != CURSOR
    ]
    return decode(query.cursor, search_text(query.scope.path, pairs))
