"""What a profile asks of elements: how many, of which type, which value.

Source: http://hl7.org/fhir/R4/elementdefinition.html
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from resources.validate.options import Options
from tests.unit.resources.validate.rules.makers import coded, component, observation, patient, quantity
from tests.unit.resources.validate.rules.profiled import MINE, pairs, profile, told


def test_an_element_that_is_required_must_be_there() -> None:
    strict = profile("p", "Observation", {"path": "Observation.subject", "min": 1})
    assert pairs(told(observation(), strict)) == [("cardinality-min", "Observation.subject")]
    assert told(observation(subject={"display": "me"}), strict) == []


def test_an_element_required_inside_of_another_is_asked_for_where_that_is() -> None:
    strict = profile("p", "Observation", {"path": "Observation.component.value[x]", "min": 1})
    assert told(observation(), strict) == []
    found = told(observation(component=[component("a", valueString="x"), component("b")]), strict)
    assert pairs(found) == [("cardinality-min", "Observation.component[1].value")]


def test_a_primitive_with_an_extension_only_counts_as_present() -> None:
    strict = profile("p", "Patient", {"path": "Patient.birthDate", "min": 1})
    absent = {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"}
    assert told(patient(_birthDate={"extension": [absent]}), strict) == []


def test_no_more_than_the_profile_allows() -> None:
    strict = profile(
        "p", "Patient", {"path": "Patient.name", "max": "1"}, {"path": "Patient.photo", "max": "0"}
    )
    found = told(patient(name=[{"text": "a"}, {"text": "b"}], photo=[{"title": "x"}]), strict)
    assert sorted(pairs(found)) == [("cardinality-max", "Patient.name"), ("cardinality-max", "Patient.photo")]


def test_only_the_types_that_the_profile_allows() -> None:
    strict = profile("p", "Observation", {"path": "Observation.value[x]", "type": [{"code": "Quantity"}]})
    assert pairs(told(observation(valueString="x"), strict)) == [("type-not-allowed", "Observation.value")]
    assert told(observation(valueQuantity={"value": 1}), strict) == []


def test_a_fixed_value_is_exact() -> None:
    strict = profile("p", "Observation", {"path": "Observation.code", "fixedCodeableConcept": coded("a")})
    assert told(observation(), strict) == []
    more = observation(code=coded("a") | {"text": "more"})
    assert pairs(told(more, strict)) == [("fixed-value", "Observation.code")]


def test_a_pattern_allows_more_beside_it() -> None:
    strict = profile("p", "Observation", {"path": "Observation.code", "patternCodeableConcept": coded("a")})
    both = {
        "coding": [{"code": "b", "system": "http://example.com/b"}, *coded("a")["coding"]],
        "text": "more",
    }
    assert told(observation(code=both), strict) == []
    assert pairs(told(observation(code=coded("b")), strict)) == [("pattern-missing", "Observation.code")]


@pytest.mark.parametrize(
    ("least", "value", "wrong"),
    [
        ({"minValueInteger": 3}, {"valueInteger": 2}, True),
        ({"minValueInteger": 3}, {"valueInteger": 3}, False),
        ({"minValueDateTime": "2020-03"}, {"valueDateTime": "2020-02-28"}, True),
        ({"minValueDateTime": "2020-03"}, {"valueDateTime": "2020"}, False),
        ({"minValueTime": "08:00:00"}, {"valueTime": "07:59:59"}, True),
        ({"minValueQuantity": quantity(1)}, {"valueQuantity": quantity(2)}, False),
        ({"minValueQuantity": quantity(3)}, {"valueQuantity": quantity(2)}, True),
        ({"minValueQuantity": quantity(3)}, {"valueQuantity": quantity(2, "mL")}, False),
        ({"minValueQuantity": {"value": Decimal(1), "code": "d"}}, {"valueDateTime": "1990-01-01"}, True),
        ({"maxValueQuantity": {"value": Decimal(1), "code": "d"}}, {"valueDateTime": "2990-01-01"}, True),
        ({"maxValueQuantity": {"value": Decimal(1), "code": "a"}}, {"valueDateTime": "1990-01-01"}, False),
    ],
)
def test_limits_are_refused_only_where_the_value_is_surely_beyond(
    least: dict[str, Any], value: dict[str, Any], wrong: bool
) -> None:
    code = next(iter(value)).removeprefix("value")
    code = code if code == "Quantity" else code[0].lower() + code[1:]
    strict = profile("p", "Observation", {"path": "Observation.value[x]", "type": [{"code": code}], **least})
    found = [each.id for each in told(observation(**value), strict)]
    assert found == (
        (["value-too-small"] if "min" in next(iter(least)) else ["value-too-large"]) if wrong else []
    )


def test_a_text_may_not_be_longer_than_its_longest() -> None:
    strict = profile("p", "Patient", {"path": "Patient.name.text", "maxLength": 3})
    assert pairs(told(patient(name=[{"text": "abcd"}]), strict)) == [
        ("value-too-long", "Patient.name[0].text")
    ]
    assert told(patient(name=[{"text": "abc"}]), strict) == []


def test_must_support_is_told_only_when_asked_for() -> None:
    supporting = profile("p", "Patient", {"path": "Patient.name", "mustSupport": True})
    assert told(patient(), supporting) == []
    found = told(patient(), supporting, options=Options(profiles=(MINE + "p",), must_support=True))
    assert [(each.id, each.severity) for each in found] == [("must-support-absent", "information")]
    assert (
        told(patient(name=[{"text": "x"}]), supporting, options=Options((MINE + "p",), must_support=True))
        == []
    )


def test_a_type_profile_is_asked_of_the_element() -> None:
    short = profile("short", "HumanName", {"path": "HumanName.text", "min": 1}, kind="complex-type")
    strict = profile(
        "p", "Patient", {"path": "Patient.name", "type": [{"code": "HumanName", "profile": [MINE + "short"]}]}
    )
    found = told(patient(name=[{"text": "a"}, {"family": "b"}]), strict, short)
    assert pairs(found) == [("cardinality-min", "Patient.name[1].text")]


def test_one_of_several_type_profiles_is_enough() -> None:
    short = profile("short", "HumanName", {"path": "HumanName.text", "min": 1}, kind="complex-type")
    family = profile("family", "HumanName", {"path": "HumanName.family", "min": 1}, kind="complex-type")
    wanted = [{"code": "HumanName", "profile": [MINE + "short", MINE + "family"]}]
    strict = profile("p", "Patient", {"path": "Patient.name", "type": wanted})
    found = told(patient(name=[{"text": "a"}, {"family": "b"}, {"given": ["c"]}]), strict, short, family)
    assert pairs(found) == [("type-profile-none", "Patient.name[2]")]


def test_a_profile_of_a_profile_asks_for_both() -> None:
    first = profile("first", "Patient", {"path": "Patient.name", "min": 1})
    second = profile("second", "Patient", {"path": "Patient.gender", "min": 1}, base=MINE + "first")
    third = profile("third", "Patient", {"path": "Patient.birthDate", "min": 1}, base=MINE + "second")
    found = told(patient(), third, second, first)
    assert [path for _, path in pairs(found)] == ["Patient.name", "Patient.gender", "Patient.birthDate"]


def test_a_type_profile_of_a_primitive_is_asked_of_each() -> None:
    short = profile(
        "short",
        "boolean",
        {
            "path": "boolean",
            "constraint": [
                {"key": "my-1", "severity": "error", "human": "It must hold", "expression": "$this"}
            ],
        },
        kind="primitive-type",
    )
    typed = [{"code": "boolean", "profile": [MINE + "short"]}]
    strict = profile("p", "Patient", {"path": "Patient.communication.preferred", "type": typed})
    spoken = {"language": coded("en"), "preferred": False}
    found = told(patient(communication=[spoken, spoken]), strict, short)
    assert [path for message, path in pairs(found) if message == "invariant-failed"] == [
        "Patient.communication[0].preferred",
        "Patient.communication[1].preferred",
    ]
