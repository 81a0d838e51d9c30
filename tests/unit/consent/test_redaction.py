"""Elements taken out by rules, and the marks of it.

Source: http://hl7.org/fhir/R4/security-labels.html; http://hl7.org/fhir/R4/resource.html#Meta
"""

from __future__ import annotations

from typing import Any

import pytest

from fhir_server.access.roles import table as roles
from fhir_server.consent.labels import labels
from fhir_server.consent.redaction import redaction, rules
from fhir_server.search.registry import registry
from resources.definitions import definitions

Json = dict[str, Any]

PATIENT: Json = {"resourceType": "Patient", "id": "a", "gender": "female", "name": [{"family": "Moss"}]}


def _left(resource: Json, *who: str) -> Json:
    found = redaction(who or ("researcher",))
    assert found is not None
    return found.left(resource)


def _marks(resource: Json) -> list[str]:
    meta = resource.get("meta", {})
    return [one["code"] for element in ("security", "tag") for one in meta.get(element, ())]


def test_names_are_gone_and_the_rest_is_there_and_marked() -> None:
    left = _left(PATIENT)
    assert "name" not in left
    assert left["gender"] == "female"
    assert _marks(left) == ["REDACTED", "SUBSETTED"]


def test_what_has_nothing_to_take_out_stays_as_it_is() -> None:
    bare = {"resourceType": "Patient", "id": "a", "gender": "female"}
    assert _left(bare) is bare


def test_labels_decide_where_a_rule_names_them() -> None:
    noted = {"resourceType": "Condition", "code": {"text": "x"}, "note": [{"text": "Ann said"}]}
    icd = {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "F32.1"}]}
    assert _left(noted) is noted
    assert "note" not in _left(noted | {"code": icd})


def test_what_is_within_is_taken_out_too() -> None:
    inner = _left({"resourceType": "Observation", "contained": [PATIENT]})
    assert "name" not in inner["contained"][0]
    bundle = _left({"resourceType": "Bundle", "entry": [{"fullUrl": "urn:x", "resource": PATIENT}, {}]})
    assert "name" not in bundle["entry"][0]["resource"]
    assert bundle["entry"][0]["fullUrl"] == "urn:x"
    assert _marks(bundle) == ["REDACTED", "SUBSETTED"]


def test_marks_are_there_once() -> None:
    twice = _left(_left(PATIENT) | {"name": []})
    assert _marks(twice) == ["REDACTED", "SUBSETTED"]


@pytest.mark.parametrize("who", [(), ("clinician",), ("researcher", "clinician")])
def test_whoever_has_a_role_without_rules_sees_everything(who: tuple[str, ...]) -> None:
    assert redaction(who) is None


def test_a_stored_tail_is_taken_apart_and_put_together() -> None:
    found = redaction(["researcher"])
    assert found is not None
    number = definitions().resource_types.index("Patient")
    assert b"Moss" not in found.tail(number, b'},"gender":"female","name":[{"family":"Moss"}]}')
    assert found.tail(number, b'},"gender":"female"}') == b'},"gender":"female"}'


def test_rules_are_for_roles_that_never_write() -> None:
    for rule in rules():
        for role in rule.roles:
            assert set(roles()[role].actions) <= {"r", "s"}, role


def test_rules_name_what_there_is() -> None:
    codes = {one.code for one in labels().values()}
    for rule in rules():
        assert set(rule.labels) <= codes
        assert rule.reason
        assert rule.source
        types = definitions().resource_types if "*" in rule.types else rule.types
        known = {code for name in types for code in registry(name).params}
        assert {*rule.allowed, *rule.refused} <= known
