"""What a write has to pass, by setting: refused, warned of, tagged; every way of writing."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from fhir_server.conformance.policy import TAG
from fhir_server.version import CANONICAL
from tests.integration.validate.made import PROFILE, Json, errors, observation, patient, profile
from tests.integration.web import client as client_with

WRONG = {"meta": {"profile": [PROFILE]}}
"""What makes a Patient wrong: it claims a profile that asks for a birthDate."""
RIGHT = {**WRONG, "birthDate": "2000-01-01"}


@asynccontextmanager
async def server(
    database_url: str, policy: str = "gate", **settings: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of a server with a policy, the profile stored."""
    async with client_with(database_url, validation=policy, **settings) as client:
        stored = await client.put("StructureDefinition/named", json={"id": "named", **profile()})
        assert stored.is_success, stored.text
        yield client


def entry(resource: Json, method: str = "POST", url: str = "", **more: Any) -> Json:
    """Return an entry that writes `resource`."""
    return {
        "resource": resource,
        "request": {"method": method, "url": url or resource["resourceType"]},
        **more,
    }


def bundle(*entries: Json, kind: str = "transaction") -> Json:
    """Return a Bundle of `entries`."""
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def tags(resource: Json) -> list[str]:
    """Return the codes of the tags."""
    return [one["code"] for one in resource.get("meta", {}).get("tag", ())]


async def test_the_gate_asks_no_profiles(database_url: str) -> None:
    async with server(database_url) as client:
        answer = await client.post("Patient", json=patient(**WRONG))
        assert answer.status_code == 201, answer.text


async def test_what_does_not_conform_is_rejected_however_it_is_written(database_url: str) -> None:
    async with server(database_url, "reject") as client:
        assert (await client.put("Patient/r1", json=patient(id="r1", **RIGHT))).status_code == 201
        wrong = patient(**WRONG)
        patch = [{"op": "remove", "path": "/birthDate"}]
        typed = {"Content-Type": "application/json-patch+json"}
        answers = [
            await client.post("Patient", json=wrong),
            await client.post("Patient", json=wrong, headers={"If-None-Exist": "name=nobody-has-it"}),
            await client.put("Patient/r1", json={**wrong, "id": "r1"}),
            await client.put("Patient/r2", json={**wrong, "id": "r2"}),
            await client.put("Patient?name=nobody-has-it", json=wrong),
            await client.request("PATCH", "Patient/r1", json=patch, headers=typed),
            await client.post("", json=bundle(entry(wrong))),
        ]
        for answer in answers:
            assert answer.status_code == 422, answer.request.method + str(answer.request.url)
            assert errors(answer.json()["issue"])
        known = {"If-None-Exist": "_id=r1"}
        assert (
            await client.post("Patient", json=wrong, headers=known)
        ).status_code == 200  # nothing is written
        batch = await client.post("", json=bundle(entry(wrong), entry(patient(**RIGHT)), kind="batch"))
        statuses = [one["response"]["status"][:3] for one in batch.json()["entry"]]
        assert statuses == ["422", "201"]
        assert (await client.get("Patient/r1")).json()["meta"]["versionId"] == "1"
        assert (await client.get("Patient/r2")).status_code == 404


async def test_problems_of_a_transaction_are_located_in_the_bundle(database_url: str) -> None:
    async with server(database_url, "reject") as client:
        answer = await client.post("", json=bundle(entry(patient(**RIGHT)), entry(patient(**WRONG))))
        assert answer.status_code == 422
        paths = [path for _, listed in errors(answer.json()["issue"]) for path in listed]
        assert paths
        assert all(path.startswith("Bundle.entry[1].resource") for path in paths)


async def test_a_patient_that_is_only_warned_of_is_saved_with_its_issues(database_url: str) -> None:
    async with server(database_url, "warn") as client:
        asked = {"Prefer": "return=OperationOutcome"}
        answer = await client.post("Patient", json=patient(**WRONG), headers=asked)
        assert answer.status_code == 201, answer.text
        severities = {one["severity"] for one in answer.json()["issue"]}
        assert severities <= {"warning", "information"}
        assert any("birthDate" in one["diagnostics"] for one in answer.json()["issue"])
        answered = await client.post("", json=bundle(entry(patient(**WRONG))))
        (one,) = answered.json()["entry"]
        assert one["response"]["status"] == "201 Created"
        assert any("birthDate" in issue["diagnostics"] for issue in one["response"]["outcome"]["issue"])


async def test_a_tag_tells_what_does_not_conform_and_goes_when_it_does(database_url: str) -> None:
    async with server(database_url, "tag") as client:
        own = {"system": "http://tags.test", "code": "mine"}
        meta = {"profile": [PROFILE], "tag": [own]}
        answer = await client.put("Patient/t1", json=patient(id="t1", meta=meta))
        assert tags(answer.json()) == ["mine", TAG["code"]]
        found = await client.get(f"Patient?_tag={TAG['system']}|{TAG['code']}")
        assert [one["resource"]["id"] for one in found.json()["entry"]] == ["t1"]
        again = answer.json()
        answer = await client.put("Patient/t1", json={**again, "birthDate": "2000"})
        assert tags(answer.json()) == ["mine"]
        assert TAG["system"].startswith(CANONICAL)
        alone = await client.post("Patient", json=patient(**WRONG))
        gone = {**alone.json(), "birthDate": "2000"}
        answer = await client.put(f"Patient/{gone['id']}", json=gone)
        assert "tag" not in answer.json()["meta"]


async def test_structure_is_refused_whatever_the_policy(database_url: str) -> None:
    async with server(database_url, "tag") as client:
        assert (await client.post("Patient", json=patient(gender="x"))).status_code == 422
        assert (await client.post("Patient", json=patient(meta=3))).status_code == 422


async def test_types_may_have_policies_of_their_own(database_url: str) -> None:
    types = {"Observation": "reject"}
    async with server(database_url, "gate", validation_types=types, validation_references="exists") as client:
        assert (await client.post("Patient", json=patient(**WRONG))).status_code == 201
        lost = observation(subject={"reference": "Patient/nobody"})
        assert (await client.post("Observation", json=lost)).status_code == 422


@pytest.mark.parametrize(("policy", "status"), [("none", 201), ("type", 201), ("exists", 422)])
async def test_a_reference_must_lead_somewhere_only_where_that_is_asked(
    database_url: str, policy: str, status: int
) -> None:
    async with server(database_url, "reject", validation_references=policy) as client:
        lost = observation(subject={"reference": "Patient/nobody"})
        assert (await client.post("Observation", json=lost)).status_code == status


async def test_references_of_a_transaction_lead_to_its_entries(database_url: str) -> None:
    async with server(database_url, "reject", validation_references="exists") as client:
        uuid = "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"
        born = entry(patient(**RIGHT), fullUrl=uuid)
        answer = await client.post("", json=bundle(born, entry(observation(subject={"reference": uuid}))))
        assert answer.status_code == 200, answer.text
        assert (await client.put("Patient/bye", json=patient(id="bye"))).is_success
        gone = {"request": {"method": "DELETE", "url": "Patient/bye"}}
        answer = await client.post(
            "", json=bundle(gone, entry(observation(subject={"reference": "Patient/bye"})))
        )
        assert answer.status_code == 422
        assert (await client.get("Patient/bye")).status_code == 200


async def test_conditional_references_are_followed_before_they_are_judged(database_url: str) -> None:
    async with server(database_url, "reject", validation_references="exists") as client:
        known = {"identifier": [{"system": "http://ids.test", "value": "7"}]}
        uses = observation(subject={"reference": "Patient?identifier=http://ids.test|7"})
        answer = await client.post("", json=bundle(entry(patient(**known)), entry(uses)))
        assert answer.status_code == 200, answer.text
        answer = await client.post("", json=bundle(entry(uses)))
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    ("policy", "known", "unknown"), [("ignore", 201, 201), ("known", 422, 201), ("reject", 422, 422)]
)
async def test_claims_count_as_far_as_is_set(
    database_url: str, policy: str, known: int, unknown: int
) -> None:
    async with server(database_url, "reject", validation_meta_profile=policy) as client:
        assert (await client.post("Patient", json=patient(**WRONG))).status_code == known
        claim = {"profile": ["http://nobody.test/StructureDefinition/p"]}
        assert (await client.post("Patient", json=patient(meta=claim))).status_code == unknown


async def test_a_required_profile_needs_no_claim(database_url: str) -> None:
    async with server(database_url, "reject", validation_profiles={"Patient": (PROFILE,)}) as client:
        assert (await client.post("Patient", json=patient())).status_code == 422
        assert (await client.post("Patient", json=patient(birthDate="2000"))).status_code == 201
        assert (await client.post("Observation", json=observation())).status_code == 201


async def test_of_several_required_profiles_one_is_enough(database_url: str) -> None:
    other = PROFILE + "-gender"
    required = {"Patient": (PROFILE, other)}
    async with server(database_url, "reject", validation_profiles=required) as client:
        stored = await client.put(
            "StructureDefinition/other", json={"id": "other", **profile("gender", url=other)}
        )
        assert stored.is_success
        assert (await client.post("Patient", json=patient(birthDate="2000"))).status_code == 201
        assert (await client.post("Patient", json=patient(gender="female"))).status_code == 201
        answer = await client.post("Patient", json=patient())
        assert answer.status_code == 422
        found = errors(answer.json()["issue"])
        assert found[0] == ("profile-none-fits", ["Patient"])
        assert len(found) == 2


async def test_validation_says_what_a_write_would_be_told(database_url: str) -> None:
    async with server(database_url, "reject", validation_profiles={"Patient": (PROFILE,)}) as client:
        refused = await client.post("Patient", json=patient())
        said = await client.post("Patient/$validate?mode=create", json=patient())
        assert errors(said.json()["issue"]) == errors(refused.json()["issue"])


async def test_issues_are_counted_by_severity(database_url: str) -> None:
    async with server(database_url, "warn") as client:
        await client.post("Patient", json=patient(**WRONG))
        figures = (await client.get("http://server.example/metrics")).text
        assert 'healthbuddy_validation_issues_total{severity="error"}' in figures
