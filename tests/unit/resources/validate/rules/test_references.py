"""References. Source: http://hl7.org/fhir/R4/references.html"""

from __future__ import annotations

from typing import Any, Literal

import pytest

from resources.profiles.nodes import Node, TypeRef
from resources.validate.asks import Target
from resources.validate.rules.references import check, check_canonical, check_reference
from resources.validate.rules.scopes import Scope
from tests.unit.resources.validate.rules.stage import Stage, scope_of

R4 = "http://hl7.org/fhir/StructureDefinition/"
PATIENT = {"resourceType": "Patient", "id": "p"}
OBSERVATION: dict[str, Any] = {"resourceType": "Observation", "id": "o", "contained": [PATIENT]}


def node(*targets: str, **more: Any) -> Node:
    types = (TypeRef("Reference", targets=tuple(R4 + target for target in targets), **more),)
    return Node("Observation.subject", "Observation.subject", "subject", types=types)


def said(asked: Node, value: Any, scope: Scope | None = None, **options: Any) -> list[str]:
    stage = Stage(**options)
    check(stage, asked, value, "Observation.subject", scope or scope_of(OBSERVATION))
    return [one for one, _ in stage.said]


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({"reference": "Patient/1"}, []),
        ({"reference": "Device/1"}, ["reference-target-type"]),
        ({"reference": "http://else.org/fhir/Device/1"}, ["reference-target-type"]),
        ({"reference": "urn:uuid:0c3201bd-1cbf-4d64-b04d-cd9187a4c6e0"}, []),
        ({"reference": "http://else.org/some/page"}, []),
        ({"reference": "#p"}, []),
        ({"type": "Device", "display": "a device"}, ["reference-target-type"]),
        ({"display": "somebody"}, []),
    ],
)
def test_only_the_types_of_the_element_may_be_referred_to(value: Any, message: list[str]) -> None:
    assert said(node("Patient", "Group"), value) == message


def test_any_type_may_be_referred_to_where_the_target_is_resource() -> None:
    assert said(node("Resource"), {"reference": "Device/1"}) == []
    assert said(node(), {"reference": "Device/1"}) == []


def test_a_contained_resource_is_of_the_type_that_it_says() -> None:
    assert said(node("Device"), {"reference": "#p"}) == ["reference-target-type"]


def test_the_policy_none_follows_no_reference() -> None:
    assert said(node("Patient"), {"reference": "Device/1"}, references="none") == []


def test_the_type_of_an_address_without_form_is_asked_for() -> None:
    targets = {"http://else.org/x": Target("Device", None)}
    assert said(node("Patient"), {"reference": "http://else.org/x"}, targets=targets) == [
        "reference-target-type"
    ]


@pytest.mark.parametrize(
    ("mode", "reference", "message"),
    [
        ("contained", "#p", []),
        ("contained", "Patient/1", ["reference-aggregation"]),
        ("referenced", "#p", ["reference-aggregation"]),
        ("referenced", "Patient/1", []),
        ("bundled", "Patient/1", ["reference-aggregation"]),
        ("bundled", "Patient/b", []),
    ],
)
def test_aggregation_says_where_the_target_is(mode: str, reference: str, message: list[str]) -> None:
    base = "http://x.org/fhir/"
    entry = {"fullUrl": base + "Patient/b", "resource": PATIENT | {"id": "b"}}
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{}, entry]}
    scope = Scope(OBSERVATION, "Bundle.entry[0].resource", scope_of(bundle), base + "Observation/o")
    assert said(node("Patient", aggregation=(mode,)), {"reference": reference}, scope) == message


@pytest.mark.parametrize(
    ("rule", "reference", "message"),
    [
        ("specific", "Patient/1/_history/2", []),
        ("specific", "Patient/1", ["reference-version"]),
        ("independent", "Patient/1", []),
        ("independent", "Patient/1/_history/2", ["reference-version"]),
        ("either", "Patient/1", []),
    ],
)
def test_versioning_says_whether_a_version_is_named(rule: str, reference: str, message: list[str]) -> None:
    assert said(node("Patient", versioning=rule), {"reference": reference}) == message


# ------------------------------------------------------------------------------------ of themselves


def itself(
    value: Any,
    scope: Scope | None = None,
    references: Literal["none", "type", "exists"] = "type",
    targets: dict[str, Target] | None = None,
) -> list[tuple[str, str]]:
    stage = Stage(references=references, targets=targets)
    check_reference(stage, value, "X.subject", scope or scope_of(OBSERVATION))
    return stage.said


def test_a_contained_resource_that_is_referred_to_is_there() -> None:
    assert itself({"reference": "#p"}) == []
    assert itself({"reference": "#"}) == []
    assert itself({"reference": "#q"}) == [("contained-unresolved", "X.subject.reference")]


def test_the_type_that_a_reference_says_is_that_of_its_target() -> None:
    assert itself({"reference": "Patient/1", "type": "Patient"}) == []
    assert itself({"reference": "Patient/1", "type": "Device"}) == [
        ("reference-type-disagrees", "X.subject.type")
    ]
    assert itself({"reference": "#p", "type": "Device"}) == [("reference-type-disagrees", "X.subject.type")]
    assert itself({"type": "Pacient"}) == [("reference-type-unknown", "X.subject.type")]


def test_what_is_referred_to_is_there_where_that_is_asked_for() -> None:
    targets = {"Patient/1": Target("Patient", PATIENT), "Patient/2": Target("Patient", None)}
    assert itself({"reference": "Patient/1"}, references="exists", targets=targets) == []
    assert itself({"reference": "Patient/2"}, references="exists", targets=targets) == [
        ("reference-not-found", "X.subject.reference")
    ]
    assert itself({"reference": "Patient/2"}, targets=targets) == []
    assert itself({"reference": "Patient?identifier=2"}, references="exists", targets=targets) == []


@pytest.mark.parametrize(
    ("kind", "reference", "severity"),
    [
        ("document", "urn:uuid:11111111-1111-4111-8111-111111111111", "error"),
        ("transaction", "urn:uuid:11111111-1111-4111-8111-111111111111", "error"),
        ("collection", "urn:uuid:11111111-1111-4111-8111-111111111111", "warning"),
        ("document", "Patient/b", "error"),
        ("collection", "Patient/b", None),
        ("document", "Patient/elsewhere", None),
        ("document", "urn:uuid:22222222-2222-4222-8222-222222222222", None),
    ],
)
def test_what_only_an_entry_can_answer_is_answered(kind: str, reference: str, severity: str | None) -> None:
    entry = {"fullUrl": "urn:uuid:22222222-2222-4222-8222-222222222222", "resource": PATIENT | {"id": "b"}}
    bundle = {"resourceType": "Bundle", "type": kind, "entry": [{}, entry]}
    stage = Stage()
    scope = Scope(OBSERVATION, "Bundle.entry[0].resource", scope_of(bundle), "urn:uuid:own")
    check_reference(stage, {"reference": reference}, "Bundle.entry[0].resource.subject", scope)
    assert [one.severity for one in stage.issues] == ([severity] if severity else [])
    assert {one.id for one in stage.issues} <= {"bundle-reference-unresolved"}


def test_what_a_composition_names_is_in_the_document() -> None:
    composition = {"resourceType": "Composition"}
    bundle = {"resourceType": "Bundle", "type": "document", "entry": [{"resource": composition}]}
    scope = Scope(
        composition, "Bundle.entry[0].resource", scope_of(bundle), "http://x.org/fhir/Composition/1"
    )
    stage = Stage()
    for name in ("subject", "author[0]", "relatesTo[0].target"):
        check_reference(stage, {"reference": "Patient/1"}, f"Bundle.entry[0].resource.{name}", scope)
    assert [where for _, where in stage.said] == [
        "Bundle.entry[0].resource.subject.reference",
        "Bundle.entry[0].resource.author[0].reference",
    ]


def test_a_versioned_reference_means_the_entry_of_that_version() -> None:
    entries = [
        {
            "fullUrl": "http://x.org/fhir/Patient/1",
            "resource": PATIENT | {"meta": {"versionId": v}, "birthDate": v},
        }
        for v in "12"
    ]
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [*entries, {}]}
    scope = Scope(
        OBSERVATION, "Bundle.entry[2].resource", scope_of(bundle), "http://x.org/fhir/Observation/o"
    )
    assert (scope.find("Patient/1/_history/2") or {})["birthDate"] == "2"
    assert scope.find("Patient/1/_history/3") is None


def test_contained_references_look_into_the_container() -> None:
    inner = Scope(PATIENT, "Observation.contained[0]", scope_of(OBSERVATION))
    assert inner.find("#p") == PATIENT
    assert inner.find("#") is OBSERVATION


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("#p", "canonical-target-type"),
        ("#q", "canonical-fragment-unresolved"),
        ("http://hl7.org/fhir/CodeSystem/x", "canonical-target-type"),
        ("http://hl7.org/fhir/ValueSet/x|4.0.1", ""),
        ("http://else.org/x", ""),
    ],
)
def test_a_canonical_names_what_its_element_wants(value: str, message: str) -> None:
    stage = Stage()
    types = (TypeRef("canonical", targets=(R4 + "ValueSet",)),)
    check_canonical(stage, Node("X.y", "X.y", "y", types=types), value, "X.y", scope_of(OBSERVATION))
    assert [one for one, _ in stage.said] == ([message] if message else [])
