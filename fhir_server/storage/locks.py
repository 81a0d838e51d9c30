"""Advisory locks that let only one writer at a time create under a condition."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any

from psycopg import AsyncConnection

from fhir_server.storage.binary import Int4s

STRIPES = 1024
"""How many conditions can be held apart; two that share a stripe only wait for each other."""

SPACE = 0x4642
"""The first key of our two-key advisory locks, so that others' locks stay apart."""


def stripe(condition: str) -> int:
    """Return the stripe of a condition ('Patient?identifier=…')."""
    return int.from_bytes(blake2b(condition.encode(), digest_size=4).digest(), "big") % STRIPES


async def hold(conn: AsyncConnection[Any], conditions: Iterable[str]) -> None:
    """Hold every condition's stripe until the transaction ends; one order for all writers, hence no deadlock."""
    stripes = sorted({stripe(condition) for condition in conditions})
    if stripes:
        await conn.execute(
            "SELECT pg_advisory_xact_lock(%s, s) FROM (SELECT s FROM unnest(%s) AS s ORDER BY s) AS ordered",
            (SPACE, Int4s(stripes)),
        )
