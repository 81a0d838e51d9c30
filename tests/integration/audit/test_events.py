"""AuditEvents over REST: every access is there, auditors search them, nobody changes them.

Source: IHE Basic Audit Log Patterns 1.1; http://hl7.org/fhir/R4/auditevent.html
"""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from fhir_server.access.grant import Grant
from tests.integration.web import client_of, outcome_codes, running


@pytest.fixture
async def web(fresh_database_url: str, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    async with running(fresh_database_url, audit="on", data_dir=tmp_path) as app, client_of(app) as one:
        yield one


async def _events(web: httpx.AsyncClient, query: str = "") -> list[dict[str, Any]]:
    answer = await web.get(f"AuditEvent?{query}")
    assert answer.status_code == 200, answer.text
    return [entry["resource"] for entry in answer.json().get("entry", [])]


async def test_each_interaction_leaves_an_event_with_action_and_entity(web: httpx.AsyncClient) -> None:
    made = await web.post("Patient", json={"resourceType": "Patient", "gender": "male"})
    id_ = made.json()["id"]
    await web.get(f"Patient/{id_}")
    await web.get("Patient?gender=male&_count=5")
    await web.put(f"Patient/{id_}", json={"resourceType": "Patient", "id": id_, "gender": "female"})
    await web.delete(f"Patient/{id_}")
    await web.get(f"Patient/{id_}")
    events = await _events(web, "_sort=date")
    told = [(event["subtype"][0]["code"], event["action"], event["outcome"]) for event in events]
    assert told[:6] == [
        ("create", "C", "0"),
        ("read", "R", "0"),
        ("search-type", "E", "0"),
        ("update", "U", "0"),
        ("delete", "D", "0"),
        ("read", "R", "4"),
    ]
    references = [entity["what"].get("reference") for entity in events[1]["entity"] if "what" in entity]
    assert f"Patient/{id_}" in references


async def test_events_are_valid_and_follow_the_patterns(web: httpx.AsyncClient) -> None:
    await web.post("Patient", json={"resourceType": "Patient"})
    await web.get("Patient?name=x")
    for event in await _events(web):
        answer = await web.post("AuditEvent/$validate", json=event)
        errors = [i for i in answer.json()["issue"] if i["severity"] in ("error", "fatal")]
        assert errors == []


async def test_the_query_is_kept_as_it_was_sent(web: httpx.AsyncClient) -> None:
    await web.get("Observation?code=http://loinc.org|8867-4&_sort=-date")
    (event,) = await _events(web, "subtype=search-type")
    query = next(entity["query"] for entity in event["entity"] if "query" in entity)
    assert httpx.QueryParams(base64.b64decode(query).decode())["code"] == "http://loinc.org|8867-4"


async def test_looking_into_the_trail_is_in_the_trail(web: httpx.AsyncClient) -> None:
    await _events(web)
    (event,) = await _events(web)
    assert (event["subtype"][0]["code"], event["action"]) == ("search-type", "E")


async def test_pages_lead_through_all_events_once(web: httpx.AsyncClient) -> None:
    for n in range(7):
        await web.get(f"Patient/p{n}")
    url, seen = "AuditEvent?entity=" + ",".join(f"Patient/p{n}" for n in range(7)) + "&_count=3", []
    while url:
        bundle = (await web.get(url)).json()
        seen += [entry["resource"]["id"] for entry in bundle.get("entry", [])]
        url = next((link["url"] for link in bundle["link"] if link["relation"] == "next"), "")
    assert len(seen) == len(set(seen)) == 7


@pytest.mark.parametrize("query", ["outcome=4", "date=ge2020", "agent=anyone", "type=rest", "action=R"])
async def test_parameters_find_what_they_say(web: httpx.AsyncClient, query: str) -> None:
    await web.get("Patient/nobody")
    assert len(await _events(web, query)) == 1
    wrong = {"outcome=4": "outcome=8", "date=ge2020": "date=lt2020", "agent=anyone": "agent=Practitioner/1"}
    assert await _events(web, wrong.get(query, "action=C")) == []


@pytest.mark.parametrize(
    "query", ["policy=x", "date=notadate", "entity=x", "_cursor=abc", "_sort=type", "_count=x"]
)
async def test_what_the_trail_cannot_be_asked_is_refused(web: httpx.AsyncClient, query: str) -> None:
    answer = await web.get(f"AuditEvent?{query}")
    assert answer.status_code == 400
    assert outcome_codes(answer)


async def test_nobody_changes_the_trail(web: httpx.AsyncClient) -> None:
    await web.get("Patient/x")
    (event,) = await _events(web)
    for answer in (
        await web.put(f"AuditEvent/{event['id']}", json=event),
        await web.delete(f"AuditEvent/{event['id']}"),
        await web.delete("AuditEvent?type=rest"),
        await web.patch(
            f"AuditEvent/{event['id']}", json=[], headers={"Content-Type": "application/json-patch+json"}
        ),
    ):
        assert answer.status_code == 405, answer.text
    assert (await web.get(f"AuditEvent/{event['id']}")).json() == event


async def test_what_a_client_reports_becomes_part_of_the_trail(web: httpx.AsyncClient) -> None:
    own = {
        "resourceType": "AuditEvent",
        "type": {"system": "http://example.org/audit", "code": "printed"},
        "recorded": "2026-01-01T00:00:00Z",
        "agent": [{"requestor": True}],
        "source": {"observer": {"display": "printer"}},
    }
    answer = await web.post("AuditEvent", json=own)
    assert answer.status_code == 201
    kept = [event for event in await _events(web) if event["type"]["code"] == "printed"]
    assert [event["source"]["observer"]["display"] for event in kept] == ["printer"]
    refused = await web.post("AuditEvent", json={"resourceType": "AuditEvent"})
    assert refused.status_code == 422


async def test_without_a_trail_there_is_no_answer(web: httpx.AsyncClient, fresh_database_url: str) -> None:
    with psycopg.connect(fresh_database_url) as conn:
        conn.execute("ALTER TABLE audit_entry RENAME TO gone")
    answer = await web.get("Patient?name=x")
    assert (answer.status_code, outcome_codes(answer)) == (503, ["transient"])


async def test_a_patient_sees_who_looked_at_the_record(web: httpx.AsyncClient) -> None:
    await web.put("Patient/p1", json={"resourceType": "Patient", "id": "p1"})
    await web.put("Patient/p2", json={"resourceType": "Patient", "id": "p2"})
    pressure = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
    await web.post("Observation", json={**pressure, "subject": {"reference": "Patient/p1"}})
    await web.get("Observation?code:text=x")
    log = (await web.get("Patient/p1/$access-log")).json()
    told = [entry["resource"]["subtype"][0]["code"] for entry in log["entry"]]
    assert told == ["search-type", "create", "update"]
    assert (await web.get("Patient/nobody/$access-log")).status_code == 404
    other = (await web.get("Patient/p2/$access-log")).json()
    assert [entry["resource"]["subtype"][0]["code"] for entry in other["entry"]] == ["update"]


@pytest.mark.parametrize(
    ("grant", "status"),
    [
        (
            Grant("a", "app", ("patient/Patient.rs",), user="Patient/p1", patient="p1", roles=("patient",)),
            200,
        ),
        (Grant("b", "app", ("user/*.rs",), user="Practitioner/1", roles=("clinician",)), 403),
        (
            Grant("b", "app", ("patient/*.rs",), user="Practitioner/1", patient="p1", roles=("clinician",)),
            403,
        ),
        (
            Grant("c", "app", ("patient/Patient.rs",), user="Patient/p2", patient="p2", roles=("patient",)),
            404,
        ),
    ],
)
async def test_who_looked_at_a_record_is_for_the_patient_alone(
    fresh_database_url: str, tmp_path: Path, grant: Grant, status: int
) -> None:
    async with running(fresh_database_url, audit="on", data_dir=tmp_path) as app, client_of(app) as web:
        for name in ("p1", "p2"):
            await web.put(f"Patient/{name}", json={"resourceType": "Patient", "id": name})

        async def hook(_headers: object, _address: str) -> Grant:
            return grant

        app.fhir.authenticate = hook
        assert (await web.get("Patient/p1/$access-log")).status_code == status
