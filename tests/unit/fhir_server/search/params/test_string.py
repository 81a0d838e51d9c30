"""Strings are found without case, accents and odd spaces. Source: http://hl7.org/fhir/R4/search.html#string"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.search.params.string import normalize


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("Müller", "muller"),
        ("MU\u0308LLER", "muller"),
        ("  Mary \t Ann\n", "mary ann"),
        ("Straße", "strasse"),
        ("İstanbul", "istanbul"),
        ("Łódź", "łodz"),
        ("Ｆｕｌｌ", "full"),
        ("王小明", "王小明"),
        ("Иван", "иван"),
        ("", ""),
        ("ΟΔΥΣΣΕΥΣ", "οδυσσευσ"),
        ("Ὀδυσσεύς", "οδυσσευσ"),
        ("ISIK", "isik"),
        ("Işık", "isik"),
        ("مُحَمَّد", "محمد"),
        ("שָׁלוֹם", "שלום"),
        ("한국", "한국"),
        ("\u1112\u1161\u11ab\u1100\u116e\u11a8", "한국"),
        ("がき", "がき"),
        ("か\u3099き", "がき"),
        ("ｶﾞｷ", "ガキ"),
        ("क्षमा", "क्षमा"),
        ("Ёлкин", "елкин"),
        ("a\u00a0\u3000b", "a b"),
        ("ﬁn", "fin"),
    ],
)
def test_case_accents_and_spaces_do_not_count(text: str, plain: str) -> None:
    assert normalize(text) == plain


@given(st.text())
def test_normalizing_twice_changes_nothing(text: str) -> None:
    once = normalize(text)
    assert normalize(once) == once


@given(st.text(st.characters(exclude_categories=["Cs", "Mn"])))
def test_upper_and_lower_case_are_the_same(text: str) -> None:
    assert normalize(text.lower()) == normalize(text.lower().casefold())


def test_characters_that_the_database_cannot_hold_are_dropped() -> None:
    assert normalize("a\0b") == "ab"


def test_a_syllable_is_no_prefix_of_another() -> None:
    assert not normalize("한국").startswith(normalize("하"))
    assert not normalize("がき").startswith(normalize("か"))
