"""What indexing and searching need to know of this process: secrets, zone, our own addresses, page sizes."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import lru_cache
from typing import ParamSpec, TypeVar
from zoneinfo import ZoneInfo

P = ParamSpec("P")
T = TypeVar("T")
_forgetting: list[Callable[[], None]] = []
_following: list[Callable[[], None]] = []


def follow(forget: Callable[[], None]) -> None:
    """Have `forget` called when other kinds of values are in clear."""
    _following.append(forget)


def remembered(size: int) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Return a decorator that keeps the last `size` results of a function of the secrets, until these change."""

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        kept = lru_cache(maxsize=size)(function)
        _forgetting.append(kept.cache_clear)
        return kept  # type: ignore[return-value]

    return decorate


KINDS = ("string", "text", "date", "number", "position", "code")
"""What searches need in clear: see `protect`."""


class Context:
    """The settings in force; `configure` sets them once, before anything is indexed or searched."""

    token_key = b"\0" * 32
    cursor_key = b"\0" * 32
    zone: ZoneInfo | None = None
    bases: tuple[str, ...] = ()
    page_size = 20
    page_size_max = 1_000
    codes_max = 20_000
    explain = False
    in_clear: frozenset[str] = frozenset(KINDS)
    sealed = False


def configure(
    *,
    token_key: bytes | None = None,
    cursor_key: bytes | None = None,
    zone: str | None = None,
    bases: tuple[str, ...] | None = None,
    page_size: int | None = None,
    page_size_max: int | None = None,
    codes_max: int | None = None,
    explain: bool | None = None,
) -> None:
    """Set what is given.

    Shape:  `zone` is an IANA name, for dates and times without an offset (UTC where none is set);
            `bases` are the absolute addresses, without trailing slash, under which this server is known: references
            that start with one are local; `page_size` counts the matches of a page where `_count` is not given, and
            a larger `_count` than `page_size_max` is lowered to it; `codes_max` is the most codes of a value set or
            hierarchy that a search takes; `explain` offers `_explain`
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
    Context.page_size = page_size or Context.page_size
    Context.page_size_max = page_size_max or Context.page_size_max
    Context.codes_max = codes_max or Context.codes_max
    Context.explain = Context.explain if explain is None else explain


def protect(in_clear: Collection[str], *, sealed: bool) -> None:
    """Set what the database may know.

    Shape:  `in_clear` are the kinds of values (KINDS) that index columns hold as they are, which alone searches of that
            kind can use: strings, words of texts, dates, numbers and quantities, positions, and `code`: what the
            database reads of codes, identifiers and addresses beside their hashes; `sealed` says that content is
    """
    Context.sealed = sealed
    if frozenset(in_clear) != Context.in_clear:
        Context.in_clear = frozenset(in_clear)
        for forget in _following:
            forget()
