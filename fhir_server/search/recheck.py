"""A last look at rows that were found by hash: the text that was asked for must be in them.

Sixty-four keyed bits are as good as never the same for two tokens; should they once be, no wrong resource leaves.
A value found in the stored bytes as it was asked for needs no more. One that is not (other case, escapes) is looked
for among all texts of the parsed resource. Counts are by hash alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from fhir_server.search.sql import Test, flat
from fhir_server.storage.rows import Row
from resources.codec.json import parse_json

Found = TypeVar("Found", bound=Row)


def true_matches(tests: Sequence[Test], rows: list[Found]) -> list[Found]:
    """Return those of `rows` in which, for every test with needles, one of these occurs."""
    for test in flat(tests):
        if test.needles:
            needles = [needle.encode() for needle in test.needles]
            rows = [row for row in rows if _occurs(needles, row) or _spelled(test.needles, row)]
    return rows


def _occurs(needles: Sequence[bytes], row: Row) -> bool:
    tail = row.tail or b""
    return any(needle in tail for needle in needles)


def _spelled(needles: Sequence[str], row: Row) -> bool:
    wanted = {needle.casefold() for needle in needles}
    return any(
        text.casefold() in wanted or text.partition("|")[0].casefold() in wanted
        for text in _texts(parse_json(row.json()))
    )


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for child in value.values():
            yield from _texts(child)
    elif isinstance(value, list):
        for child in value:
            yield from _texts(child)
