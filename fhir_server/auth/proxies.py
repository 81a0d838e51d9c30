"""Whom a person may act for. What decides that (RelatedPerson and Consent) is plugged in by `consent`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from psycopg import AsyncConnection

Lookup = Callable[[AsyncConnection[Any], str], Awaitable[tuple[str, ...]]]
_LOOKUP: list[Lookup] = []


def by(lookup: Lookup) -> None:
    """Let `lookup` say for 'RelatedPerson/1' which Patients that is ('Patient/1')."""
    _LOOKUP[:] = [lookup]


async def acting_for(conn: AsyncConnection[Any], user: str) -> tuple[str, ...]:
    """Return the Patients whom `user` may act for, none where nothing is plugged in."""
    if not user or not _LOOKUP:
        return ()
    return await _LOOKUP[0](conn, user)
