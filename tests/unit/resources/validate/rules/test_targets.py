"""What a reference points at conforms to one of the target profiles of its element.

Source: http://hl7.org/fhir/R4/elementdefinition-definitions.html#ElementDefinition.type.targetProfile
"""

from __future__ import annotations

from typing import Any

from resources.validate.asks import Target
from resources.validate.options import Options
from tests.unit.resources.validate.rules.makers import observation, patient
from tests.unit.resources.validate.rules.profiled import MINE, R4, pairs, profile, told

NAMED = profile("named", "Patient", {"path": "Patient.name", "min": 1})
STRICT = profile(
    "p",
    "Observation",
    {
        "path": "Observation.subject",
        "type": [{"code": "Reference", "targetProfile": [MINE + "named", R4 + "Group"]}],
    },
)
WRONG = [("reference-target-profile", "Observation.subject")]
NAME = [{"text": "x"}]
ELSEWHERE = observation(subject={"reference": "Patient/1"})


def contained(**more: Any) -> dict[str, Any]:
    """Return an Observation with its patient inside."""
    return observation(subject={"reference": "#1"}, contained=[patient(id="1", **more)])


def test_a_contained_resource_must_conform() -> None:
    assert pairs(told(contained(), STRICT, NAMED)) == WRONG
    assert told(contained(name=NAME), STRICT, NAMED) == []


def test_a_resource_of_the_bundle_must_conform() -> None:
    url = "http://example.com/fhir/"
    bundle: dict[str, Any] = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {
                "fullUrl": url + "Observation/2",
                "resource": observation(
                    id="2", subject={"reference": "Patient/1"}, meta={"profile": [MINE + "p"]}
                ),
            },
            {"fullUrl": url + "Patient/1", "resource": patient(id="1")},
        ],
    }
    found = told(bundle, STRICT, NAMED, options=Options())
    assert pairs(found) == [("reference-target-profile", "Bundle.entry[0].resource.subject")]
    bundle["entry"][1]["resource"]["name"] = NAME
    assert told(bundle, STRICT, NAMED, options=Options()) == []


def test_a_resource_elsewhere_is_looked_at_on_request() -> None:
    known: dict[str, Any] = {"targets": {"Patient/1": Target("Patient", patient(id="1"))}}
    assert told(ELSEWHERE, STRICT, NAMED, **known) == []
    exists = Options(profiles=(MINE + "p",), references="exists")
    assert pairs(told(ELSEWHERE, STRICT, NAMED, options=exists, **known)) == WRONG
    known = {"targets": {"Patient/1": Target("Patient", patient(id="1", name=NAME))}}
    assert told(ELSEWHERE, STRICT, NAMED, options=exists, **known) == []


def test_nothing_is_said_while_the_target_or_its_profile_is_awaited() -> None:
    exists = Options(profiles=(MINE + "p",), references="exists")
    assert told(ELSEWHERE, STRICT, NAMED, options=exists, pending=["Patient/1"]) == []
    assert told(contained(), STRICT, NAMED, pending=[MINE + "named"]) == []


def test_another_allowed_type_is_enough() -> None:
    group = {"resourceType": "Group", "id": "1", "type": "person", "actual": True}
    whole = observation(subject={"reference": "#1"}, contained=[group])
    assert told(whole, STRICT, NAMED) == []


def test_references_are_left_alone_on_request() -> None:
    assert told(contained(), STRICT, NAMED, options=Options(profiles=(MINE + "p",), references="none")) == []
