"""What an element is defined as, and which slice of a profile it belongs to.

Source: http://hl7.org/fhir/R4/fhirpath.html#functions, http://hl7.org/fhir/R4/profiling.html#discriminator
"""

from __future__ import annotations

from typing import Any

import pytest

from resources import fhirpath
from resources.fhirpath.ports import PORTS
from resources.outcome import FhirError

CORE = "http://hl7.org/fhir/StructureDefinition/"
URL = "http://example.org/fhir/StructureDefinition/test"


def coded(system: str, code: str) -> dict[str, Any]:
    """Return a CodeableConcept."""
    return {"coding": [{"system": system, "code": code}]}


PRESSURE: dict[str, Any] = {
    "resourceType": "Observation",
    "status": "final",
    "category": [
        coded("http://terminology.hl7.org/CodeSystem/observation-category", "vital-signs"),
        {"text": "other"},
    ],
    "code": coded("http://loinc.org", "85354-9"),
    "component": [
        {"code": coded("http://loinc.org", "8480-6"), "valueQuantity": {"value": 120}},
        {"code": coded("http://loinc.org", "8462-4"), "valueString": "low"},
    ],
}


def evaluate(expression: str, resource: dict[str, Any] = PRESSURE) -> list[Any]:
    """Return the values of an expression."""
    return fhirpath.compile(expression).evaluate(resource)


@pytest.mark.parametrize(
    ("expression", "path"),
    [
        ("Observation", "Observation"),
        ("code", "Observation.code"),
        ("component.value", "Observation.component.value[x]"),
        ("component.code.first()", "Observation.component.code"),
        ("code.coding.code", "Coding.code"),
    ],
)
def test_an_element_is_found_where_its_type_defines_it(expression: str, path: str) -> None:
    assert set(evaluate(f"({expression}).elementDefinition().path")) == {path}


def test_a_definition_is_walked_like_any_element() -> None:
    assert evaluate("status.elementDefinition().binding.strength") == ["required"]
    assert evaluate("(1 | 2).elementDefinition()") == []


def test_a_repeated_content_reference_is_defined_where_it_is_written() -> None:
    nested = {"resourceType": "Questionnaire", "item": [{"linkId": "1", "item": [{"linkId": "2"}]}]}
    assert evaluate("item.item.linkId.elementDefinition().path", nested) == ["Questionnaire.item.linkId"]


def test_slices_of_the_official_profiles_are_told_apart() -> None:
    assert evaluate(f"component.slice('{CORE}bp', 'SystolicBP').value.value") == [120]
    assert evaluate(f"component.slice('{CORE}bp', 'DiastolicBP').value") == ["low"]
    assert evaluate(f"category.slice('{CORE}vitalsigns', 'VSCat').count()") == [1]
    assert evaluate(f"code.slice('{CORE}vitalsigns', 'VSCat')") == []


def structure(kind: str, path: str, *, slice_type: list[dict[str, Any]], **child: Any) -> dict[str, Any]:
    """Return a profile with the slice `s` of Observation.component by one discriminator."""
    below = path.partition(".")[0]
    return {
        "snapshot": {
            "element": [
                {
                    "id": "Observation.component",
                    "path": "Observation.component",
                    "slicing": {"discriminator": [{"type": kind, "path": path}]},
                },
                {
                    "id": "Observation.component:s",
                    "path": "Observation.component",
                    "sliceName": "s",
                    "type": slice_type,
                },
                {
                    "id": f"Observation.component:s.{below}[x]",
                    "path": f"Observation.component.{below}[x]",
                    **child,
                },
            ]
        }
    }


def sliced(monkeypatch: pytest.MonkeyPatch, given: dict[str, Any]) -> list[Any]:
    """Return the codes of the components in the slice `s` of a profile."""
    monkeypatch.setattr(PORTS, "structure", {URL: given}.get)
    return evaluate(f"component.slice('{URL}', 's').code.coding.code")


@pytest.mark.parametrize(
    ("kind", "path", "child", "found"),
    [
        ("type", "value", {"type": [{"code": "Quantity"}]}, ["8480-6"]),
        ("exists", "interpretation", {"min": 1}, []),
        ("exists", "interpretation", {"max": "0"}, ["8480-6", "8462-4"]),
        ("value", "value", {"fixedString": "low"}, ["8462-4"]),
        ("pattern", "value", {"patternQuantity": {"value": 120}}, ["8480-6"]),
        ("value", "value.ofType(Quantity)", {"patternQuantity": {"value": 120}}, ["8480-6"]),
    ],
)
def test_every_kind_of_discriminator_tells(
    monkeypatch: pytest.MonkeyPatch, kind: str, path: str, child: dict[str, Any], found: list[str]
) -> None:
    assert sliced(monkeypatch, structure(kind, path, slice_type=[], **child)) == found


def test_a_profile_discriminator_asks_whether_the_item_conforms(monkeypatch: pytest.MonkeyPatch) -> None:
    given = structure("profile", "value", slice_type=[], type=[{"code": "Quantity", "profile": [URL + "-q"]}])
    monkeypatch.setattr(PORTS, "conforms_to", None)
    with pytest.raises(FhirError, match="is not known"):
        sliced(monkeypatch, given)
    monkeypatch.setattr(PORTS, "conforms_to", lambda value, _url: isinstance(value, dict))
    assert sliced(monkeypatch, given) == ["8480-6"]


def test_a_bound_slice_asks_the_terminology_service(monkeypatch: pytest.MonkeyPatch) -> None:
    given = structure(
        "value", "value", slice_type=[], binding={"strength": "required", "valueSet": "http://v"}
    )
    monkeypatch.setattr(PORTS, "member_of", None)
    with pytest.raises(FhirError, match="terminology service"):
        sliced(monkeypatch, given)
    monkeypatch.setattr(PORTS, "member_of", lambda value, url: (value, url) == ("low", "http://v"))
    assert sliced(monkeypatch, given) == ["8462-4"]


def test_extension_slices_go_by_their_url(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {
        "snapshot": {
            "element": [
                {
                    "id": "Patient.extension",
                    "path": "Patient.extension",
                    "slicing": {"discriminator": [{"type": "value", "path": "url"}]},
                },
                {
                    "id": "Patient.extension:race",
                    "path": "Patient.extension",
                    "sliceName": "race",
                    "type": [{"code": "Extension", "profile": ["http://race"]}],
                },
            ]
        }
    }
    monkeypatch.setattr(PORTS, "structure", {URL: given}.get)
    patient = {
        "resourceType": "Patient",
        "extension": [{"url": "http://race", "valueString": "a"}, {"url": "http://b"}],
    }
    assert evaluate(f"extension.slice('{URL}', 'race').value", patient) == ["a"]


@pytest.mark.parametrize(
    "expression",
    [
        "component.slice('http://nowhere', 's')",
        f"component.slice('{CORE}bp', 'nope')",
        "component.slice(1, 's')",
    ],
)
def test_what_is_not_there_is_refused_by_name(expression: str) -> None:
    with pytest.raises(FhirError) as caught:
        evaluate(expression)
    assert caught.value.status == 400
