"""How many resources match: counted, or estimated where that takes too long."""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection, AsyncRawCursor

from fhir_server.access import current
from fhir_server.search import contained, plan
from fhir_server.search.led import led
from fhir_server.search.query import Query
from fhir_server.search.run import run
from fhir_server.search.sql import Sql
from fhir_server.search.weigh import BY_DATE, weighed

EXACT_UP_TO = 10_000
"""`_total=estimate` counts this far; beyond it is the planner's guess."""


async def total(conn: AsyncConnection[Any], query: Query) -> int:
    """Return the number of matches, as exactly as `_total` asks."""
    if query.contained != "false":
        return await contained.count(conn, query)
    sql = Sql()
    # what the planner expects of rows that may not be seen is nobody's business
    estimate = query.total == "estimate" and current.policy().unbounded
    tests = await weighed(conn, await led(conn, query.types, query.tests), 1, BY_DATE)
    text = plan.count(sql, query.types, tests, EXACT_UP_TO + 1 if estimate else None)
    counted = int((await run(conn, text, sql.args))[0][0])
    if estimate and counted > EXACT_UP_TO:
        return max(counted, await _guess(conn, query))
    return counted


async def _guess(conn: AsyncConnection[Any], query: Query) -> int:
    """Return how many rows the database expects, without reading them."""
    sql = Sql()
    text = f"EXPLAIN (FORMAT JSON) {plan.listing(sql, query.types, query.tests)}"
    cursor = AsyncRawCursor(conn)
    await cursor.execute(text, sql.args, prepare=False)
    ((plans,),) = await cursor.fetchall()
    return int(plans[0]["Plan"]["Plan Rows"])
