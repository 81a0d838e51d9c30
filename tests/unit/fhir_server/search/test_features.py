"""docs/search.md is what the table of features says."""

from __future__ import annotations

from pathlib import Path

from fhir_server.search.features import page

DOCUMENT = Path(__file__).resolve().parents[4] / "docs" / "search.md"


def test_the_page_is_written_from_the_table() -> None:
    assert DOCUMENT.read_text() == page(), (
        "write it anew: python -m fhir_server.search.features > docs/search.md"
    )
