"""Every server SHALL of US Core 6.1.0 names a test that is there, or a reason."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.conformance.us_core.requirements import _REASONS, _SHOWN, REASONS, TESTS
from tests.shared import shared_path

HERE = Path(__file__).parent


def _shall() -> set[int]:
    path = shared_path("requirements") / "us_core_6.1.0_requirements.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        return {
            int(row["ID"])
            for row in csv.DictReader(file)
            if row["Conformance"].startswith("SHALL") and "Server" in row["Actors"]
        }


def test_every_requirement_has_a_test_or_a_reason_and_none_both() -> None:
    assert TESTS.keys() | REASONS.keys() == _shall()
    assert TESTS.keys() & REASONS.keys() == set()


class Collected:
    """What pytest finds in this folder, by file and name."""

    def __init__(self) -> None:
        self.names: set[str] = set()

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Keep the names of what was collected."""
        for item in session.items:
            self.names.add(f"{item.path.name}::{getattr(item, 'originalname', None) or item.name}")


def test_every_named_test_is_there_and_collected() -> None:
    found = Collected()
    assert pytest.main(["--collect-only", "-q", "-p", "no:cacheprovider", str(HERE)], plugins=[found]) == 0
    assert {name for tests in TESTS.values() for name in tests} <= found.names


def test_every_reason_is_a_sentence_and_every_row_stands_once() -> None:
    assert all(len(reason.split()) > 5 for reason in REASONS.values())
    assert all(TESTS.values())
    rows = [row for rows, _ in (*_SHOWN, *_REASONS) for row in rows]
    assert len(rows) == len(set(rows))


def test_most_requirements_are_shown_and_not_only_argued_away() -> None:
    assert len(TESTS) > 2 * len(REASONS)
