"""The demo data as a whole: repeatable, stable in its prefix, complete, consistent, in order of time."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Any

import pytest

from fhir_server.demo import REFERENCE_DATE, generate
from resources.codec.json import dump_json

Json = dict[str, Any]

KINDS = {
    "Patient", "Practitioner", "Organization", "Encounter", "Condition", "AllergyIntolerance", "MedicationRequest",
    "Observation", "Immunization", "Procedure", "DiagnosticReport", "DocumentReference", "Binary", "Consent",
    "CarePlan", "Goal", "Coverage", "CareTeam", "Device", "ServiceRequest", "Specimen", "MedicationDispense",
    "RelatedPerson", "PractitionerRole", "Location", "QuestionnaireResponse", "Media", "Endpoint", "Provenance",
    "Questionnaire", "Medication",
}  # fmt: skip

# What may lie outside a life: plans and expiry ahead, and things made before.
OUTSIDE = {
    "dueDate",
    "expirationDate",
    "manufactureDate",
    "boundsPeriod",
    "occurrencePeriod",
    "recorded",
    "date",
}


@cache
def bundles() -> tuple[Json, ...]:
    """Return the default demo data."""
    return tuple(generate())


def resources(bundle: Json) -> list[Json]:
    """Return the resources of a bundle."""
    return [entry["resource"] for entry in bundle["entry"]]


def references(node: Any) -> Iterator[str]:
    """Yield every reference, and every attachment URL of ours, below a node."""
    if isinstance(node, dict):
        if isinstance(node.get("reference"), str):
            yield node["reference"]
        if "contentType" in node and "url" in node:
            yield node["url"]
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


def dates(node: Any, key: str = "") -> Iterator[tuple[str, date]]:
    """Yield every date (day) below a node with the name of its element, those of OUTSIDE left out."""
    if key in OUTSIDE:
        return
    if isinstance(node, dict):
        for name, value in node.items():
            yield from dates(value, name)
    elif isinstance(node, list):
        for value in node:
            yield from dates(value, key)
    elif (
        isinstance(node, str)
        and len(node) >= 10
        and node[4:5] == "-"
        and node[7:8] == "-"
        and node[:4].isdigit()
    ):
        yield key, date.fromisoformat(node[:10])


def test_same_seed_gives_the_same_bytes() -> None:
    first = [dump_json(bundle) for bundle in generate(4)]
    assert first == [dump_json(bundle) for bundle in generate(4)]


def test_another_seed_gives_other_patients_under_other_ids_and_the_same_world() -> None:
    first, second = list(generate(2, seed=7)), list(generate(2, seed=8))
    assert first[0] == second[0]
    ids = [{one["id"] for bundle in made[1:] for one in resources(bundle)} for made in (first, second)]
    assert ids[0].isdisjoint(ids[1])


def test_patient_n_is_the_same_however_many_are_asked_for() -> None:
    assert list(generate(3)) == list(bundles()[:4])


@pytest.mark.parametrize("patients", [0, -1])
def test_no_patients_leave_the_shared_world(patients: int) -> None:
    assert [bundle["type"] for bundle in generate(patients)] == ["transaction"]


def test_fifty_patients_are_made_by_default_within_two_seconds() -> None:
    start = time.process_time()
    assert len(list(generate())) == 51
    assert time.process_time() - start < 2


def test_every_kind_of_resource_is_there() -> None:
    counts = Counter(one["resourceType"] for bundle in bundles() for one in resources(bundle))
    assert KINDS - set(counts) == set()
    assert counts["Patient"] == 50
    assert 6_000 <= sum(counts.values()) <= 10_000


def test_a_patient_is_at_most_350_kilobytes_and_250_on_average() -> None:
    sizes = sorted(len(dump_json(bundle)) for bundle in bundles()[1:])
    assert sizes[-1] < 350_000
    assert sum(sizes) / len(sizes) < 250_000


def test_every_entry_is_a_put_under_its_own_id() -> None:
    entries = [entry for bundle in bundles() for entry in bundle["entry"]]
    for entry in entries:
        name = f"{entry['resource']['resourceType']}/{entry['resource']['id']}"
        assert entry["request"] == {"method": "PUT", "url": name}
        assert entry["fullUrl"].startswith("urn:uuid:")
    assert (
        len({entry["fullUrl"] for entry in entries})
        == len({entry["request"]["url"] for entry in entries})
        == len(entries)
    )


def test_every_reference_resolves_in_the_world_or_the_own_bundle() -> None:
    world = {entry["request"]["url"] for entry in bundles()[0]["entry"]}
    for bundle in bundles():
        known = world | {entry["request"]["url"] for entry in bundle["entry"]}
        assert {one for one in references(resources(bundle)) if one not in known} == set()


def test_every_other_resource_has_a_provenance() -> None:
    for bundle in bundles():
        made = resources(bundle)
        targets = {
            one["reference"]
            for item in made
            if item["resourceType"] == "Provenance"
            for one in item["target"]
        }
        names = {f"{one['resourceType']}/{one['id']}" for one in made if one["resourceType"] != "Provenance"}
        assert names == targets


def test_nothing_happens_before_birth_or_after_death() -> None:
    for bundle in bundles()[1:]:
        made = resources(bundle)
        patient = made[0]
        birth = date.fromisoformat(patient.get("birthDate", "1900-01-01"))
        death = date.fromisoformat(patient.get("deceasedDateTime", REFERENCE_DATE.isoformat())[:10])
        for one in made:
            expected = (
                one.get("code", {}).get("coding", [{}])[0].get("code") == "11778-8"
            )  # estimated delivery
            outside = [(key, day) for key, day in dates(one) if not birth <= day <= death]
            assert expected or outside == [], one["id"]


def test_periods_end_after_they_start() -> None:
    def periods(node: Any) -> Iterator[Json]:
        if isinstance(node, dict):
            if {"start", "end"} <= node.keys():
                yield node
            for value in node.values():
                yield from periods(value)
        elif isinstance(node, list):
            for value in node:
                yield from periods(value)

    found = list(periods(list(bundles())))
    assert len(found) > 1000
    assert [one for one in found if one["end"] < one["start"]] == []


def test_problems_end_after_they_begin_and_are_then_resolved() -> None:
    conditions = [
        one for bundle in bundles() for one in resources(bundle) if one["resourceType"] == "Condition"
    ]
    ended = [one for one in conditions if "abatementDateTime" in one]
    assert ended
    for one in ended:
        assert one["onsetDateTime"] <= one["abatementDateTime"]
        assert one["clinicalStatus"]["coding"][0]["code"] == "resolved"


def test_numbers_are_exact_never_float() -> None:
    def floats(node: Any) -> Iterator[float]:
        if isinstance(node, float):
            yield node
        for value in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
            yield from floats(value)

    assert list(floats(list(bundles()))) == []
    assert any(isinstance(one["valueQuantity"]["value"], Decimal) for bundle in bundles() for one in resources(bundle)
               if "valueQuantity" in one)  # fmt: skip


def test_ages_reach_from_the_first_year_to_the_nineties() -> None:
    born = [date.fromisoformat(bundle["entry"][0]["resource"].get("birthDate", "1990-01-01"))
            for bundle in bundles()[1:]]  # fmt: skip
    ages = sorted((REFERENCE_DATE - day).days / 365.25 for day in born)
    assert ages[0] < 1
    assert 90 < ages[-1] <= 96


def test_names_have_accents_and_other_scripts() -> None:
    names = json.dumps(
        [bundle["entry"][0]["resource"]["name"] for bundle in bundles()[1:]], ensure_ascii=False
    )
    assert any("À" <= letter <= "ÿ" for letter in names)
    assert any("一" <= letter <= "鿿" for letter in names)


def test_the_reference_date_moves_the_whole_life() -> None:
    later = list(generate(1, today=date(2030, 1, 1)))
    assert later[1]["entry"][0]["resource"]["birthDate"] > bundles()[1]["entry"][0]["resource"]["birthDate"]
