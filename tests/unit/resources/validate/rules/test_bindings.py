"""Codes and bindings. Source: http://hl7.org/fhir/R4/terminologies.html#strength"""

from __future__ import annotations

from typing import Any

import pytest

from resources.profiles.nodes import Binding, Node, Strength
from resources.validate.asks import Verdict
from resources.validate.rules.bindings import check, check_coding, check_quantity
from tests.unit.resources.validate.rules.stage import Stage

IN, OUT = Verdict(True), Verdict(False, "not-in-value-set")
CODES = {("vs", "in"): IN, ("vs", "out"): OUT, ("big", "out"): OUT, ("big", "in"): IN}


def node(strength: Strength, largest: str = "") -> Node:
    return Node("X.code", "X.code", "code", binding=Binding(strength, "vs", largest))


def coding(code: str) -> dict[str, Any]:
    return {"system": "http://s.org", "code": code}


def said(strength: Strength, code: str, value: Any, largest: str = "") -> list[tuple[str, str]]:
    stage = Stage(CODES)
    check(stage, node(strength, largest), code, value, "X.code")
    return stage.said


@pytest.mark.parametrize(
    ("strength", "message"),
    [
        ("required", ["binding-required"]),
        ("extensible", ["binding-extensible"]),
        ("preferred", ["binding-preferred"]),
        ("example", []),
    ],
)
def test_each_strength_has_its_own_message(strength: Strength, message: list[str]) -> None:
    values = {"code": "out", "Coding": coding("out"), "CodeableConcept": {"coding": [coding("out")]}}
    values |= {"string": "out", "uri": "out", "Quantity": {"value": 1, **coding("out")}}
    for kind, value in values.items():
        assert [one for one, _ in said(strength, kind, value)] == message, kind


def test_one_coding_of_the_value_set_is_enough() -> None:
    assert said("required", "CodeableConcept", {"coding": [coding("out"), coding("in")]}) == []


def test_beyond_the_largest_value_set_is_an_error() -> None:
    assert said("preferred", "code", "out", "big") == [
        ("binding-preferred", "X.code"),
        ("binding-max", "X.code"),
    ]


def test_text_alone_is_refused_where_a_code_is_required() -> None:
    assert said("required", "CodeableConcept", {"text": "x"}) == [("binding-text-only", "X.code")]
    assert said("extensible", "CodeableConcept", {"text": "x"}) == [
        ("binding-text-only-extensible", "X.code")
    ]
    assert said("required", "CodeableConcept", {"extension": [{"url": "http://x.org"}]}) == []


def test_a_value_set_that_is_not_known_is_a_warning_and_not_a_no() -> None:
    stage = Stage()
    check(stage, node("required"), "code", "any", "X.code")
    assert [(one.id, one.severity) for one in stage.issues] == [("valueset-unknown", "warning")]


def test_nothing_is_said_while_the_answer_is_on_its_way() -> None:
    stage = Stage(pending=True)
    check(stage, node("required"), "code", "any", "X.code")
    check_coding(stage, coding("x"), "X.code")
    assert stage.issues == []
    assert len(stage.asks.asked) == 2


@pytest.mark.parametrize(
    ("verdict", "message", "where", "severity"),
    [
        (Verdict(False, "unknown-code"), "code-unknown", "C.code", "error"),
        (Verdict(None, "unknown-system", "not loaded"), "code-unknown-system", "C", "warning"),
        (Verdict(True, "wrong-display", display="Right"), "display-wrong", "C.display", "warning"),
        (Verdict(True, "inactive"), "code-inactive", "C.code", "warning"),
        (Verdict(True, "abstract"), "code-abstract", "C.code", "warning"),
    ],
)
def test_what_is_wrong_about_a_coding_is_said_where_it_stands(
    verdict: Verdict, message: str, where: str, severity: str
) -> None:
    stage = Stage({("", "c"): verdict})
    check_coding(stage, coding("c") | {"display": "Wrong"}, "C")
    assert [(one.id, one.expression[0], one.severity) for one in stage.issues] == [(message, where, severity)]


def test_a_code_needs_a_system_that_is_an_absolute_uri_and_no_value_set() -> None:
    stage = Stage()
    check_coding(stage, {"code": "c"}, "C")
    check_coding(stage, {"code": "c", "system": "local"}, "C")
    check_coding(stage, {"code": "c", "system": "http://hl7.org/fhir/ValueSet/x"}, "C")
    assert stage.said == [
        ("coding-without-system", "C"),
        ("coding-relative-system", "C.system"),
        ("coding-valueset-as-system", "C.system"),
    ]


def test_a_unit_that_is_none_of_ucum_is_an_error() -> None:
    stage = Stage({("", "mgx"): Verdict(False, "unknown-code"), ("", "mg"): IN})
    for code in ("mg", "mgx"):
        check_quantity(stage, {"system": "http://unitsofmeasure.org", "code": code}, "Q")
    assert stage.said == [("unit-invalid", "Q.code")]
