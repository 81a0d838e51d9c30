"""Slicing: every kind of discriminator, order, rules for the rest, slices of slices.

Source: http://hl7.org/fhir/R4/profiling.html#slicing
"""

from __future__ import annotations

from typing import Any

import pytest

from resources.validate.asks import Target, Verdict
from resources.validate.options import Options
from tests.unit.resources.validate.rules.makers import coded, component, observation, patient
from tests.unit.resources.validate.rules.profiled import MINE, R4, pairs, profile, told

Json = dict[str, Any]
COMPONENT = "Observation.component"


def sliced(kind: str, path: str, rules: str = "open", ordered: bool = False, at: str = COMPONENT) -> Json:
    """Return the element that is sliced."""
    slicing = {"discriminator": [{"type": kind, "path": path}], "rules": rules, "ordered": ordered}
    return {"path": at, "slicing": slicing}


def piece(name: str, at: str = COMPONENT, **more: Any) -> Json:
    """Return a slice."""
    return {"path": at, "sliceName": name} | more


def inside(name: str, path: str, at: str = COMPONENT, **more: Any) -> Json:
    """Return an element inside of a slice."""
    return {"id": f"{at}:{name}.{path}", "path": f"{at}.{path}"} | more


def by_code(
    *names: str, rules: str = "open", ordered: bool = False, minimum: int = 0, fixed: bool = False
) -> Json:
    """Return a profile that slices components by their code."""
    key = "fixedCodeableConcept" if fixed else "patternCodeableConcept"
    pieces = [
        element
        for name in names
        for element in (
            piece(name, min=minimum, max="1"),
            inside(name, "code", COMPONENT, **{key: coded(name)}),
            inside(name, "value[x]", min=1),
        )
    ]
    return profile(
        "p", "Observation", sliced("value" if fixed else "pattern", "code", rules, ordered), *pieces
    )


@pytest.mark.parametrize("fixed", [True, False])
def test_items_are_told_apart_by_a_fixed_value_or_pattern(fixed: bool) -> None:
    strict = by_code("a", "b", fixed=fixed)
    found = told(
        observation(component=[component("a", valueString="x"), component("b"), component("c")]), strict
    )
    assert pairs(found) == [("cardinality-min", "Observation.component[1].value")]


def test_a_slice_has_a_least_and_greatest_number() -> None:
    strict = by_code("a", "b", minimum=1)
    twice = [component("a", valueString="x"), component("a", valueString="y")]
    assert pairs(told(observation(component=twice), strict)) == [
        ("slice-max", "Observation.component"),
        ("slice-min", "Observation.component"),
    ]


def test_a_slice_that_is_required_is_missed_where_the_element_is_absent() -> None:
    assert pairs(told(observation(), by_code("a", minimum=1))) == [("slice-min", "Observation.component")]


def test_a_closed_slicing_allows_nothing_else() -> None:
    strict = by_code("a", rules="closed")
    found = told(observation(component=[component("a", valueString="x"), component("z")]), strict)
    assert pairs(found) == [("slice-unmatched", "Observation.component[1]")]


def test_what_is_open_at_the_end_stands_only_there() -> None:
    strict = by_code("a", "b", rules="openAtEnd")
    fine = [component("a", valueString="x"), component("b", valueString="x"), component("z")]
    assert told(observation(component=fine), strict) == []
    found = told(observation(component=[fine[0], fine[2], fine[1]]), strict)
    assert pairs(found) == [("slice-at-end", "Observation.component[2]")]


def test_ordered_slices_come_in_their_order() -> None:
    strict = by_code("a", "b", ordered=True)
    a, b = component("a", valueString="x"), component("b", valueString="x")
    assert told(observation(component=[a, b]), strict) == []
    assert pairs(told(observation(component=[b, a]), strict)) == [("slice-order", "Observation.component[1]")]


def test_several_discriminators_must_all_agree() -> None:
    strict = profile(
        "p",
        "Patient",
        {
            "path": "Patient.telecom",
            "slicing": {
                "discriminator": [{"type": "value", "path": "system"}, {"type": "value", "path": "use"}],
                "rules": "open",
            },
        },
        piece("work", "Patient.telecom", min=1),
        inside("work", "system", "Patient.telecom", fixedCode="phone"),
        inside("work", "use", "Patient.telecom", fixedCode="work"),
    )
    home = {"system": "phone", "use": "home", "value": "1"}
    assert pairs(told(patient(telecom=[home]), strict)) == [("slice-min", "Patient.telecom")]
    assert told(patient(telecom=[home | {"use": "work"}]), strict) == []


def test_a_value_may_be_fixed_further_down_than_the_path_says() -> None:
    strict = profile(
        "p",
        "Observation",
        sliced("value", "code"),
        piece("a", min=1),
        inside("a", "code.coding.code", fixedCode="a"),
    )
    assert told(observation(component=[component("a", valueString="x")]), strict) == []
    assert pairs(told(observation(component=[component("b")]), strict)) == [
        ("slice-min", "Observation.component")
    ]


def test_a_required_binding_tells_slices_apart() -> None:
    bound = {"strength": "required", "valueSet": "http://example.com/vs"}
    strict = profile(
        "p", "Observation", sliced("value", "code"), piece("a", min=1), inside("a", "code", binding=bound)
    )
    codes = {("http://example.com/vs", "in"): Verdict(True), ("http://example.com/vs", "out"): Verdict(False)}
    assert told(observation(component=[component("in")]), strict, codes=codes) == []
    found = told(observation(component=[component("out")]), strict, codes=codes)
    assert ("slice-min", "Observation.component") in pairs(found)


def test_where_a_code_cannot_be_told_no_slice_is_missed() -> None:
    bound = {"strength": "required", "valueSet": "http://example.com/vs"}
    strict = profile(
        "p",
        "Observation",
        sliced("value", "code", "closed"),
        piece("a", min=1),
        inside("a", "code", binding=bound),
    )
    assert told(observation(component=[component("in")]), strict) == []


def test_existence_tells_slices_apart() -> None:
    strict = profile(
        "p",
        "Observation",
        sliced("exists", "value"),
        piece("with", max="1"),
        inside("with", "value[x]", min=1),
        piece("without", max="1"),
        inside("without", "value[x]", max="0"),
        inside("without", "dataAbsentReason", min=1),
    )
    found = told(observation(component=[component("a", valueString="x"), component("b")]), strict)
    assert pairs(found) == [("cardinality-min", "Observation.component[1].dataAbsentReason")]


def test_the_type_of_a_choice_tells_slices_apart() -> None:
    strict = profile(
        "p",
        "Observation",
        {
            "path": "Observation.value[x]",
            "slicing": {"discriminator": [{"type": "type", "path": "$this"}], "rules": "closed"},
        },
        {
            "id": "Observation.value[x]:valueQuantity",
            "path": "Observation.value[x]",
            "sliceName": "valueQuantity",
            "type": [{"code": "Quantity"}],
        },
        {
            "id": "Observation.value[x]:valueQuantity.unit",
            "path": "Observation.value[x].unit",
            "min": 1,
        },
    )
    assert pairs(told(observation(valueQuantity={"value": 1}), strict)) == [
        ("cardinality-min", "Observation.value.unit")
    ]
    assert pairs(told(observation(valueString="x"), strict)) == [("slice-unmatched", "Observation.value")]


def test_the_resource_type_of_an_entry_tells_slices_apart() -> None:
    entry = "Bundle.entry"
    strict = profile(
        "p",
        "Bundle",
        sliced("type", "resource", at=entry),
        piece("patient", entry, min=1),
        inside("patient", "resource", entry, type=[{"code": "Patient"}]),
    )
    bundle: Json = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": observation()}]}
    assert ("slice-min", "Bundle.entry") in pairs(told(bundle, strict))
    bundle = bundle | {"entry": [{"resource": observation()}, {"resource": patient()}]}
    assert ("slice-min", "Bundle.entry") not in pairs(told(bundle, strict))


def test_the_type_of_a_reference_s_target_tells_slices_apart() -> None:
    at = "Observation.performer"
    strict = profile(
        "p",
        "Observation",
        sliced("type", "resolve()", at=at),
        piece("patient", at, max="1", type=[{"code": "Reference", "targetProfile": [R4 + "Patient"]}]),
    )
    two = [{"reference": "Patient/1"}, {"reference": "Patient/2"}]
    assert pairs(told(observation(performer=two), strict)) == [("slice-max", at)]
    assert told(observation(performer=[two[0], {"reference": "Practitioner/2"}]), strict) == []


def test_the_profile_of_a_reference_s_target_tells_slices_apart() -> None:
    at = "Observation.performer"
    named = profile("named", "Patient", {"path": "Patient.name", "min": 1})
    strict = profile(
        "p",
        "Observation",
        sliced("profile", "resolve()", at=at),
        piece("named", at, min=1, type=[{"code": "Reference", "targetProfile": [MINE + "named"]}]),
    )
    resource = observation(performer=[{"reference": "Patient/1"}])
    targets = {"Patient/1": Target("Patient", patient(id="1"))}
    assert pairs(told(resource, strict, named, targets=targets)) == [("slice-min", at)]
    targets = {"Patient/1": Target("Patient", patient(id="1", name=[{"text": "x"}]))}
    assert told(resource, strict, named, targets=targets) == []
    assert told(resource, strict, named, pending=["Patient/1"]) == []


def test_the_profile_of_a_contained_target_tells_slices_apart() -> None:
    at = "Observation.performer"
    named = profile("named", "Patient", {"path": "Patient.name", "min": 1})
    strict = profile(
        "p",
        "Observation",
        sliced("profile", "resolve()", at=at),
        piece("named", at, min=1, type=[{"code": "Reference", "targetProfile": [MINE + "named"]}]),
    )
    resource = observation(performer=[{"reference": "#1"}], contained=[patient(id="1")])
    assert pairs(told(resource, strict, named)) == [("slice-min", at)]


def test_extensions_inside_tell_slices_apart() -> None:
    url = "http://hl7.org/fhir/StructureDefinition/data-absent-reason"
    strict = profile(
        "p",
        "Patient",
        sliced("value", f"extension('{url}').value", at="Patient.name"),
        piece("masked", "Patient.name", min=1),
        {"id": "Patient.name:masked.extension", "path": "Patient.name.extension"},
        {
            "id": "Patient.name:masked.extension:reason",
            "path": "Patient.name.extension",
            "sliceName": "reason",
            "min": 1,
            "type": [{"code": "Extension", "profile": [url]}],
        },
        {
            "id": "Patient.name:masked.extension:reason.value[x]",
            "path": "Patient.name.extension.value[x]",
            "fixedCode": "masked",
        },
    )
    masked = {"extension": [{"url": url, "valueCode": "masked"}]}
    assert told(patient(name=[masked]), strict) == []
    unknown = {"extension": [{"url": url, "valueCode": "unknown"}]}
    assert pairs(told(patient(name=[unknown]), strict)) == [("slice-min", "Patient.name")]


def test_a_path_with_of_type_is_followed() -> None:
    strict = profile(
        "p",
        "Observation",
        sliced("value", "value.ofType(Quantity).code"),
        piece("mg", max="1"),
        inside("mg", "value[x]", type=[{"code": "Quantity"}]),
        inside("mg", "value[x].code", fixedCode="mg"),
    )
    mg = component("a", valueQuantity={"value": 1, "code": "mg", "system": "http://example.com"})
    assert pairs(told(observation(component=[mg, mg]), strict)) == [("slice-max", "Observation.component")]
    assert told(observation(component=[mg, component("b", valueString="mg")]), strict) == []


def test_the_item_itself_can_tell() -> None:
    strict = profile(
        "p",
        "Observation",
        sliced("pattern", "$this", at="Observation.category"),
        piece("vital", "Observation.category", min=1, patternCodeableConcept=coded("vital")),
    )
    assert told(observation(category=[coded("x"), coded("vital")]), strict) == []
    assert pairs(told(observation(category=[coded("x")]), strict)) == [("slice-min", "Observation.category")]


def test_a_slice_can_be_sliced_again() -> None:
    strict = profile(
        "p",
        "Observation",
        sliced("pattern", "code"),
        piece("a"),
        inside("a", "code", patternCodeableConcept=coded("a")),
        {
            "id": "Observation.component:a",
            "path": COMPONENT,
            "sliceName": "a",
            "slicing": {"discriminator": [{"type": "exists", "path": "value"}], "rules": "open"},
        },
    )
    elements = strict["differential"]["element"]
    elements[1] = elements.pop(3)
    elements += [
        {"id": "Observation.component:a/full", "path": COMPONENT, "sliceName": "a/full", "min": 1},
        {"id": "Observation.component:a/full.value[x]", "path": "Observation.component.value[x]", "min": 1},
    ]
    assert told(observation(component=[component("a", valueString="x")]), strict) == []
    assert pairs(told(observation(component=[component("a")]), strict)) == [("slice-min", COMPONENT)]
    assert told(observation(component=[component("b", valueString="x")]), strict) == []


def test_the_default_slice_takes_the_rest() -> None:
    strict = profile(
        "p",
        "Observation",
        sliced("pattern", "code", "closed"),
        piece("a"),
        inside("a", "code", patternCodeableConcept=coded("a")),
        piece("@default"),
        inside("@default", "value[x]", min=1),
    )
    assert pairs(told(observation(component=[component("a"), component("b")]), strict)) == [
        ("cardinality-min", "Observation.component[1].value")
    ]


def test_slices_inside_of_a_broken_element_are_left_alone() -> None:
    found = told(observation(component=[{"code": "text"}]), by_code("a", rules="closed"))
    assert pairs(found) == [("object-expected", "Observation.component[0].code")]


def test_a_slice_that_must_be_supported_is_missed_only_when_asked_for() -> None:
    strict = profile(
        "p",
        "Observation",
        sliced("pattern", "code"),
        piece("a", mustSupport=True),
        inside("a", "code", COMPONENT, patternCodeableConcept=coded("a")),
    )
    resource = observation(component=[component("b", valueString="x")])
    assert told(resource, strict) == []
    found = told(resource, strict, options=Options(profiles=(MINE + "p",), must_support=True))
    assert [(each.id, each.severity) for each in found if each.id == "must-support-slice"] == [
        ("must-support-slice", "information")
    ]


def test_a_slice_that_must_be_supported_is_told_on_request_where_it_is_absent() -> None:
    strict = profile(
        "p",
        "Observation",
        sliced("pattern", "code"),
        piece("a", mustSupport=True),
        inside("a", "code", patternCodeableConcept=coded("a")),
    )
    asked = Options(profiles=(MINE + "p",), must_support=True)
    found = told(observation(component=[component("b")]), strict, options=asked)
    assert ("must-support-slice", "Observation.component") in pairs(found)
    assert {each.severity for each in found} == {"information"}
    found = told(observation(component=[component("a")]), strict, options=asked)
    assert "must-support-slice" not in [each.id for each in found]
