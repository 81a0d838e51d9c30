"""Reading a text search. Source: http://hl7.org/fhir/R4/search.html#content"""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.search.text_query import MAX_DEPTH, MAX_TERMS, holds_without_words, parse, tsquery
from resources.outcome import FhirError


def read(text: str) -> str:
    """Return the tsquery of a search, without what only decorates it."""
    return tsquery(parse("_text", text)).replace("'", "")


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("(bone OR liver) and metastases", "(((bone) | (liver)) & (metastases))"),
        ("a b", "((a) & (b))"),
        ("a or b c", "((a) | ((b) & (c)))"),
        ("a not b", "((a) & !(b))"),
        ("not (a or b)", "!((a) | (b))"),
        ("a, b c", "((a) | ((b) & (c)))"),
        (r"a\,b", "((a) & (b))"),
        ('"bone metastases"', "(bone <-> metastases)"),
        ('"or"', "(or)"),
        ("follow-up", "(follow <-> up)"),
        ("metast*", "(metast:*)"),
        ('"bone metast*"', "(bone <-> metast:*)"),
        ("Ärzte", "(arzte)"),
        ("糖尿病", "(糖尿 <-> 尿病)"),
        ("病", "(病:*)"),
        ("肺炎covid", "(肺炎 <-> 炎 <-> covid)"),
    ],
)
def test_words_operators_phrases_and_beginnings(text: str, query: str) -> None:
    assert read(text) == query


def test_a_weight_holds_every_word() -> None:
    assert tsquery(parse("_text", 'a* "b c"'), "A") == "(('a':*A) & ('b':A <-> 'c':A))"


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("(a", 3),
        ("a)", 2),
        ('a "b', 3),
        ("a & b", 3),
        ("*a", 1),
        ("a*b", 1),
        ("()", 2),
        ("a AND", 6),
        ("OR a", 1),
        ("a,", 3),
        ('x ""', 3),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_position(text: str, position: int) -> None:
    with pytest.raises(FhirError) as problem:
        parse("_text", text)
    assert problem.value.status == 400
    assert f"at character {position}:" in (problem.value.issues[0].text or "")


@pytest.mark.parametrize(
    "text", ["a " * (MAX_TERMS + 1), "(" * (MAX_DEPTH + 1) + "a" + ")" * (MAX_DEPTH + 1)]
)
def test_more_than_can_be_asked_is_too_costly(text: str) -> None:
    with pytest.raises(FhirError) as problem:
        parse("_content", text)
    assert problem.value.issues[0].code == "too-costly"


@pytest.mark.parametrize(
    ("text", "holds"),
    [("a", False), ("not a", True), ("a not b", False), ("a or not b", True), ("not not a", False)],
)
def test_whether_a_resource_without_words_matches(text: str, holds: bool) -> None:
    assert holds_without_words(parse("_text", text)) is holds


@given(st.text(alphabet='ab()",*\\ ANDORNOTé糖-&', max_size=40))
def test_every_text_is_read_or_refused(text: str) -> None:
    with suppress(FhirError):
        found = tsquery(parse("_text", text))
        assert found.count("(") == found.count(")")
