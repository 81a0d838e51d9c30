"""Labels: those that a resource carries and those that its codes give it.

Source: http://hl7.org/fhir/R4/security-labels.html
"""

from __future__ import annotations

from typing import Any

import pytest

from fhir_server.consent.labels import OTHER, by_number, labels, labels_of, number_of, rules
from resources.definitions.vocabulary import published

CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
ICD = "http://hl7.org/fhir/sid/icd-10-cm"


def _codes(found: list[int]) -> set[str]:
    return {by_number()[number].code for number in found}


def _labelled(*codings: tuple[str, str]) -> dict[str, Any]:
    security = [{"system": system, "code": code} for system, code in codings]
    return {"resourceType": "Observation", "meta": {"security": security}}


def _coded(system: str, code: str) -> dict[str, Any]:
    return {"resourceType": "Condition", "code": {"coding": [{"system": system, "code": code}]}}


def _all(concepts: list[dict[str, Any]]) -> set[str]:
    return {c["code"] for c in concepts} | {x for c in concepts for x in _all(c.get("concept", []))}


def test_a_resource_without_labels_and_sensitive_codes_has_none() -> None:
    assert labels_of({"resourceType": "Observation", "code": {"text": "HIV"}}) == []


def test_a_label_brings_all_that_it_implies() -> None:
    assert _codes(labels_of(_labelled((ACT, "ETHUD")))) == {"ETHUD", "SUD", "ETH", "SPI"}


def test_of_several_confidentialities_the_highest_counts() -> None:
    assert _codes(labels_of(_labelled((CONFIDENTIALITY, "V"), (CONFIDENTIALITY, "N")))) == {"V"}


def test_a_label_that_nobody_knows_is_not_lost() -> None:
    assert labels_of(_labelled(("http://example.org", "secret"))) == [OTHER]


@pytest.mark.parametrize(
    ("code", "label"),
    [
        ("F10.20", "ETHUD"),
        ("F19.10", "SUD"),
        ("F32.1", "PSY"),
        ("B20", "HIV"),
        ("A51.0", "STD"),
        ("f32", "PSY"),
    ],
)
def test_a_category_of_icd_10_labels_what_is_below_it(code: str, label: str) -> None:
    assert label in _codes(labels_of(_coded(ICD, code)))


@pytest.mark.parametrize("code", ["F09", "F50.0", "B2", "A65", "", "E11"])
def test_codes_beside_a_range_are_not_labelled(code: str) -> None:
    assert labels_of(_coded(ICD, code)) == []


def test_labels_of_what_is_within_count_for_the_whole() -> None:
    bundle = {"resourceType": "Bundle", "entry": [{"resource": _coded("http://snomed.info/sct", "86406008")}]}
    assert _codes(labels_of(bundle)) == {"HIV"}
    inner = {"resourceType": "List", "contained": [_labelled((CONFIDENTIALITY, "R"))]}
    assert _codes(labels_of(inner)) == {"R"}


def test_security_of_a_capability_statement_is_no_label() -> None:
    statement = {"resourceType": "CapabilityStatement", "rest": [{"security": {"cors": True}}]}
    assert labels_of(statement) == []


def test_each_number_and_each_code_is_there_once_and_cites_its_source() -> None:
    assert len(by_number()) == len(labels())
    assert all(one.source for one in labels().values())
    assert all(rule.source for rule in rules())


def test_every_label_is_a_code_of_r4() -> None:
    for (system, code), one in labels().items():
        if one.number != OTHER:
            found = published("CodeSystem", system)
            assert found is not None
            assert code in _all(found["concept"]), code


def test_every_rule_gives_a_label_that_there_is() -> None:
    assert {rule.label for rule in rules()} <= {
        one.code for one in labels().values() if one.kind == "sensitivity"
    }
    assert number_of(ACT, "SUD") in labels_of(_coded(ICD, "F11.2"))
