"""A last look at rows that were found by hash: the text that was asked for must be in them.

Sixty-four keyed bits are as good as never the same for two tokens; should they once be, no wrong resource leaves.
A value found in the stored bytes as it was asked for needs no more. One that is not (other case, escapes) is looked
for among all texts of the parsed resource. Counts are by hash alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import cache
from typing import Any, TypeVar

from fhir_server.search.sql import Test, flat
from fhir_server.storage.rows import Row
from resources.codec.json import parse_json

Found = TypeVar("Found", bound=Row)

MANY = 16
"""From so many needles on, the texts of a resource are looked for among the needles, not the other way round."""

_TEXT = re.compile(rb'"((?:[^"\\]|\\.)*)"')


def true_matches(tests: Sequence[Test], rows: list[Found]) -> list[Found]:
    """Return those of `rows` in which, for every test with needles, one of these occurs."""
    for test in flat(tests):
        if test.needles:
            occurs, spelled = _occurs(test.needles), _spelled(test.needles)
            rows = [row for row in rows if occurs(row.tail or b"") or spelled(row)]
    return rows


def _occurs(needles: Collection[str]) -> Callable[[bytes], bool]:
    """Return whether one of `needles` stands in the bytes as it was asked for."""
    sought = frozenset(needle.encode() for needle in needles)
    if len(sought) == 1:
        (only,) = sought
        return lambda tail: only in tail
    if len(sought) < MANY:
        return lambda tail: any(needle in tail for needle in sought)
    return lambda tail: not sought.isdisjoint(_TEXT.findall(tail))


def _spelled(needles: Collection[str]) -> Callable[[Row], bool]:
    """Return whether one of `needles` stands in the resource in other case, with escapes, or without a version."""

    @cache
    def wanted() -> frozenset[str]:
        return frozenset(needle.casefold() for needle in needles)

    def spelled(row: Row) -> bool:
        sought = wanted()
        return any(
            text.casefold() in sought or text.partition("|")[0].casefold() in sought
            for text in _texts(parse_json(row.json()))
        )

    return spelled


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for child in value.values():
            yield from _texts(child)
    elif isinstance(value, list):
        for child in value:
            yield from _texts(child)
