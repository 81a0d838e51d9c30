"""Cursors come back as they were, and only to the search they belong to."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.search.cursor import Cursor, decode, encode, search_text
from fhir_server.search.order import Place
from resources.outcome import FhirError

SEARCH = search_text("Patient", [("name", "x")])
places = st.builds(
    Place,
    st.lists(st.none() | st.text(st.characters(exclude_categories=["Cs"]))).map(tuple),
    st.integers(-(2**63), 2**63 - 1),
)


@given(st.sampled_from(["sort", "d0", "rid"]), places, st.booleans())
def test_a_cursor_comes_back_as_it_was(order: str, place: Place, backward: bool) -> None:
    cursor = Cursor(order, place, backward)
    assert decode(encode(cursor, SEARCH), SEARCH) == cursor


@given(st.text(max_size=200))
def test_nobody_else_makes_cursors(text: str) -> None:
    with pytest.raises(FhirError) as refused:
        decode(text, SEARCH)
    assert refused.value.status == 400


def test_a_cursor_of_another_search_is_refused() -> None:
    text = encode(Cursor("rid", Place((), 5), False), SEARCH)
    for other in (search_text("Patient", [("name", "y")]), search_text("Person", [("name", "x")])):
        with pytest.raises(FhirError):
            decode(text, other)


def test_a_changed_cursor_is_refused() -> None:
    text = encode(Cursor("rid", Place((), 5), False), SEARCH)
    with pytest.raises(FhirError):
        decode(text[:-2] + ("AA" if text[-2:] != "AA" else "BB"), SEARCH)
