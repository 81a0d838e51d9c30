"""Each base rule: what breaks it is refused with issue code, expression and text; its neighbour is accepted."""

from __future__ import annotations

from copy import deepcopy
from decimal import Decimal
from typing import Any

import pytest

from resources.codec.json import dump_json
from resources.outcome import FhirError, operation_outcome
from resources.validate import accepts, check, explain
from resources.validate.explain import MAX_ISSUES, errors

EXT = {"url": "http://example.org/e", "valueString": "x"}
BESIDE = {"extension": [EXT]}


def patient(**elements: Any) -> dict[str, Any]:
    """Return a Patient with the elements given."""
    return {"resourceType": "Patient", **elements}


def observation(**elements: Any) -> dict[str, Any]:
    """Return a valid Observation, changed by the elements given (None removes one)."""
    base: dict[str, Any] = {
        "resourceType": "Observation",
        "status": "final",
        "code": {"text": "c"},
    } | elements
    return {key: value for key, value in base.items() if value is not None}


def extended(value: dict[str, Any]) -> dict[str, Any]:
    """Return a Patient with one extension of the content given."""
    return patient(extension=[{"url": "http://example.org/e", **value}])


def condition(**elements: Any) -> dict[str, Any]:
    """Return a valid Condition with the elements given."""
    return {"resourceType": "Condition", "subject": {"reference": "Patient/1"}, **elements}


def bundle(*resources: Any) -> dict[str, Any]:
    """Return a collection of the resources given."""
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": r} for r in resources]}


def coded(code: str, system: str = "condition-clinical") -> dict[str, Any]:
    """Return a CodeableConcept."""
    return {"coding": [{"system": f"http://terminology.hl7.org/CodeSystem/{system}", "code": code}]}


REFUSED: dict[str, tuple[Any, str, str, str]] = {
    "unknown element": (patient(nme="x"), "structure", "Patient.nme", "Unknown element"),
    "unknown element below": (
        patient(name=[{"first": "x"}]),
        "structure",
        "Patient.name[0].first",
        "Unknown",
    ),
    "resourceType in a data type": (
        patient(name=[{"resourceType": "HumanName", "family": "x"}]),
        "structure",
        "Patient.name[0].resourceType",
        "Unknown",
    ),
    "array where one is due": (patient(gender=["male"]), "value", "Patient.gender", "is not"),
    "object where a string is due": (patient(gender={"a": 1}), "value", "Patient.gender", "an object is not"),
    "scalar where an array is due": (
        patient(name={"family": "x"}),
        "structure",
        "Patient.name",
        "JSON array",
    ),
    "string where an object is due": (patient(name=["x"]), "structure", "Patient.name[0]", "JSON object"),
    "array in an array": (patient(name=[[{"family": "x"}]]), "structure", "Patient.name[0]", "an array"),
    "missing mandatory element": (observation(status=None), "required", "Observation.status", "must have"),
    "missing mandatory choice": (
        {
            "resourceType": "MedicationRequest",
            "status": "active",
            "intent": "order",
            "subject": {"display": "x"},
        },
        "required",
        "MedicationRequest.medication",
        "medication[x]",
    ),
    "two of a choice": (
        observation(valueString="x", valueInteger=1),
        "structure",
        "Observation.value",
        "valueInteger, valueString",
    ),
    "two of a choice, one by extension": (
        observation(valueString="x", _valueInteger=BESIDE),
        "structure",
        "Observation.value",
        "valueInteger, valueString",
    ),
    "wrong type of a choice": (
        observation(valueDecimal=Decimal("1.0")),
        "structure",
        "Observation.valueDecimal",
        "",
    ),
    "null": (patient(birthDate=None), "structure", "Patient.birthDate", "null"),
    "empty object": (patient(name=[{}]), "structure", "Patient.name[0]", "empty"),
    "empty array": (patient(name=[]), "structure", "Patient.name", "empty"),
    "empty string": (patient(language=""), "value", "Patient.language", "is not"),
    "only an id": (patient(name=[{"id": "a"}]), "invariant", "Patient.name[0]", "ele-1"),
    "code not in a required value set": (
        patient(gender="robot"),
        "code-invalid",
        "Patient.gender",
        "female, male",
    ),
    "concept not in a required value set": (
        condition(clinicalStatus=coded("fine")),
        "code-invalid",
        "Condition.clinicalStatus",
        "no coding of",
    ),
    "concept of another system": (
        condition(clinicalStatus=coded("active", "allergyintolerance-clinical")),
        "code-invalid",
        "Condition.clinicalStatus",
        "active",
    ),
    "text only under a required binding": (
        condition(clinicalStatus={"text": "active"}),
        "code-invalid",
        "Condition.clinicalStatus",
        "active",
    ),
    "extension without url": (
        patient(extension=[{"valueString": "x"}]),
        "required",
        "Patient.extension[0].url",
        "'url'",
    ),
    "extension with value and extensions": (
        extended({"valueString": "x", "extension": [EXT]}),
        "invariant",
        "Patient.extension[0]",
        "ext-1",
    ),
    "extension with nothing": (extended({}), "invariant", "Patient.extension[0]", "ext-1"),
    "extension with two values": (
        extended({"valueString": "x", "valueCode": "x"}),
        "structure",
        "Patient.extension[0].value",
        "Only one",
    ),
    "wrong value in a nested extension": (
        extended({"extension": [{"url": "a", "valueBoolean": "true"}]}),
        "value",
        "Patient.extension[0].extension[0].value",
        "true or false",
    ),
    "beside what is no primitive": (patient(_name=[BESIDE]), "structure", "Patient.name", "cannot carry"),
    "beside nothing known": (patient(_nme=BESIDE), "structure", "Patient.nme", "Unknown"),
    "beside the id": (patient(id="a", _id=BESIDE), "structure", "Patient.id", "cannot carry"),
    "beside as array": (patient(_birthDate=[BESIDE]), "structure", "Patient.birthDate", "object"),
    "beside an array as object": (
        patient(name=[{"given": ["a"], "_given": BESIDE}]),
        "structure",
        "Patient.name[0].given",
        "JSON array",
    ),
    "id without value": (patient(_birthDate={"id": "a"}), "invariant", "Patient.birthDate", "ele-1"),
    "beside with other elements": (
        patient(birthDate="2020", _birthDate={"value": "x"}),
        "structure",
        "Patient.birthDate.value",
        "Unknown",
    ),
    "wrong extension beside": (
        patient(_birthDate={"extension": [{"url": "x"}]}),
        "invariant",
        "Patient.birthDate.extension[0]",
        "ext-1",
    ),
    "wrong value with good extension": (
        patient(birthDate="x", _birthDate=BESIDE),
        "value",
        "Patient.birthDate",
        "is not",
    ),
    "null value with extension": (
        patient(birthDate=None, _birthDate=BESIDE),
        "structure",
        "Patient.birthDate",
        "",
    ),
    "arrays of two lengths": (
        patient(name=[{"given": ["a", "b"], "_given": [BESIDE]}]),
        "structure",
        "Patient.name[0].given",
        "one length",
    ),
    "null in both arrays": (
        patient(name=[{"given": ["a", None], "_given": [BESIDE, None]}]),
        "structure",
        "Patient.name[0].given[1]",
        "null in both",
    ),
    "null in an array alone": (
        patient(name=[{"given": [None]}]),
        "structure",
        "Patient.name[0].given[0]",
        "null",
    ),
    "null among objects": (patient(name=[None]), "structure", "Patient.name[0]", "null"),
    "contained in contained": (
        patient(contained=[patient(id="a", contained=[patient(id="b")])]),
        "invariant",
        "Patient.contained[0].contained",
        "dom-2",
    ),
    "wrong contained": (
        patient(contained=[patient(gender="x")]),
        "code-invalid",
        "Patient.contained[0].gender",
        "",
    ),
    "contained of no type": (
        patient(contained=[{"id": "a"}]),
        "structure",
        "Patient.contained[0]",
        "resourceType",
    ),
    "contained of abstract type": (
        patient(contained=[{"resourceType": "DomainResource"}]),
        "structure",
        "Patient.contained[0]",
        "Unknown resource type",
    ),
    "wrong entry": (bundle(patient(), patient(active="x")), "value", "Bundle.entry[1].resource.active", ""),
    "wrong parameter": (
        {"resourceType": "Parameters", "parameter": [{"name": "a", "resource": patient(gender="x")}]},
        "code-invalid",
        "Parameters.parameter[0].resource.gender",
        "",
    ),
    "relative reference to no type": (
        observation(subject={"reference": "Patients/1"}),
        "value",
        "Observation.subject.reference",
        "Type/id",
    ),
    "reference without id": (
        observation(subject={"reference": "Patient/"}),
        "value",
        "Observation.subject.reference",
        "",
    ),
    "reference with too much": (
        observation(subject={"reference": "Patient/1/name"}),
        "value",
        "Observation.subject.reference",
        "",
    ),
    "recursive element": (
        {
            "resourceType": "Questionnaire",
            "status": "active",
            "item": [{"linkId": "1", "type": "group", "item": [{"linkId": "2"}]}],
        },
        "required",
        "Questionnaire.item[0].item[0].type",
        "'type'",
    ),
}


@pytest.mark.parametrize(("resource", "code", "expression", "text"), REFUSED.values(), ids=REFUSED.keys())
def test_what_breaks_a_rule_is_refused(resource: Any, code: str, expression: str, text: str) -> None:
    before = deepcopy(resource)
    found = [(i.code, *i.expression) for i in errors(explain(resource)) if text in i.text]
    assert (code, expression) in found
    assert not accepts(resource)
    with pytest.raises(FhirError) as refusal:
        check(resource)
    assert refusal.value.status == 422
    assert resource == before


ACCEPTED: dict[str, Any] = {
    "nothing but a type": patient(),
    "value by extension only": patient(_birthDate=BESIDE),
    "value with id beside": patient(birthDate="2020-02-29", _birthDate={"id": "a"}),
    "arrays filled with null": patient(
        name=[{"given": ["a", None], "_given": [None, BESIDE]}, {"_given": [BESIDE]}, {"given": ["a"]}]
    ),
    "mandatory element by extension only": observation(status=None, _status=BESIDE),
    "choice by extension only": observation(_valueString=BESIDE),
    "choice with extension": observation(valueString="x", _valueString=BESIDE),
    "extension in an extension": extended({"extension": [EXT]}),
    "extension valued by extension": extended({"_valueString": BESIDE}),
    "extension with id": extended({"valueString": "x", "id": "a"}),
    "required binding in several codings": condition(
        clinicalStatus={"coding": [{"code": "local"}, *coded("active")["coding"]]}
    ),
    "required binding by extension": condition(clinicalStatus=BESIDE),
    "references": observation(
        performer=[
            {"reference": reference}
            for reference in (
                "Patient/1",
                "Patient/1/_history/2",
                "Patient?identifier=a|b",
                "#a",
                "#",
                "urn:uuid:c757873d-ec9a-4326-a141-556f43239520",
                "https://example.org/fhir/Patient/1",
            )
        ]
    ),
    "logical reference": observation(subject={"identifier": {"value": "x"}, "display": "x"}),
    "bundle in a bundle with contained": bundle(bundle(patient(contained=[patient(id="a")]))),
    "white space only warns": patient(name=[{"text": " "}]),
}


@pytest.mark.parametrize("resource", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_what_keeps_the_rules_is_accepted(resource: Any) -> None:
    assert list(errors(explain(resource))) == []
    assert accepts(resource)
    check(resource)


@pytest.mark.parametrize(
    "resource", [{}, {"resourceType": "Person1"}, {"resourceType": "Resource"}, {"resourceType": 1}]
)
def test_unknown_resource_type_is_a_bad_request(resource: Any) -> None:
    with pytest.raises(FhirError) as refusal:
        check(resource)
    assert refusal.value.status == 400


def test_all_problems_are_listed_together() -> None:
    resource = observation(status="x", code=None, valueQuantity={"value": "1", "unit": 3}, foo=1)
    found = {issue.expression[0] for issue in errors(explain(resource))}
    assert found == {
        "Observation.status",
        "Observation.code",
        "Observation.value.value",
        "Observation.value.unit",
        "Observation.foo",
    }


def test_the_list_of_problems_has_an_end() -> None:
    issues = explain(patient(name=[{"family": 1}] * (MAX_ISSUES + 5)))
    assert len(issues) == MAX_ISSUES + 1
    assert issues[-1].severity == "information"


def test_a_problem_is_told_shortly_and_in_text_that_json_can_hold() -> None:
    issues = explain(patient(**{"k" * 10_000: 1, "gender": "x" * 10_000, "language": "a\ud800\x00 "}))
    assert len(issues) == 3
    assert all(len(issue.text) + len(issue.expression[0]) < 300 for issue in issues)
    assert dump_json(operation_outcome(issues))
