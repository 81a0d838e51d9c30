"""The dictionary of texts that codes are shown by: written once for each parameter and text, never removed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from fhir_server.storage.binary import Int4s, Int8s, Texts

Label = tuple[int, str, int]
"""A parameter, a normalized text, and the hash of both that resources carry among their tokens."""

REMEMBERED = 50_000

_MAKE = """
INSERT INTO label (param, norm, h) SELECT * FROM unnest(%s, %s, %s) AS x(param, norm, h) ORDER BY 1, 3
ON CONFLICT (param, h) DO NOTHING
"""


class Labels:
    """The labels that are known to be in the dictionary.

    A new one is committed at once and on its own: it says nothing but that a code was once called so.
    """

    def __init__(self, pool: AsyncConnectionPool[AsyncConnection[Any]]) -> None:
        self._pool = pool
        self._known: set[int] = set()

    async def keep(self, labels: Iterable[Label], conn: AsyncConnection[Any] | None = None) -> None:
        """Put those of `labels` into the dictionary that are not in it.

        Shape:  `conn` is a transaction that needs one which nothing has said before it: waiting for another connection
                could be waiting for itself, so that the label stands or falls with the transaction
        """
        new = sorted({label for label in labels if label[2] not in self._known})
        if not new:
            return
        columns = [
            kind(column) for kind, column in zip((Int4s, Texts, Int8s), zip(*new, strict=True), strict=True)
        ]
        if conn is not None:
            await conn.execute(_MAKE, columns)
            return
        async with self._pool.connection() as lent:
            await lent.execute(_MAKE, columns)
        if len(self._known) > REMEMBERED:
            self._known.clear()
        self._known.update(label[2] for label in new)
