"""The walk through a resource: every place is reached, what is broken is left alone, nothing grows without an end.

Source: http://hl7.org/fhir/R4/validation.html
"""

from __future__ import annotations

from typing import Any

from ig.offline import Offline
from resources.validate.asks import Verdict
from resources.validate.explain import MAX_ISSUES
from resources.validate.options import Options
from resources.validate.validator import validate
from tests.unit.resources.validate.rules.makers import coded, component, observation, patient
from tests.unit.resources.validate.rules.profiled import MINE, Known, pairs, profile, told

Json = dict[str, Any]
BASE = Options()
BY_CODE = {"discriminator": [{"type": "value", "path": "code"}], "rules": "closed"}
OUTSIDE = Verdict(False, "not-in-value-set")
MARITAL = "http://hl7.org/fhir/ValueSet/marital-status"


def test_a_valid_resource_has_no_issues() -> None:
    assert validate(patient(name=[{"family": "x"}], birthDate="1970"), Known()) == []


def test_what_is_no_resource_is_told_and_nothing_else() -> None:
    assert [each.id for each in validate({"resourceType": "Nothing"}, Known())] == ["resource-type-unknown"]
    assert [each.id for each in validate([], Known())] == ["resource-not-object"]  # type: ignore[arg-type]


def test_an_extensible_binding_is_looked_up_and_a_proved_one_is_not() -> None:
    resource = patient(maritalStatus=coded("x"), gender="male")
    found = told(resource, options=BASE, codes={(MARITAL, "x"): OUTSIDE})
    assert [(each.id, each.severity, each.expression[0]) for each in found] == [
        ("binding-extensible", "warning", "Patient.maritalStatus")
    ]


def test_a_stronger_binding_of_a_profile_is_looked_up() -> None:
    bound = {"strength": "required", "valueSet": "http://example.com/vs"}
    strict = profile("p", "Patient", {"path": "Patient.maritalStatus", "binding": bound})
    codes = {("http://example.com/vs", "x"): OUTSIDE, (MARITAL, "x"): Verdict(True)}
    found = told(patient(maritalStatus=coded("x")), strict, codes=codes)
    assert pairs(found) == [("binding-required", "Patient.maritalStatus")]


def test_a_quantity_of_a_choice_of_a_component_is_reached() -> None:
    resource = observation(component=[component("a", valueRatio={"denominator": {"value": 1}})])
    found = told(resource, options=BASE)
    assert [(each.text[:5], each.expression[0]) for each in found] == [
        ("rat-1", "Observation.component[0].value")
    ]


def test_items_inside_of_items_are_reached_through_content_references() -> None:
    item: Json = {"linkId": "3", "type": "display", "text": "x", "required": True}
    for at in (2, 1):
        item = {"linkId": str(at), "type": "group", "item": [item]}
    found = told({"resourceType": "Questionnaire", "status": "draft", "item": [item]}, options=BASE)
    assert [(each.text[:5], each.expression[0]) for each in found] == [
        ("que-6", "Questionnaire.item[0].item[0].item[0]")
    ]


def test_resources_inside_of_parameters_are_reached() -> None:
    inner = patient(contact=[{"gender": "male"}])
    parameters = {"resourceType": "Parameters", "parameter": [{"name": "x", "resource": inner}]}
    found = [each.expression[0] for each in told(parameters, options=BASE) if each.id == "invariant-failed"]
    assert found == ["Parameters.parameter[0].resource.contact[0]"]


def test_rules_go_on_beside_what_is_broken() -> None:
    resource = patient(name="text", contact=[{"gender": "male"}, 5], telecom=[{"value": "1"}])
    assert pairs(told(resource, options=BASE)) == [
        ("array-expected", "Patient.name"),
        ("object-expected", "Patient.contact[1]"),
        ("invariant-failed", "Patient.contact[0]"),
        ("invariant-failed", "Patient.telecom[0]"),
    ]


def test_what_surrounds_something_broken_is_not_judged_by_its_content() -> None:
    resource = observation(valueRange={"low": {"value": "2"}, "high": {"value": 1}})
    assert pairs(told(resource, options=BASE)) == [("value-format", "Observation.value.low.value")]


def test_an_unknown_element_does_not_end_the_profile_s_rules() -> None:
    strict = profile("p", "Patient", {"path": "Patient.gender", "min": 1})
    assert pairs(told(patient(surname="x"), strict)) == [
        ("element-unknown", "Patient.surname"),
        ("cardinality-min", "Patient.gender"),
    ]


def test_any_broken_shape_is_survived() -> None:
    shapes: list[Any] = [None, 5, "x", [], {}, [None], [5], ["x"], [[]], [{}], {"x": 1}]
    strict = profile(
        "p",
        "Observation",
        {
            "path": "Observation.component",
            "slicing": {"discriminator": [{"type": "value", "path": "code"}], "rules": "closed"},
        },
        {"path": "Observation.component", "sliceName": "a", "min": 1},
        {
            "id": "Observation.component:a.code",
            "path": "Observation.component.code",
            "patternCodeableConcept": coded("a"),
        },
        {"path": "Observation.subject", "min": 1},
        {"path": "Observation.value[x]", "type": [{"code": "Quantity"}]},
    )
    keys = (
        "component",
        "code",
        "subject",
        "meta",
        "contained",
        "extension",
        "text",
        "valueQuantity",
        "_status",
        "id",
    )
    for key in keys:
        for shape in shapes:
            told(observation(component=[component("a")]) | {key: shape}, strict)
            told(observation(component=[component("a") | {key: shape}]), strict)
            bundle = {
                "resourceType": "Bundle",
                "type": "batch",
                "entry": [{"resource": observation() | {key: shape}}],
            }
            assert told(bundle, options=BASE)


def test_errors_end_at_the_limit_and_warnings_do_not_hide_them() -> None:
    contacts = [{"gender": "male"} for _ in range(MAX_ISSUES + 5)]
    found = told(patient(contact=contacts), options=BASE)
    assert [each.id for each in found].count("invariant-failed") == MAX_ISSUES
    assert found[-1].id == "issues-limit"
    blank = [{"text": " ", "use": "official"} for _ in range(MAX_ISSUES + 5)]
    found = told(patient(name=blank, contact=contacts[:1]), options=BASE)
    assert [each.id for each in found][-2:] == ["invariant-failed", "issues-limit"]
    assert len(found) == MAX_ISSUES + 2


def test_profiles_that_refer_to_each_other_come_to_an_end() -> None:
    at = "Patient.link.other"
    first = profile("p", "Patient", {"path": at, "type": [{"code": "Reference", "profile": [MINE + "q"]}]})
    second = profile(
        "q",
        "Reference",
        {
            "path": "Reference",
            "constraint": [
                {
                    "key": "my-1",
                    "severity": "error",
                    "human": "x",
                    "expression": f"resolve().conformsTo('{MINE}p')",
                }
            ],
        },
        kind="complex-type",
    )
    whole = patient(
        contained=[patient(id="a", link=[{"other": {"reference": "#a"}, "type": "refer"}])],
        link=[{"other": {"reference": "#a"}, "type": "refer"}],
    )
    assert "invariant-failed" not in [each.id for each in told(whole, first, second)]


def test_a_code_system_that_is_not_loaded_is_told_once_with_all_its_places() -> None:
    codings = [{"system": "http://nowhere.test/cs", "code": code} for code in "abbcdefg"]
    resource = {"resourceType": "Observation", "status": "final", "code": {"coding": codings}}
    found = [one for one in validate(resource, Offline()) if one.id == "code-unknown-system"]
    assert [list(one.expression) for one in found] == [[f"Observation.code.coding[{n}]" for n in range(8)]]
    assert "each of a, b, c, d, e and 2 more" in found[0].text
    alone = validate(resource | {"code": {"coding": codings[:1]}}, Offline())
    assert "Whether a is a code cannot be told" in next(
        o.text for o in alone if o.id == "code-unknown-system"
    )
