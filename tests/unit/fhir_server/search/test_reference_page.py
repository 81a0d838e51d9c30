"""The reference page says what the tables say."""

from __future__ import annotations

from pathlib import Path

from fhir_server.search.reference_page import page

PAGE = Path(__file__).parents[4] / "docs" / "reference" / "search.md"


def test_the_reference_page_is_what_the_tables_say() -> None:
    text = page()
    assert PAGE.read_text(encoding="utf-8") == text, (
        "run: python -m fhir_server.search.reference_page > docs/reference/search.md"
    )
    assert "combo-code-value-quantity" in text
