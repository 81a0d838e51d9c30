"""What statistics say about tokens and posting keys, and what is decided by it."""

from __future__ import annotations

import math

import pytest

from fhir_server.search.frequency import Frequencies


def known(rows: float) -> Frequencies:
    """Return statistics of a database with a common token and two common posting keys."""
    found = Frequencies()
    found.rows, found.share, found.posted = rows, {1: 0.5, 2: 0.001}, {10: 0.2, 20: 0.02}
    return found


def test_without_statistics_the_guess_stands() -> None:
    assert Frequencies().common([1], 20, guess=True)
    assert not Frequencies().common([1], 20, guess=False)


def test_a_share_of_many_rows_is_common_and_an_unknown_token_rare() -> None:
    assert known(1e6).common([1], 20, guess=False)
    assert not known(1e6).common([3], 20, guess=True)


def test_tokens_are_rarer_than_a_posting_only_by_far() -> None:
    assert known(1e6).rarer([3], 10)
    assert known(1e6).rarer([2], 10)
    assert not known(1e6).rarer([1], 10)
    assert not known(1e6).rarer([3], 99)


def test_the_share_of_keys_is_the_sum_of_the_common_ones_in_their_ranges() -> None:
    assert known(1e6).filed([(10, 10), (99, 99)]) == pytest.approx(0.2)
    assert known(1e6).filed([(5, 25)]) == pytest.approx(0.22)


@pytest.mark.parametrize("rows", [0, 1e5, 1e6, 1e7])
@pytest.mark.parametrize("page", [1, 21, 1001])
def test_as_many_are_counted_as_cost_what_a_walk_costs_in_few_different_numbers(
    rows: float, page: int
) -> None:
    most = known(rows).worth(page)
    assert most & (most - 1) == 0
    assert max(1024, math.sqrt(rows * page)) <= most <= max(1024, 2 * math.sqrt(rows * page) + 2)


def test_what_is_forgotten_is_read_anew() -> None:
    found = known(1e6)
    found.forget()
    assert (found.rows, found.share, found.posted) == (0.0, {}, {})
