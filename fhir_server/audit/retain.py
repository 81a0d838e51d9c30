"""Let old entries go: each chain is cut where it was signed, and an entry of the trail itself says so."""

from __future__ import annotations

from typing import Any

import msgspec
from psycopg import AsyncConnection

from fhir_server.audit.verify import cut_text

_CUTS = """SELECT c.id, e.n, e.hash FROM audit_chain c CROSS JOIN LATERAL
(SELECT n, hash FROM audit_entry e WHERE e.chain = c.id AND e.n <= c.signed AND e.at < %s ORDER BY n DESC LIMIT 1) e
WHERE e.n > c.cut ORDER BY c.id"""
_COUNT = "SELECT count(*) FROM audit_entry WHERE chain = %s AND n <= %s"


class Cut(msgspec.Struct, frozen=True):
    """Up to which entry a chain is cut, and how many entries go."""

    chain: int
    n: int
    hash: bytes
    entries: int


async def due(conn: AsyncConnection[Any], before: int) -> list[Cut]:
    """Return the cuts that let go of what is older than `before` and under a checkpoint.

    Units:  `before` microseconds since 1970 UTC
    """
    found = await (await conn.execute(_CUTS, (before,), binary=True)).fetchall()
    cuts = []
    for chain, n, hash_ in found:
        counted = await (await conn.execute(_COUNT, (chain, n))).fetchone()
        assert counted is not None
        cuts.append(Cut(chain, n, hash_, int(counted[0])))
    return cuts


def said(cuts: list[Cut]) -> dict[str, str]:
    """Return what the trail's entry has to say of `cuts`: it goes in before anything is removed."""
    return {str(cut.chain): cut_text(cut.n, cut.hash) for cut in cuts}


async def cut(conn: AsyncConnection[Any], cuts: list[Cut]) -> None:
    """Remove the entries of `cuts`, inside a transaction."""
    for one in cuts:
        await conn.execute(
            "UPDATE audit_chain SET cut = %s, cut_hash = %s WHERE id = %s", (one.n, one.hash, one.chain)
        )
        await conn.execute("DELETE FROM audit_entry WHERE chain = %s AND n <= %s", (one.chain, one.n))
