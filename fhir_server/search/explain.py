"""`_explain=true`: what the database did for a search, for those who run the server. Off unless a setting says so.

The Bundle of the search gets an OperationOutcome entry that holds the time of each stage, each statement, the plan that
requests run by (generic) and the plan measured with the values of this search. Statements are run a second time for
it, read-only. Nothing of this is logged.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection, AsyncRawCursor

from fhir_server.access import current
from fhir_server.access.policy import forbidden
from fhir_server.exchange import Session
from fhir_server.metrics import STAGES
from fhir_server.search.context import Context
from fhir_server.search.run import Statement
from resources.outcome import FhirError, Issue

NAME = "_explain"
GENERIC_SINCE = 160_000
"""The PostgreSQL release that can show a generic plan."""


def wanted(pairs: Sequence[tuple[str, str]]) -> bool:
    """Return whether a search shall be explained.

    Errors: 400 not-supported where the server is not set to explain, value; 403 for who does not run it
    """
    values = [value for name, value in pairs if name == NAME and value.strip()]
    if not values:
        return False
    if not Context.explain:
        raise FhirError(400, "not-supported", f"This server is not set to explain searches ('{NAME}')")
    if not current.policy().administers:
        raise forbidden(f"{NAME} is for those who run the server: plans tell of rows that may not be seen")
    if any(value not in ("true", "false") for value in values):
        raise FhirError(400, "value", f"'{NAME}' is true or false")
    return "true" in values


def without(pairs: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
    """Return `pairs` without the wish to explain, which no link repeats."""
    return [pair for pair in pairs if pair[0] != NAME] if any(n == NAME for n, _ in pairs) else pairs


async def issues(session: Session, statements: Sequence[Statement]) -> list[Issue]:
    """Return what there is to tell of a search that has run: its stages, then its statements with their plans."""
    stages = ", ".join(f"{stage} {seconds * 1000:.2f} ms" for stage, seconds in STAGES.get() or ())
    told = [_said(f"Stages: {stages}")]
    async with session.connection() as conn, conn.transaction(force_rollback=True):
        await conn.execute("SET LOCAL transaction_read_only = on")
        for number, statement in enumerate(statements, 1):
            told += await _statement(conn, number, statement)
    return told


async def _statement(conn: AsyncConnection[Any], number: int, statement: Statement) -> list[Issue]:
    took = f"{statement.seconds * 1000:.2f} ms, {statement.rows} rows, {len(statement.args)} arguments"
    told = [_said(f"Statement {number} ({took}):\n{statement.text}")]
    if conn.info.server_version >= GENERIC_SINCE:
        plan = await _plan(conn, "GENERIC_PLAN", statement.text, ())
        told.append(_said(f"Statement {number}, the plan that requests run by:\n{plan}"))
    plan = await _plan(conn, "ANALYZE, BUFFERS, SETTINGS", statement.text, statement.args)
    told.append(_said(f"Statement {number}, measured with the values of this search:\n{plan}"))
    return told


async def _plan(conn: AsyncConnection[Any], options: str, text: str, args: Sequence[Any]) -> str:
    cursor = AsyncRawCursor(conn)
    await cursor.execute(f"EXPLAIN ({options}) {text}", args or None, prepare=False)
    return "\n".join(line for (line,) in await cursor.fetchall())


def _said(text: str) -> Issue:
    return Issue("informational", text, (), "information")
