"""What was revoked before it expired: a small set in memory that is read anew each second, and fails closed.

Shape:  'sid:…' a token family, 'jti:…' one token, 'client:…' what was issued to a client until then

Source: RFC 7009, RFC 6749 section 10
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable
from typing import Any

import psycopg
from psycopg import AsyncConnection

from resources.outcome import FhirError

EVERY_S = 1.0
STALE_S = 5.0
"""Seconds after which nobody is let in on what was known last."""

OVERLAP = "60 seconds"
"""How much of what was read already is read again: a row may have been written before it can be seen."""

_READ = f"""SELECT what, extract(epoch FROM at)::float8, extract(epoch FROM until)::float8 FROM auth_revoked
WHERE until > now() AND (%(since)s::timestamptz IS NULL OR at > %(since)s::timestamptz - interval '{OVERLAP}')"""
_INSERT = """INSERT INTO auth_revoked (what, until)
SELECT what, clock_timestamp() + make_interval(secs => %s) FROM unnest(%s::text[]) what"""
_log = logging.getLogger(__name__)


class Revocations:
    """What is revoked, as this process knows it."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._conn: AsyncConnection[Any] | None = None
        self._since: Any = None
        self._known: dict[str, tuple[float, float]] = {}
        self._read = float("-inf")

    async def refresh(self) -> None:
        """Read what is new; raises psycopg.Error."""
        started = time.monotonic()
        if self._conn is None or self._conn.closed:
            self._conn = await AsyncConnection.connect(
                self._conninfo, autocommit=True, connect_timeout=3, options="-c statement_timeout=3000"
            )
        moment = await (await self._conn.execute("SELECT now()")).fetchone()
        found = await (await self._conn.execute(_READ, {"since": self._since})).fetchall()
        now = time.time()
        kept = {what: times for what, times in self._known.items() if times[1] > now}
        kept.update((what, (at, until)) for what, at, until in found)
        self._known = kept
        self._since = moment[0] if moment else None
        self._read = started

    async def follow(self) -> None:
        """Read again and again until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self.refresh()
            except (psycopg.Error, OSError) as error:
                _log.warning("revocations cannot be read: %s", type(error).__name__)
                await self.close()

    async def close(self) -> None:
        """Let go of the connection."""
        if self._conn is not None:
            await self._conn.close()
        self._conn = None

    def require_fresh(self) -> None:
        """Raise 503 where what is known is too old to let anybody in."""
        if time.monotonic() - self._read > STALE_S:
            text = "It cannot be told at the moment whether this access token was revoked; try again"
            raise FhirError(503, "transient", text, headers={"Retry-After": "2"})

    def includes(self, session: str, token: str, client: str, issued: float) -> bool:
        """Whether a token is revoked."""
        known = self._known
        if not known:
            return False
        ended = known.get(f"client:{client}")
        return (
            f"sid:{session}" in known or f"jti:{token}" in known or (ended is not None and issued <= ended[0])
        )


async def revoke(conn: AsyncConnection[Any], what: Iterable[str], seconds: int) -> None:
    """Have all workers refuse `what` within a second, for as long as a token of it could be good."""
    await conn.execute(_INSERT, (seconds + 60, list(what)))
