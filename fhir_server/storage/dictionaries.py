"""What codes are and how they are called, written once each and never removed: what searches look up before rows.

`label` has the texts that codes are shown by, for each parameter; `coding` the codes that resources use, whatever
element has them.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from typing import Any, Generic, TypeVar

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from fhir_server.storage.binary import Int4s, Int8s, PgArray, Texts

Pool = AsyncConnectionPool[AsyncConnection[Any]]

Label = tuple[int, str, int]
"""A parameter, a normalized text, and the hash of both that resources carry among their tokens."""

Coding = tuple[str, str]
"""A code system and a code; the system is empty where the element implies one that nobody can list."""

REMEMBERED = 50_000

LONGEST = 2_000
"""Bytes of a code and its system; none that is longer can be a concept, whose index has the same limit."""

T = TypeVar("T", Label, Coding)


class Dictionary(Generic[T]):
    """The entries that are known to be in a dictionary.

    A new one is committed at once and on its own: it says nothing but that there once was such a code or text.
    """

    def __init__(
        self, pool: Pool, statement: str, kinds: tuple[type[PgArray], ...], key: Callable[[T], Hashable]
    ) -> None:
        self._pool = pool
        self._statement = statement.encode()
        self._kinds: tuple[Any, ...] = kinds
        self._key: Callable[[T], Hashable] = key
        self._known: set[Hashable] = set()

    async def keep(self, entries: Iterable[T], conn: AsyncConnection[Any] | None = None) -> None:
        """Put those of `entries` into the dictionary that are not in it.

        Shape:  `conn` is a transaction that needs one which nothing has said before it: waiting for another connection
                could be waiting for itself, so that the entry stands or falls with the transaction
        """
        new = sorted({entry for entry in entries if self._key(entry) not in self._known})
        if not new:
            return
        columns = [kind(column) for kind, column in zip(self._kinds, zip(*new, strict=True), strict=True)]
        if conn is not None:
            await conn.execute(self._statement, columns)
            return
        async with self._pool.connection() as lent:
            await lent.execute(self._statement, columns)
        if len(self._known) > REMEMBERED:
            self._known.clear()
        self._known.update(map(self._key, new))

    def forget(self) -> None:
        """Look every entry up again: some were removed with a person who alone had used them."""
        self._known.clear()


def labels(pool: Pool) -> Dictionary[Label]:
    """Return the dictionary of texts."""
    statement = (
        "INSERT INTO label (param, norm, h) SELECT * FROM unnest(%s, %s, %s) AS x(param, norm, h) ORDER BY 1, 3"
        " ON CONFLICT (param, h) DO NOTHING"
    )
    return Dictionary(pool, statement, (Int4s, Texts, Int8s), lambda label: label[2])


def codings(pool: Pool) -> Dictionary[Coding]:
    """Return the dictionary of codes."""
    statement = (
        "INSERT INTO coding (system, code) SELECT * FROM unnest(%s, %s) AS x(system, code)"
        f" WHERE octet_length(system) + octet_length(code) <= {LONGEST} ORDER BY 1, 2"
        " ON CONFLICT (system, code) DO NOTHING"
    )
    return Dictionary(pool, statement, (Texts, Texts), lambda coding: coding)
