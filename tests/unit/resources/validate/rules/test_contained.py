"""Contained resources. Source: http://hl7.org/fhir/R4/references.html#contained"""

from __future__ import annotations

from typing import Any

import pytest

from resources.validate.rules.contained import check
from tests.unit.resources.validate.rules.stage import Stage

INNER = {"resourceType": "Practitioner", "id": "p"}


def said(contained: list[dict[str, Any]], **more: Any) -> list[tuple[str, str]]:
    stage = Stage()
    check(stage, {"resourceType": "Patient", "contained": contained, **more}, "Patient")
    return stage.said


def test_what_is_referred_to_is_right() -> None:
    assert said([INNER], generalPractitioner=[{"reference": "#p"}]) == []


def test_a_canonical_or_a_contained_resource_may_refer_to_it_too() -> None:
    other = {"resourceType": "PractitionerRole", "id": "r", "practitioner": {"reference": "#p"}}
    assert said([INNER, other], generalPractitioner=[{"reference": "#r"}]) == []


def test_what_refers_to_its_container_is_right() -> None:
    assert said([{"resourceType": "Provenance", "id": "v", "target": [{"reference": "#"}]}]) == []


def test_what_nobody_refers_to_is_wrong() -> None:
    assert said([INNER]) == [("contained-unreferenced", "Patient.contained[0]")]


def test_an_id_is_needed_and_may_not_stand_twice() -> None:
    assert said([{"resourceType": "Practitioner"}]) == [("contained-without-id", "Patient.contained[0]")]
    assert said([INNER, INNER], generalPractitioner=[{"reference": "#p"}]) == [
        ("contained-duplicate-id", "Patient.contained[1]")
    ]


@pytest.mark.parametrize(
    ("meta", "message", "element"),
    [
        ({"versionId": "1"}, "contained-meta", "versionId"),
        ({"lastUpdated": "2024-01-01T00:00:00Z"}, "contained-meta", "lastUpdated"),
        ({"security": [{"code": "R"}]}, "contained-security", "security"),
    ],
)
def test_what_only_a_resource_of_its_own_has_is_refused(meta: Any, message: str, element: str) -> None:
    found = said([INNER | {"meta": meta}], generalPractitioner=[{"reference": "#p"}])
    assert found == [(message, f"Patient.contained[0].meta.{element}")]
