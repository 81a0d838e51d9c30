"""What indexing and searching need to know of this process: secrets, the zone of zone-less dates, our own addresses."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, ParamSpec, TypeVar
from zoneinfo import ZoneInfo

from psycopg import AsyncConnection

P = ParamSpec("P")
T = TypeVar("T")
_forgetting: list[Callable[[], None]] = []


def remembered(size: int) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Return a decorator that keeps the last `size` results of a function of the secrets, until these change."""

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        kept = lru_cache(maxsize=size)(function)
        _forgetting.append(kept.cache_clear)
        return kept  # type: ignore[return-value]

    return decorate


class Context:
    """The settings in force; `configure` sets them once, before anything is indexed or searched."""

    token_key = b"\0" * 32
    cursor_key = b"\0" * 32
    zone: ZoneInfo | None = None
    bases: tuple[str, ...] = ()


def configure(
    *,
    token_key: bytes | None = None,
    cursor_key: bytes | None = None,
    zone: str | None = None,
    bases: tuple[str, ...] | None = None,
) -> None:
    """Set what is given.

    Shape:  `zone` is an IANA name, for dates and times without an offset (UTC where none is set);
            `bases` are the absolute addresses, without trailing slash, under which this server is known: references
            that start with one are local
    """
    if token_key is not None and token_key != Context.token_key:
        Context.token_key = token_key
        for forget in _forgetting:
            forget()
    Context.cursor_key = cursor_key or Context.cursor_key
    if zone is not None:
        Context.zone = None if zone in ("UTC", "Etc/UTC", "") else ZoneInfo(zone)
    if bases is not None:
        Context.bases = tuple(base.rstrip("/") + "/" for base in bases)


async def load_keys(conn: AsyncConnection[Any]) -> None:
    """Read the secrets from the database: to be called once at start, before anything is indexed or searched."""
    cursor = await conn.execute("SELECT name, value FROM secret", binary=True)
    found = {name: bytes(value) for name, value in await cursor.fetchall()}
    configure(token_key=found["token-hash"], cursor_key=found["cursor-signature"])
