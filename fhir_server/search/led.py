"""Searches of somebody who sees few patients start from these: no walk through everybody's rows that filters them out.

What may be seen is asked of each row nonetheless; this only says where rows come from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection

from fhir_server.access import current
from fhir_server.search.plan import FEW
from fhir_server.search.run import run
from fhir_server.search.sql import Patients, Sql, Test, flat, of_types

MOST = 50
"""The rows of more patients than these are not collected."""


async def led(conn: AsyncConnection[Any], types: Sequence[str], tests: Sequence[Test]) -> list[Test]:
    """Return `tests`, with one more by which rows come from the patients who alone may be seen, where that is so."""
    patients = current.policy().patients(types)
    if not patients or len(patients) > MOST:
        return list(tests)
    if any(test.patients is not None or test.rank <= FEW for test in flat(tests)):
        return list(tests)
    shared = await _shared(conn, types, patients)
    return [*tests, _by_number(types, patients) if shared or len(patients) > 1 else _of_one(patients[0])]


async def _shared(conn: AsyncConnection[Any], types: Sequence[str], patients: Sequence[int]) -> bool:
    """Whether there are rows of the patients that say so by `owners`, not by `pid`."""
    sql = Sql()
    there = f"o.owners && {sql.bigs(patients)} AND o.owners IS NOT NULL AND {of_types('o', types)}"
    text = f"SELECT EXISTS (SELECT FROM resource o WHERE {there})"
    return bool((await run(conn, text, sql.args))[0][0])


def _of_one(patient: int) -> Test:
    return Test(_each, patients=Patients(lambda sql: f"SELECT {sql.big(patient)}", True))


def _by_number(types: Sequence[str], patients: Sequence[int]) -> Test:
    def rids(sql: Sql) -> str:
        listed, alike = sql.bigs(patients), of_types("c", types)
        return (
            f"SELECT c.rid FROM resource c WHERE c.live AND c.pid = ANY({listed}) AND {alike}"
            f" UNION ALL SELECT c.rid FROM resource c"
            f" WHERE c.owners && {listed} AND c.owners IS NOT NULL AND c.live AND {alike}"
        )

    return Test(_each, FEW, rids)


def _each(_sql: Sql, _row: str) -> str:
    return "true"
