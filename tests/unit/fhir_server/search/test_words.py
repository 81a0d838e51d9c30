"""Which words a text has. Source: http://hl7.org/fhir/R4/search.html#content and #string"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.search.words import LONGEST, plain_text, words


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Body  Weight", ("body", "weight")),
        ("Émile MÜLLER", ("emile", "muller")),
        ("follow-up 8867-4", ("follow", "up", "8867", "4")),
        ("Straße", ("strasse",)),
        ("Ελλάδα", ("ελλαδα",)),
        ("!?", ()),
        ("", ()),
    ],
)
def test_case_accents_and_punctuation_do_not_count(text: str, found: tuple[str, ...]) -> None:
    assert words(text) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("糖尿病", ("糖尿", "尿病", "病")),
        ("COVID肺炎", ("covid", "肺炎", "炎")),
        ("병원에서", ("병원", "원에", "에서", "서")),
        ("ไทย", ("ไท", "ทย", "ย")),
    ],
)
def test_writing_without_spaces_gives_pairs(text: str, found: tuple[str, ...]) -> None:
    assert words(text) == found


def test_marks_of_indic_scripts_stay_in_their_word() -> None:
    assert len(words("हिन्दी में")) == 2


def test_soft_hyphens_do_not_part_a_word() -> None:
    assert words("meta\u00adstases \u00e9") == ("metastases", "e")


def test_a_word_counts_by_its_beginning_when_it_is_too_long() -> None:
    assert words("x" * 3_000) == ("x" * LONGEST,)
    assert words("é" * 3_000) == ("e" * LONGEST,)


@given(st.text())
def test_a_word_holds_nothing_that_postgresql_reads_otherwise(text: str) -> None:
    assert all(word and not set(word) & set(" '\\:*&|!()<>/,\0") for word in words(text))


@pytest.mark.parametrize(
    ("xhtml", "found"),
    [
        ("<div><p>bio<b>logy</b></p><p>class</p></div>", ("biology", "class")),
        ("<td>a</td><td>b</td>", ("a", "b")),
        ("one<br/>two", ("one", "two")),
        ('<p title="a > b" style="c">d</p>', ("d",)),
        ("<!-- hidden --><p>seen</p>", ("seen",)),
        ("&eacute;t&#233; &amp; caf&#xe9;", ("ete", "cafe")),
    ],
)
def test_markup_is_no_text(xhtml: str, found: tuple[str, ...]) -> None:
    assert words(plain_text(xhtml)) == found
