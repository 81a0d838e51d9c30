"""What is indexed of contained resources. Source: http://hl7.org/fhir/R4/search.html#contained"""

from __future__ import annotations

from typing import Any

from fhir_server.search.extract import index
from fhir_server.storage.rows import GROUPS, WITHIN, param_id

Json = dict[str, Any]


def observation(**more: Any) -> Json:
    """Return an Observation."""
    return {"resourceType": "Observation", "id": "o", "status": "final", "code": {"text": "x"}, **more}


PATIENT = {"resourceType": "Patient", "id": "pat", "name": [{"text": "Jane"}]}
ORGANIZATION = {"resourceType": "Organization", "id": "org", "name": "Org"}


def test_a_resource_without_contained_ones_has_none() -> None:
    assert index(observation()).contained == []


def test_each_contained_resource_has_rows_of_its_own() -> None:
    rows = index(observation(contained=[PATIENT, ORGANIZATION]))
    assert [(one.local, one.type) for one in rows.contained] == [("pat", "Patient"), ("org", "Organization")]
    assert {norm for _, norm, _ in rows.contained[1].rows.strings} == {"org"}
    assert [norm for _, norm, _ in rows.strings] == []


def test_a_contained_patient_is_the_one_that_the_resource_belongs_to() -> None:
    rows = index(observation(contained=[PATIENT], subject={"reference": "#pat"}))
    assert rows.patient == WITHIN + "pat"
    assert rows.contained[0].rows.patient == WITHIN + "pat"
    assert param_id("Observation", "patient") in rows.present


def test_references_within_are_edges_and_dangling_ones_nothing() -> None:
    performers = [{"reference": "#org"}, {"reference": "#nobody"}]
    rows = index(observation(contained=[ORGANIZATION], performer=performers))
    assert rows.edges == [(param_id("Observation", "performer"), WITHIN, "org")]


def test_contained_resources_refer_to_each_other_and_to_their_container() -> None:
    member = observation(id="inner", hasMember=[{"reference": "#"}], performer=[{"reference": "#org"}])
    rows = index(observation(contained=[member, ORGANIZATION], hasMember=[{"reference": "#inner"}]))
    assert sorted(rows.contained[0].rows.edges) == sorted(
        [
            (param_id("Observation", "has-member"), WITHIN, ""),
            (param_id("Observation", "performer"), WITHIN, "org"),
        ]
    )


def test_what_refers_to_contained_resources_is_rewritten_with_them() -> None:
    one = index(observation(contained=[ORGANIZATION], performer=[{"reference": "#org"}])).digests()
    other = index(
        observation(contained=[{**ORGANIZATION, "name": "B"}], performer=[{"reference": "#org"}])
    ).digests()
    third = index(
        observation(contained=[ORGANIZATION], performer=[{"reference": "Organization/x"}])
    ).digests()
    changed = [number for number, (a, b) in enumerate(zip(one, other, strict=True)) if a != b]
    moved = [number for number, (a, b) in enumerate(zip(one, third, strict=True)) if a != b]
    both = {GROUPS.index("edges"), GROUPS.index("contained")}
    assert both <= set(changed)
    assert both <= set(moved)
