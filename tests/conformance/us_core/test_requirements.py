"""Every server SHALL of US Core 6.1.0 names a test that is there, or a reason."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from tests.conformance.us_core.requirements import REASONS, TESTS
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


def test_every_named_test_is_there() -> None:
    known = {
        f"{path.name}::{name}"
        for path in HERE.glob("test_*.py")
        for name in re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    assert {name for tests in TESTS.values() for name in tests} <= known


def test_most_requirements_are_shown_and_not_only_argued_away() -> None:
    assert len(TESTS) > len(REASONS)
