"""Whether a criterion finds few rows: counted a little way before the statement is made, where nothing else tells.

A generic plan cannot know that `value-quantity=gt300` is an eighth of a type and `gt340` ten rows. So the rows that it
would be found by are counted up to a limit: what finds no more leads, what finds more filters rows that come in the
order of the page.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from psycopg import AsyncConnection

from fhir_server.search.frequency import FREQUENCIES
from fhir_server.search.plan import FEW
from fhir_server.search.run import run
from fhir_server.search.sql import Clause, Sql, Test, flat

BY_DATE, BY_UPDATE = "date", "update"
"""Orders of pages in which an index has the rows of a type."""

MOST_PATIENTS = 256
"""The rows of more patients than these are not collected to be sorted."""


async def weighed(
    conn: AsyncConnection[Any], tests: Sequence[Test], page: int, order: str, *, natural: bool = False
) -> list[Test]:
    """Return `tests` with what is known now: those that find few rows lead, those that find many only filter.

    Shape:  `order` is the one that rows are wanted in, empty for another one; `natural` says that any will do
    """
    parts = flat(tests)
    if any(_rare(test) for test in parts):
        return [_filter(test) if test.patients and not test.patients.one else test for test in parts]
    if any(_sure(test) for test in parts):
        return parts
    return [await _weighed(conn, test, page, order, natural) for test in parts]


def _sure(test: Test) -> bool:
    """Whether a test leads to few rows without being asked."""
    if test.patients is not None:
        return test.patients.one
    return test.rank <= FEW


def _rare(test: Test) -> bool:
    """Whether a test asks for one posting key that is known to be in few rows."""
    keys = test.postings
    one = len(keys) == 1 and keys[0][0] == keys[0][1]
    return one and bool(FREQUENCIES.posted) and keys[0][0] not in FREQUENCIES.posted


def _filter(test: Test) -> Test:
    """Return `test` as one that leads to no rows."""
    return replace(test, patients=None, rids=None, rank=_NEVER)


async def _weighed(conn: AsyncConnection[Any], test: Test, page: int, order: str, natural: bool) -> Test:
    if test.rids is None or test.tokens or test.postings:
        return test
    if test.patients is not None:
        patients = test.patients.clause
        few = natural or await _few(conn, patients, MOST_PATIENTS)
        return test if few else _filter(test)
    if (test.bounds and order == BY_DATE) or (test.recent is not None and (natural or order == BY_UPDATE)):
        return test
    few = await _few(conn, test.probe or test.rids, FREQUENCIES.worth(page))
    return replace(test, rank=FEW) if few else _filter(test)


_NEVER = 100


async def _few(conn: AsyncConnection[Any], listing: Clause, most: int) -> bool:
    """Whether `listing` lists no more than `most` row numbers."""
    sql = Sql()
    text = f"SELECT count(*) FROM ({listing(sql)} LIMIT {most + 1}) x"
    return int((await run(conn, text, sql.args))[0][0]) <= most
