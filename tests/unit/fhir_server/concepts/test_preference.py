"""Which version of a url is meant where none is named.

Source: http://hl7.org/fhir/R4/references.html#canonical
"""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from fhir_server.concepts.preference import natural, rank

EARLY, LATE = datetime(2020, 1, 1, tzinfo=UTC), datetime(2021, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("less", "more"), [("", "1"), ("1.2", "1.10"), ("2.0-beta", "2.0.1"), ("20240101", "20240201")]
)
def test_numbers_in_versions_count_as_numbers(less: str, more: str) -> None:
    assert natural(less) < natural(more)


def test_the_status_counts_before_the_version_and_that_before_the_time() -> None:
    ranked = [
        rank("retired", "9", LATE, 9),
        rank("draft", "8", LATE, 8),
        rank("active", "1.2", LATE, 7),
        rank("active", "1.10", EARLY, 6),
        rank("active", "1.10", LATE, 4),
        rank("active", "1.10", LATE, 5),
    ]
    assert sorted(ranked) == ranked
