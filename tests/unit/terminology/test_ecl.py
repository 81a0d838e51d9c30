"""SNOMED CT's expression constraints: what they mean as a tree, and what is refused.

Source: http://snomed.org/ecl
"""

from __future__ import annotations

import pytest

from resources.outcome import FhirError
from terminology.ecl import (
    DEEPEST,
    LONGEST,
    Anything,
    Attribute,
    Code,
    Conditions,
    Joined,
    Members,
    Refined,
    Related,
    codes,
    parse,
)

A, B, C = Code("100001"), Code("100002"), Code("100003")


@pytest.mark.parametrize("operator", ["<", "<<", "<!", "<<!", ">", ">>", ">!", ">>!"])
def test_each_relation(operator: str) -> None:
    assert parse(f"{operator} 100001 |Some term < 5|") == Related(operator, A)  # type: ignore[arg-type]


def test_a_concept_anything_and_members() -> None:
    assert parse("100001") == A
    assert parse(" * ") == Anything()
    assert parse("^ 100001") == Members(A)
    assert parse("< ^100001") == Related("<", Members(A))
    assert parse("^ (100001 OR 100002)") == Members(Joined("OR", (A, B)))
    assert parse("100001 /* a comment */") == A


def test_joined_sets() -> None:
    assert parse("100001 AND 100002 and 100003") == Joined("AND", (A, B, C))
    assert parse("100001, 100002") == Joined("AND", (A, B))
    assert parse("<100001 OR <<100002") == Joined("OR", (Related("<", A), Related("<<", B)))
    assert parse("100001 MINUS 100002") == Joined("MINUS", (A, B))
    assert parse("(100001 OR 100002) MINUS 100003") == Joined("MINUS", (Joined("OR", (A, B)), C))
    assert parse("< (100001 OR 100002)") == Related("<", Joined("OR", (A, B)))


def test_refinements() -> None:
    assert parse("100001 : 100002 = 100003") == Refined(A, Attribute(B, True, C))
    assert parse("*: <<100002 != <100003") == Refined(
        Anything(), Attribute(Related("<<", B), False, Related("<", C))
    )
    both = Conditions("AND", (Attribute(B, True, C), Attribute(C, True, B)))
    assert parse("100001: 100002 = 100003, 100003 = 100002") == Refined(A, both)
    assert parse("100001: (100002 = 100003 OR 100003 = 100002) AND 100002 = *") == Refined(
        A,
        Conditions(
            "AND",
            (
                Conditions("OR", (Attribute(B, True, C), Attribute(C, True, B))),
                Attribute(B, True, Anything()),
            ),
        ),
    )
    assert parse("100001: 100002 = (100003 OR 100002)") == Refined(
        A, Attribute(B, True, Joined("OR", (C, B)))
    )
    assert parse("100001: (100002 OR 100003) = 100002") == Refined(
        A, Attribute(Joined("OR", (B, C)), True, B)
    )
    assert parse("(100001: 100002 = 100003) OR 100003") == Joined(
        "OR", (Refined(A, Attribute(B, True, C)), C)
    )


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("", 1),
        ("100001 AND", 11),
        ("100001 AND 100002 OR 100003", 22),
        ("100001 MINUS 100002 MINUS 100003", 27),
        ("(100001", 8),
        ("100001)", 7),
        ("12", 1),
        ("100001 : 100002", 16),
        ("100001 = 100002", 8),
        ("<< ", 4),
        ("100001 ? 100002", 8),
        ("100001: 100002 = 100003 OR 100003 = 100002 AND 100002 = 100003", 44),
    ],
)
def test_what_is_wrong_is_refused_with_its_position(text: str, position: int) -> None:
    with pytest.raises(FhirError) as refused:
        parse(text)
    assert refused.value.issues[0].code == "invalid"
    assert f"at character {position}" in refused.value.issues[0].text


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("100001: { 100002 = 100003 }", "groups"),
        ("100001: [0..1] 100002 = 100003", "cardinalities"),
        ("100001: R 100002 = 100003", "reversed"),
        ("100001 . 100002", "dotted"),
        ("100001: 100002 = #5", "concrete values"),
        ("100001 {{ term = 'x' }}", "filters"),
    ],
)
def test_what_is_not_supported_is_named(text: str, what: str) -> None:
    with pytest.raises(FhirError) as refused:
        parse(text)
    assert refused.value.issues[0].code == "not-supported"
    assert what in refused.value.issues[0].text


@pytest.mark.parametrize("text", ["(" * (DEEPEST + 5) + "100001" + ")" * (DEEPEST + 5), "1" * (LONGEST + 1)])
def test_what_is_too_long_or_too_deep_is_refused(text: str) -> None:
    with pytest.raises(FhirError) as refused:
        parse(text)
    assert refused.value.issues[0].code == "too-costly"


def test_the_concepts_that_are_named() -> None:
    assert codes(parse("< 100001 MINUS (^ 100002: 100003 = *)")) == {"100001", "100002", "100003"}
