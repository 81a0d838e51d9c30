"""Escapes and prefixes. Source: http://hl7.org/fhir/R4/search.html#escaping"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fhir_server.search.values import piped, prefixed, split, unescape
from resources.outcome import FhirError


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("a,b", ["a", "b"]),
        (r"a\,b,c", [r"a\,b", "c"]),
        (r"a\\,b", [r"a\\", "b"]),
        ("", [""]),
        (r"a\\\,b", [r"a\\\,b"]),
        ("a\\", ["a\\"]),
    ],
)
def test_only_unescaped_commas_separate(text: str, parts: list[str]) -> None:
    assert split(text, ",") == parts


@pytest.mark.parametrize(
    ("text", "plain"), [(r"a\,b", "a,b"), (r"a\|b\$c", "a|b$c"), (r"a\\b", r"a\b"), (r"a\\\,b", r"a\,b")]
)
def test_escapes_of_the_specification_are_undone(text: str, plain: str) -> None:
    assert unescape(text) == plain


@pytest.mark.parametrize("text", [r"xx\xx", r"a\nb", "a\\", r"a\\\b"])
def test_an_escape_of_anything_else_is_illegal(text: str) -> None:
    with pytest.raises(FhirError) as raised:
        unescape(text)
    assert raised.value.status == 400


def test_an_escaped_pipe_belongs_to_the_value() -> None:
    assert piped(r"http://x|a\|b") == ["http://x", "a|b"]


@given(st.lists(st.text(), min_size=1))
def test_escaped_values_come_back(values: list[str]) -> None:
    escaped = [
        v.replace("\\", r"\\").replace(",", r"\,").replace("|", r"\|").replace("$", r"\$") for v in values
    ]
    assert [unescape(part) for part in split(",".join(escaped), ",")] == values


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ge2020", ("ge", "2020")),
        ("2020", ("eq", "2020")),
        ("ap-5", ("ap", "-5")),
        ("gender", ("eq", "gender")),
        ("le", ("eq", "le")),
    ],
)
def test_a_prefix_stands_before_a_number(text: str, found: tuple[str, str]) -> None:
    assert prefixed(text) == found
