"""Back-off: who fails again and again waits longer and longer.

A try is counted before it is judged, in one statement, so that many at once are no way around it. A right answer
forgets the account's failures; those of an address only lose one, or an attacker's own account would clear them.

Source: OWASP ASVS 4.0.3 V2.2.1 (no more than 100 failures an hour for one account); NIST SP 800-63B section 5.2.2
"""

from __future__ import annotations

import hashlib
import math
from typing import Any, NamedTuple

from psycopg import AsyncConnection


class Limit(NamedTuple):
    """How many failures cost nothing, and the longest wait in seconds."""

    free: int
    longest: int


ACCOUNT = Limit(5, 900)
FACTOR = Limit(5, 900)
ADDRESS = Limit(40, 900)
MESSAGES = Limit(3, 3600)
"""Letters that one address or visitor makes us send."""

_COUNT = """INSERT INTO account_attempt AS a (name, failures, until) VALUES (%(name)s, 1, clock_timestamp())
ON CONFLICT (name) DO UPDATE SET
    failures = CASE WHEN a.last < clock_timestamp() - interval '1 day' THEN 1 ELSE a.failures + 1 END,
    last = clock_timestamp(),
    until = clock_timestamp() + CASE WHEN a.last < clock_timestamp() - interval '1 day' OR a.failures + 1 < %(free)s
        THEN interval '0' ELSE make_interval(secs => least(%(most)s, 2 ^ least(a.failures + 1 - %(free)s, 30))) END
WHERE a.until <= clock_timestamp() RETURNING failures"""
_LEFT = "SELECT extract(epoch FROM until - clock_timestamp()) FROM account_attempt WHERE name = %s"


async def tried(conn: AsyncConnection[Any], what: str, whom: str, limit: Limit) -> int:
    """Return 0 and count the try, or the seconds that are left to wait."""
    name = _name(what, whom)
    cursor = await conn.execute(_COUNT, {"name": name, "free": limit.free, "most": limit.longest})
    if await cursor.fetchone():
        return 0
    left = await (await conn.execute(_LEFT, (name,))).fetchone()
    return max(1, math.ceil(left[0])) if left else 1


async def forgotten(conn: AsyncConnection[Any], what: str, whom: str) -> None:
    """Forget failures: it was the right person."""
    await conn.execute("DELETE FROM account_attempt WHERE name = %s", (_name(what, whom),))


async def lessened(conn: AsyncConnection[Any], what: str, whom: str) -> None:
    """Take back the count of one try that was no failure."""
    await conn.execute(
        "UPDATE account_attempt SET failures = greatest(failures - 1, 0) WHERE name = %s",
        (_name(what, whom),),
    )


async def swept(conn: AsyncConnection[Any]) -> None:
    """Remove what no longer counts."""
    await conn.execute("DELETE FROM account_attempt WHERE last < clock_timestamp() - interval '1 day'")


def _name(what: str, whom: str) -> str:
    return hashlib.sha256(f"{what}\0{whom}".encode("utf-8", "surrogatepass")).hexdigest()
