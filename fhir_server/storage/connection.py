"""Connections that read long answers at once: what has arrived already is taken without a turn of the event loop.

Their cursors open sealed content; see `sealing.py`.
"""

from __future__ import annotations

from select import POLLIN, poll
from typing import Any, TypeVar

from psycopg import AsyncConnection, AsyncCursor, AsyncRawCursor
from psycopg.abc import PQGen
from psycopg.rows import TupleRow
from psycopg.waiting import Ready, Wait

from fhir_server.storage.sealing import Sealer, needs
from fhir_server.storage.veil import veiled

T = TypeVar("T")

AT_ONCE = 32
"""Pieces of an answer that are read one after the other before everybody else has a turn."""

_READ = Wait.R

BUFFER = 128 * 1024
"""Bytes of an answer that are read at a time."""


class Cursor(AsyncCursor[TupleRow]):
    """A cursor whose rows have their content in the clear."""

    async def fetchone(self) -> TupleRow | None:
        """Return the next row, None after the last."""
        row = await super().fetchone()
        return row if row is None else (await _opened(self, [row]))[0]

    async def fetchall(self) -> list[TupleRow]:
        """Return the rows that are left."""
        return await _opened(self, await super().fetchall())


class RawCursor(AsyncRawCursor[TupleRow]):
    """As Cursor, for statements with `$1`."""

    async def fetchone(self) -> TupleRow | None:
        """Return the next row, None after the last."""
        row = await super().fetchone()
        return row if row is None else (await _opened(self, [row]))[0]

    async def fetchall(self) -> list[TupleRow]:
        """Return the rows that are left."""
        return await _opened(self, await super().fetchall())


async def _opened(cursor: AsyncCursor[TupleRow], rows: list[TupleRow]) -> list[TupleRow]:
    if not needs(cursor.pgresult, rows):
        return veiled(cursor.pgresult, rows)
    conn = cursor.connection
    if not isinstance(conn, Connection) or conn.sealer is None:
        raise RuntimeError("this connection was not given the keys of sealed content")
    return veiled(cursor.pgresult, await conn.sealer.opened(rows))


class Connection(AsyncConnection[TupleRow]):
    """An AsyncConnection that waits only for what is not there, and opens what is sealed.

    A page of a thousand resources arrives in a hundred pieces, mostly faster than it is read; to watch the socket for
    each of them costs more than to read it.
    """

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.cursor_factory = Cursor
        self.sealer: Sealer | None = None

    async def wait(self, gen: PQGen[T], *args: Any, **options: Any) -> T:
        """Return what `gen` returns, as AsyncConnection does."""
        return await super().wait(_reading(gen, self.pgconn.socket), *args, **options)


def _reading(gen: PQGen[T], socket: int) -> PQGen[T]:
    """Return what `gen` returns, waiting where it would have to."""
    taken = 0
    try:
        wanted = next(gen)
        while True:
            # a first piece is never there yet, since the question has just been asked
            there = taken % AT_ONCE and wanted == _READ and _arrived(socket)
            taken += wanted == _READ
            wanted = gen.send(Ready.R if there else (yield wanted))
    except StopIteration as done:
        found: T = done.value
        return found


def _arrived(socket: int) -> bool:
    watched = poll()
    watched.register(socket, POLLIN)
    return bool(watched.poll(0))


async def enlarge(conn: AsyncConnection[Any]) -> None:
    """Make a connection read BUFFER bytes at a time: its buffer grows to hold the longest message, and stays so."""
    await conn.execute("SELECT repeat(' ', %s)", (BUFFER // 2 + 1,), prepare=False)
