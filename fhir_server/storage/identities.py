"""Which number stands for which resource: looked up once, never changing, made on first mention."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any
from weakref import WeakSet

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from fhir_server.storage.binary import Int2s, Texts
from resources.outcome import FhirError

Key = tuple[int, str]

_FIND = """
SELECT r.type, r.id, r.rid FROM unnest(%s, %s) AS k(type, id) JOIN resource r ON r.type = k.type AND r.id = k.id
"""
_MAKE = """
INSERT INTO resource (type, id) SELECT type, id FROM unnest(%s, %s) AS k(type, id) ORDER BY type, id COLLATE "C"
ON CONFLICT (type, id) DO NOTHING RETURNING type, id, rid
"""
ALLOCATED_AT_ONCE = 64
REMEMBERED = 200_000


_everybody: WeakSet[Identities] = WeakSet()


def forget_all() -> None:
    """Have every look-up of this process begin anew: somebody was erased, and their number is nobody's any more."""
    for one in _everybody:
        one.forget()


class Identities:
    """Row numbers by (type, id).

    A resource that is only referred to gets a row of version 0, committed at once and on its own: it says nothing but
    that the name exists, so it may outlive a transaction that fails.
    """

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._pool = pool
        self._known: dict[Key, int] = {}
        self._free: list[int] = []
        _everybody.add(self)

    async def resolve(self, keys: Iterable[Key]) -> dict[Key, int]:
        """Return the row number of every key, making those that are new."""
        known = self._known
        found = {key: known[key] for key in keys if key in known}
        missing = sorted({key for key in keys if key not in found})
        if missing:
            fresh = await self._fetch(missing)
            self.remember(fresh)
            found.update(fresh)
        return found

    async def _fetch(self, keys: list[Key]) -> dict[Key, int]:
        found: dict[Key, int] = {}
        async with self._pool.connection() as conn:
            for statement in (_FIND, _MAKE, _FIND, _MAKE, _FIND):
                missing = [key for key in keys if key not in found]
                if not missing:
                    return found
                columns = Int2s([key[0] for key in missing]), Texts([key[1] for key in missing])
                cursor = await conn.execute(statement, columns)
                found.update({(t, i): rid for t, i, rid in await cursor.fetchall()})
        if len(found) < len(keys):
            raise FhirError(503, "transient", "Identities are being made by others; please try again")
        return found

    def remember(self, identities: dict[Key, int]) -> None:
        """Keep committed row numbers for later look-ups."""
        self._known.update(identities)
        excess = len(self._known) - REMEMBERED
        if excess > 0:
            for key in list(islice(self._known, excess + REMEMBERED // 8)):
                del self._known[key]

    def forget(self) -> None:
        """Look everything up again."""
        self._known.clear()

    async def allocate(self, count: int, conn: AsyncConnection[Any] | None = None) -> list[int]:
        """Return `count` unused row numbers; never blocks a writer and may leave gaps.

        Shape:  who has a connection gives it, so that no transaction waits for a second one
        """
        while len(self._free) < count:
            wanted = max(count, ALLOCATED_AT_ONCE)
            if conn is not None:
                fresh = await _numbers(conn, wanted)
            else:
                async with self._pool.connection() as lent:
                    fresh = await _numbers(lent, wanted)
            self._free += fresh  # after the waiting, in which others take some
        taken, self._free = self._free[:count], self._free[count:]
        return taken


async def _numbers(conn: AsyncConnection[Any], count: int) -> list[int]:
    cursor = await conn.execute("SELECT nextval('rid_seq') FROM generate_series(1, %s)", (count,))
    return [row[0] for row in await cursor.fetchall()]
