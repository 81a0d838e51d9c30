"""Reading expressions: precedence, literals, refusals with a position."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.fhirpath.parser import MAX_DEPTH, MAX_LENGTH, parse
from resources.fhirpath.quantity import Quantity
from resources.fhirpath.syntax import Binary, Call, External, Literal, Member, Polarity, TypeTest, Union
from resources.outcome import FhirError


def test_multiplication_binds_closer_than_addition() -> None:
    tree = parse("1 + 2 * 3")
    assert isinstance(tree, Binary)
    assert tree.operator == "+"
    assert isinstance(tree.right, Binary)


def test_union_binds_closer_than_comparison_and_looser_than_is() -> None:
    tree = parse("a | b is Patient > 1")
    assert isinstance(tree, Binary)
    assert isinstance(tree.left, Union)
    assert isinstance(tree.left.parts[1], TypeTest)


def test_a_sign_applies_to_the_whole_path() -> None:
    assert parse("-a.count()") == Polarity("-", Call(Member(None, "a"), "count", (), 3))


def test_a_number_keeps_its_digits() -> None:
    tree = parse("1.50")
    assert isinstance(tree, Literal)
    assert str(tree.value) == "1.50"


def test_a_number_before_a_function_is_an_integer() -> None:
    assert parse("1.toString()") == Call(Literal(1), "toString", (), 2)


@pytest.mark.parametrize(
    ("text", "quantity"),
    [
        ("4 days", Quantity(Decimal(4), "day", calendar=True)),
        ("1 week", Quantity(Decimal(1), "week", calendar=True)),
        ("5.4 'mg'", Quantity(Decimal("5.4"), "mg")),
    ],
)
def test_quantity_literals(text: str, quantity: Quantity) -> None:
    assert parse(text) == Literal(quantity)


@pytest.mark.parametrize("name", ["contains", "is", "as", "in", "for", "div", "`div`", "day"])
def test_words_of_the_language_are_names_after_a_point(name: str) -> None:
    assert parse(f"a.{name}.b") == Member(Member(Member(None, "a"), name.strip("`")), "b")


@pytest.mark.parametrize(
    ("text", "name"),
    [("%resource", "resource"), ("%`vs-name`", "vs-name"), ("%vs-a-b", "vs-a-b"), ("%'ext-x'", "ext-x")],
)
def test_external_constants(text: str, name: str) -> None:
    assert parse(text) == External(name)


def test_escapes_in_strings() -> None:
    assert parse(r"'\\\/\f\r\n\t\"\`\'\u002a'") == Literal("\\/\f\r\n\t\"`'*")


def test_comments_are_skipped() -> None:
    assert parse("1 /* one \n more */ + 2 // end") == parse("1+2")


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("2 + 2 /", 1, 8),
        ("Patient.name.", 1, 14),
        ("a\n  .b(", 2, 6),
        ("'open", 1, 1),
        ("a /* open", 1, 3),
        ("@2015-13", 1, 1),
        ("@T14:34:28Z", 1, 11),
        ("'\\q'", 1, 1),
        ("a b", 1, 3),
        ("{1}", 1, 2),
        ("a[1", 1, 4),
        ("#", 1, 1),
        ("", 1, 1),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_place(text: str, line: int, column: int) -> None:
    with pytest.raises(FhirError) as refused:
        parse(text)
    assert refused.value.status == 400
    assert [(i.code, i.line, i.column) for i in refused.value.issues] == [("invalid", line, column)]


@pytest.mark.parametrize(
    "text",
    [
        "(" * (MAX_DEPTH + 1) + "1" + ")" * (MAX_DEPTH + 1),
        "-" * (MAX_DEPTH + 1) + "1",
        "a" + ".a" * 200,
        "+".join("1" * 200),
        "'" + "a" * MAX_LENGTH + "'",
        "a[" * 100 + "0" + "]" * 100,
        "a.where(" * 100 + "b" + ")" * 100,
    ],
)
def test_length_and_depth_are_limited(text: str) -> None:
    with pytest.raises(FhirError):
        parse(text)


@given(st.text(alphabet="abP.()[]{}'`|&%$@+-*/=~!<>,0159T: \\\n", max_size=40))
def test_no_text_raises_anything_but_a_fhir_error(text: str) -> None:
    try:
        assert parse(text) is not None
    except FhirError as refused:
        assert refused.status == 400  # noqa: PT017
