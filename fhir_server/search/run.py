"""What every search statement selects, and how it is sent."""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from time import perf_counter
from typing import Any

from psycopg import AsyncConnection

from fhir_server.storage.connection import RawCursor

COLUMNS = "r.rid, r.type, r.id, r.version, r.updated, r.live, r.method, r.tail, r.pid, r.owners, r.labels"
"""The columns of a Row, from `resource r`."""

WIDTH = 11


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement that was run, for who has to explain it."""

    text: str
    args: Sequence[Any]
    seconds: float
    rows: int


STATEMENTS: ContextVar[list[Statement] | None] = ContextVar("statements", default=None)
"""Where the statements of this search are noted; None: nowhere."""


async def run(conn: AsyncConnection[Any], text: str, args: Sequence[Any]) -> list[Any]:
    """Return the rows that a statement selects."""
    started = perf_counter()
    cursor = RawCursor(conn)
    await cursor.execute(text, args, binary=True)
    found = await cursor.fetchall()
    noted = STATEMENTS.get()
    if noted is not None:
        noted.append(Statement(text, args, perf_counter() - started, len(found)))
    return found
