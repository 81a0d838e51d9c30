"""How common tokens are: what PostgreSQL's statistics know, read once a minute.

A generic plan cannot know whether a token stands in ten rows or in half of them. So the statement's text decides:
rare tokens start from the GIN index, common ones filter rows that come in the order of the page.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection

REFRESH_S = 60.0
_FAR, _LEAST = 8, 1_024

_QUERY = """
SELECT attname, most_common_elems::text::bigint[], most_common_elem_freqs::float8[],
       (SELECT reltuples FROM pg_class WHERE oid = 'resource'::regclass)::float8
FROM pg_stats WHERE schemaname = current_schema() AND tablename = 'resource' AND attname IN ('tokens', 'posts')
"""


class Frequencies:
    """The share of all resources that carries each of the commonest tokens."""

    def __init__(self) -> None:
        self.share: dict[int, float] = {}
        self.posted: dict[int, float] = {}
        self.rows = 0.0
        self._read_at = -REFRESH_S

    def forget(self) -> None:
        """Forget all, so that the next search reads the statistics of the database that it asks."""
        self.share, self.posted, self.rows, self._read_at = {}, {}, 0.0, -REFRESH_S

    async def refresh(self, conn: AsyncConnection[Any]) -> None:
        """Read the statistics anew if they are old."""
        now = time.monotonic()
        if now - self._read_at < REFRESH_S:
            return
        self._read_at = now
        for name, elements, shares, rows in await (await conn.execute(_QUERY)).fetchall():
            if elements:
                known = dict(zip(elements, shares, strict=False))
                self.share, self.posted = (known, self.posted) if name == "tokens" else (self.share, known)
                self.rows = max(rows, 0.0)

    def common(self, tokens: Sequence[int], page: int, guess: bool) -> bool:
        """Whether a page is found sooner by walking rows in order than by looking `tokens` up.

        Shape:  with share f of n rows, walking reads page/f rows and looking up f·n; `guess` is the answer as long as
                the database has no statistics
        """
        if not self.rows:
            return guess
        share = sum(self.share.get(token, 0.0) for token in tokens)
        return share * share * self.rows >= page

    def filed(self, ranges: Sequence[tuple[int, int]]) -> float:
        """Return the share of all resources that has posting keys within `ranges`, as far as these are common."""
        return sum(
            self.posted.get(lo, 0.0)
            if lo == hi
            else sum(share for key, share in self.posted.items() if lo <= key <= hi)
            for lo, hi in ranges
        )

    def rarer(self, tokens: Sequence[int], key: int) -> bool:
        """Whether `tokens` are in far fewer rows than a posting key that is known to be common."""
        return sum(self.share.get(token, 0.0) for token in tokens) < self.posted.get(key, 0.0) / _FAR

    def worth(self, page: int) -> int:
        """Return how many rows are looked up at most before walking an order until a page is full costs less.

        Shape:  a power of two, so that the texts of statements stay few
        """
        return max(_LEAST, 1 << round(math.sqrt(self.rows * page)).bit_length())


FREQUENCIES = Frequencies()
