"""Which profiles a resource is checked by: those asked for, those it claims, those of what it contains.

Source: http://hl7.org/fhir/R4/resource.html#profile-tags, profiling.html
"""

from __future__ import annotations

from resources.validate.asks import PENDING
from resources.validate.options import Options
from resources.validate.validator import validate
from tests.unit.resources.validate.rules.makers import observation, patient
from tests.unit.resources.validate.rules.profiled import MINE, R4, Known, pairs, profile, told

NAMED = profile("named", "Patient", {"path": "Patient.name", "min": 1})
CLAIM = {"meta": {"profile": [MINE + "named"]}}


def test_a_claimed_profile_is_checked() -> None:
    assert pairs(told(patient(**CLAIM), NAMED, options=Options())) == [("cardinality-min", "Patient.name")]


def test_claims_are_left_alone_on_request() -> None:
    assert told(patient(**CLAIM), NAMED, options=Options(claims=False)) == []


def test_an_unknown_claim_is_a_warning_and_an_unknown_wish_an_error() -> None:
    found = told(patient(**CLAIM), options=Options(profiles=(MINE + "other",)))
    assert [(each.id, each.severity, each.expression[0]) for each in found] == [
        ("profile-unknown", "warning", "Patient.meta.profile[0]"),
        ("profile-unknown", "error", "Patient"),
    ]


def test_a_profile_of_another_type_is_refused() -> None:
    found = told(observation(), NAMED)
    assert pairs(found) == [("profile-wrong-type", "Observation")]


def test_a_base_type_may_be_claimed() -> None:
    assert told(patient(meta={"profile": [R4 + "Patient", R4 + "DomainResource"]}), options=Options()) == []
    found = told(patient(meta={"profile": [R4 + "Observation"]}), options=Options())
    assert pairs(found) == [("profile-wrong-type", "Patient.meta.profile[0]")]


def test_an_abstract_profile_is_told_and_checked() -> None:
    found = told(patient(), NAMED | {"abstract": True})
    assert pairs(found) == [("profile-abstract", "Patient"), ("cardinality-min", "Patient.name")]


def test_contained_resources_and_entries_have_claims_of_their_own() -> None:
    bundle = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [
            {"fullUrl": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0", "resource": patient(**CLAIM)},
            {
                "fullUrl": "urn:uuid:1c3151bd-1cbf-4d64-b04d-cd9187a4c6e0",
                "resource": observation(
                    contained=[patient(id="p", meta={"profile": [MINE + "named"]})],
                    subject={"reference": "#p"},
                ),
            },
        ],
    }
    assert pairs(told(bundle, NAMED, options=Options())) == [
        ("cardinality-min", "Bundle.entry[0].resource.name"),
        ("cardinality-min", "Bundle.entry[1].resource.contained[0].name"),
    ]


def test_a_profile_on_an_entry_is_checked_there() -> None:
    sick = profile(
        "sick",
        "Bundle",
        {"path": "Bundle.entry.resource", "type": [{"code": "Patient", "profile": [MINE + "named"]}]},
    )
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": patient()}]}
    found = pairs(told(bundle, sick, NAMED))
    assert ("cardinality-min", "Bundle.entry[0].resource.name") in found


def test_nothing_is_said_of_a_profile_that_is_still_awaited() -> None:
    asks = Known(pending=[MINE + "named"])
    assert asks.structure(MINE + "named") is PENDING
    assert validate(patient(**CLAIM), asks) == []


def test_the_same_thing_is_told_once() -> None:
    twice = patient(meta={"profile": [MINE + "named", MINE + "named"]})
    found = told(twice, NAMED, options=Options(profiles=(MINE + "named",)))
    assert pairs(found).count(("cardinality-min", "Patient.name")) == 1
