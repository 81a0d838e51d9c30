"""What every search statement selects, and how it is sent."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection, AsyncRawCursor

COLUMNS = "r.rid, r.type, r.id, r.version, r.updated, r.live, r.method, r.tail"
"""The columns of a Row, from `resource r`."""

WIDTH = 8


async def run(conn: AsyncConnection[Any], text: str, args: Sequence[Any]) -> list[Any]:
    """Return the rows that a statement selects."""
    cursor = AsyncRawCursor(conn)
    await cursor.execute(text, args, binary=True)
    return await cursor.fetchall()
