"""The last look at rows found by hash."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from fhir_server.search import sql
from fhir_server.search.recheck import MANY, true_matches
from fhir_server.storage.rows import Row, tail, type_number

HEAD = datetime(2020, 1, 1, tzinfo=UTC)


def row(id_: str, *texts: str) -> Row:
    """Return a stored Observation with texts in it."""
    resource = {"resourceType": "Observation", "id": id_, "note": [{"text": text} for text in texts]}
    return Row(1, type_number("Observation"), id_, 1, HEAD, True, 1, tail(resource))


def needing(*needles: str) -> sql.Test:
    """Return a test with needles."""
    return sql.Test(lambda _sql, _row: "true", needles=frozenset(needles))


def kept(test: sql.Test, *rows: Row) -> list[str]:
    """Return the ids of the rows that remain."""
    return [one.id for one in true_matches([test], list(rows))]


MORE = tuple(f"code-{number}" for number in range(MANY))


@pytest.mark.parametrize("more", [(), MORE], ids=["few", "many"])
def test_rows_without_any_of_the_texts_do_not_leave(more: tuple[str, ...]) -> None:
    assert kept(needing("abc", *more), row("a", "abc"), row("b", "abd"), row("c", "x", "abc")) == ["a", "c"]


@pytest.mark.parametrize("more", [(), MORE], ids=["few", "many"])
@pytest.mark.parametrize("stored", ["ABC", 'a"b\\c', "grüß", "http://x/a|1.0"])
def test_true_matches_stay_however_they_are_written(more: tuple[str, ...], stored: str) -> None:
    asked = {"ABC": "abc", "http://x/a|1.0": "http://x/a"}.get(stored, stored)
    assert kept(needing(asked, *more), row("a", stored)) == ["a"]


def test_the_parts_of_a_conjunction_are_looked_at_too() -> None:
    both = sql.conjunction([needing("a-1"), needing("b-1")])
    assert kept(both, row("a", "a-1"), row("b", "b-1"), row("c", "a-1", "b-1")) == ["c"]


def test_without_needles_nothing_is_looked_for() -> None:
    assert kept(needing(), row("a")) == ["a"]
