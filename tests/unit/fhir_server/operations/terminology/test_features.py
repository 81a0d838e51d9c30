"""docs/terminology.md is what the table says, and the table is what the operations take."""

from __future__ import annotations

from pathlib import Path

import pytest

from fhir_server.operations.terminology import (
    closure,
    expand,
    find_matches,
    lookup,
    subsumes,
    translate,
    validate_code,
)
from fhir_server.operations.terminology.features import NOTES, page, rows

DOCUMENT = Path(__file__).resolve().parents[5] / "docs" / "terminology.md"

TAKEN = {
    "CodeSystem/$lookup": lookup.KNOWN,
    "CodeSystem/$subsumes": subsumes.KNOWN,
    "CodeSystem/$validate-code": validate_code.OF_SYSTEM,
    "CodeSystem/$find-matches": find_matches.KNOWN,
    "ValueSet/$expand": expand.KNOWN,
    "ValueSet/$validate-code": validate_code.OF_VALUESET,
    "ConceptMap/$translate": translate.KNOWN,
    "$closure": closure.KNOWN,
}


def test_the_page_is_written_from_the_table() -> None:
    assert DOCUMENT.read_text() == page(), (
        "write it anew: python -m fhir_server.operations.terminology.features > docs/terminology.md"
    )


@pytest.mark.parametrize("operation", TAKEN)
def test_every_parameter_of_r4_is_taken_and_no_other(operation: str) -> None:
    assert {row.parameter for row in rows() if row.operation == operation} == TAKEN[operation]


def test_every_note_is_of_a_parameter_that_there_is() -> None:
    assert {(row.operation, row.parameter) for row in rows()} >= NOTES.keys()
