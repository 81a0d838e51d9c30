"""Connections that read long answers at once: what has arrived already is taken without a turn of the event loop."""

from __future__ import annotations

from select import POLLIN, poll
from typing import Any, TypeVar

from psycopg import AsyncConnection
from psycopg.abc import PQGen
from psycopg.rows import TupleRow
from psycopg.waiting import Ready, Wait

T = TypeVar("T")

AT_ONCE = 32
"""Pieces of an answer that are read one after the other before everybody else has a turn."""

_READ = Wait.R

BUFFER = 128 * 1024
"""Bytes of an answer that are read at a time."""


class Connection(AsyncConnection[TupleRow]):
    """An AsyncConnection that waits only for what is not there.

    A page of a thousand resources arrives in a hundred pieces, mostly faster than it is read; to watch the socket for
    each of them costs more than to read it.
    """

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
