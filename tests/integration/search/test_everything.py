"""`$everything` over HTTP: the compartment and what it refers to, each once, in pages that writers cannot disturb.

Source: http://hl7.org/fhir/R4/patient-operation-everything.html, http://hl7.org/fhir/R4/encounter-operation-everything.html,
http://hl7.org/fhir/R4/group-operation-everything.html
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from fhir_server.search import everything
from tests.integration.search.people import observation, patient
from tests.integration.web import client, outcome_codes

Json = dict[str, Any]
PREFIX = "http://server.example/fhir/"


def ref(text: str) -> Json:
    """Return a Reference."""
    return {"reference": text}


WORLD: list[Json] = [
    patient("p1", "One", managingOrganization=ref("Organization/g1"), birthDate="1950-01-01"),
    patient("p2", "Two", link=[{"other": ref("Patient/p1"), "type": "seealso"}]),
    patient("p3", "Three"),
    {"resourceType": "Organization", "id": "g1", "name": "Clinic"},
    {"resourceType": "Organization", "id": "g2", "name": "Unrelated"},
    {"resourceType": "Practitioner", "id": "d1"},
    {"resourceType": "Location", "id": "w1", "name": "Ward"},
    {"resourceType": "Medication", "id": "m1"},
    {
        "resourceType": "Encounter",
        "id": "e1",
        "status": "finished",
        "class": {"code": "AMB"},
        "subject": ref("Patient/p1"),
        "period": {"start": "2020-01-01", "end": "2020-01-03"},
        "participant": [{"individual": ref("Practitioner/d1")}],
        "location": [{"location": ref("Location/w1")}],
    },
    observation("o1", "Patient/p1", "a", "2020-01-02", encounter=ref("Encounter/e1")),
    observation("o2", "Patient/p1", "a", "2021-01-02", performer=[ref("Practitioner/d1")]),
    observation("o3", "Patient/p2", "a", "2021-01-02", performer=[ref("Patient/p1")]),
    observation("o4", "Patient/p3", "a", "2021-01-02"),
    {
        "resourceType": "MedicationRequest",
        "id": "r1",
        "status": "active",
        "intent": "order",
        "subject": ref("Patient/p1"),
        "medicationReference": ref("Medication/m1"),
        "requester": ref("Practitioner/gone"),
    },
    {"resourceType": "Group", "id": "both", "type": "person", "actual": True}
    | {"member": [{"entity": ref("Patient/p2")}, {"entity": ref("Patient/p3"), "inactive": True}]},
    {"resourceType": "Group", "id": "empty", "type": "person", "actual": True},
]
ONE = "Patient/p1 Patient/p2 Encounter/e1 Observation/o1 Observation/o2 Observation/o3 MedicationRequest/r1"
ONE_BESIDES = "Organization/g1 Practitioner/d1 Location/w1 Medication/m1"


@pytest.fixture
async def server(database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client on a server that holds the `WORLD`."""
    async with client(database_url) as one:
        if (await one.get("Patient/p1")).status_code == 404:
            for resource in WORLD:
                answer = await one.put(f"{resource['resourceType']}/{resource['id']}", json=resource)
                assert answer.status_code == 201, answer.text
        yield one


def listed(bundle: Json, mode: str) -> list[str]:
    """Return 'Type/id' of the entries of a mode, in order."""
    assert bundle["resourceType"] == "Bundle", bundle
    assert bundle["type"] == "searchset"
    entries = [entry for entry in bundle.get("entry", []) if entry["search"]["mode"] == mode]
    named = [f"{entry['resource']['resourceType']}/{entry['resource']['id']}" for entry in entries]
    assert [entry["fullUrl"] for entry in entries] == [PREFIX + name for name in named]
    return named


def following(bundle: Json) -> str | None:
    """Return the address of the next page."""
    return next((one["url"] for one in bundle["link"] if one["relation"] == "next"), None)


async def ask(server: httpx.AsyncClient, path: str) -> Json:
    """Return the Bundle at `path`."""
    answer = await server.get(path)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


@pytest.mark.parametrize(
    ("path", "matches", "included"),
    [
        ("Patient/p1/$everything", ONE, ONE_BESIDES),
        ("Patient/p3/$everything", "Patient/p3 Observation/o4 Group/both", ""),
        (
            "Patient/p1/$everything?_type=Observation,Practitioner",
            "Observation/o1 Observation/o2 Observation/o3",
            "Practitioner/d1",
        ),
        ("Patient/p1/$everything?_type=Location&_type=Medication", "", "Location/w1 Medication/m1"),
        (
            "Patient/p1/$everything?start=2021-01-01",
            "Patient/p1 Patient/p2 Observation/o2 Observation/o3 MedicationRequest/r1",
            "Organization/g1 Practitioner/d1 Medication/m1",
        ),
        (
            "Patient/p1/$everything?start=2020-01-03&end=2020-12",
            "Patient/p1 Patient/p2 Encounter/e1 MedicationRequest/r1",
            ONE_BESIDES,
        ),
        ("Patient/p1/$everything?_since=2100-01-01T00:00:00Z", "", ""),
        ("Patient/p1/$everything?_since=2000-01-01T00:00:00Z", ONE, ONE_BESIDES),
        ("Encounter/e1/$everything", "Encounter/e1 Observation/o1", "Patient/p1 Practitioner/d1 Location/w1"),
        ("Group/both/$everything", "Group/both Patient/p2 Observation/o3", ""),
        ("Group/empty/$everything", "Group/empty", ""),
        (
            "Patient/$everything",
            ONE + " Patient/p3 Observation/o4 Group/both",
            ONE_BESIDES,
        ),
        ("Patient/$everything?_type=Location,Observation&end=2020-06", "Observation/o1", "Location/w1"),
    ],
)
async def test_compartment_and_what_it_refers_to(
    server: httpx.AsyncClient, path: str, matches: str, included: str
) -> None:
    bundle = await ask(server, path)
    assert sorted(listed(bundle, "match")) == sorted(matches.split())
    assert sorted(listed(bundle, "include")) == sorted(included.split())
    assert bundle["total"] == len(matches.split())


@pytest.mark.parametrize(
    "path", ["Patient/p1/$everything", "Patient/$everything", "Encounter/e1/$everything"]
)
@pytest.mark.parametrize("count", [1, 3, 1000])
async def test_pages_hold_each_resource_once(server: httpx.AsyncClient, path: str, count: int) -> None:
    whole = await ask(server, path)
    wanted = sorted(listed(whole, "match") + listed(whole, "include"))
    seen: list[str] = []
    url: str | None = f"{path}?_count={count}"
    while url:
        bundle = await ask(server, url)
        page = listed(bundle, "match") + listed(bundle, "include")
        assert len(page) <= count
        seen += page
        url = following(bundle)
        assert len(seen) <= len(wanted)
    assert sorted(seen) == wanted


async def test_what_is_there_throughout_is_neither_lost_nor_doubled_while_others_write(
    server: httpx.AsyncClient,
) -> None:
    before = patient("busy", "Busy")
    await server.put("Patient/busy", json=before)
    for i in range(6):
        await server.put(
            f"Observation/b{i}", json=observation(f"b{i}", "Patient/busy", "a", f"2020-01-0{i + 1}")
        )
    seen: list[str] = []
    url: str | None = "Patient/busy/$everything?_count=2"
    turn = 0
    while url:
        bundle = await ask(server, url)
        seen += listed(bundle, "match")
        url = following(bundle)
        await server.put(
            "Observation/b1", json=observation("b1", "Patient/busy", "a", f"2022-01-0{turn + 1}")
        )
        await server.put(f"Observation/n{turn}", json=observation(f"n{turn}", "Patient/busy", "a"))
        if turn == 0:
            await server.delete("Observation/b5")
        turn += 1
        assert turn < 20
    steady = [f"Observation/b{i}" for i in range(5)] + ["Patient/busy"]
    assert [seen.count(name) for name in steady] == [1] * len(steady)
    assert len(seen) == len(set(seen))
    assert "Observation/b5" not in seen


@pytest.mark.parametrize(
    "path",
    [
        "Patient/p1/$everything",
        "Patient/p1/$everything?start=2021",
        "Group/both/$everything?_type=Group,Patient",
    ],
)
async def test_many_patients_are_answered_like_few(
    server: httpx.AsyncClient, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = await ask(server, path)
    monkeypatch.setattr(everything, "FEW", 0)
    many = await ask(server, path)
    assert listed(few, "match")
    assert many["entry"] == few["entry"]


async def test_references_without_a_search_parameter_are_followed_too(server: httpx.AsyncClient) -> None:
    await server.put("Organization/g3", json={"resourceType": "Organization", "id": "g3", "name": "Employer"})
    await server.put("Organization/g4", json={"resourceType": "Organization", "id": "g4", "name": "Sponsor"})
    await server.put(
        "Binary/b1", json={"resourceType": "Binary", "id": "b1", "contentType": "text/plain", "data": "aGk="}
    )
    sponsor = {"url": "http://x/sponsor", "valueReference": ref("Organization/g4")}
    more = {
        "contact": [{"organization": ref("Organization/g3")}],
        "extension": [sponsor],
        "photo": [{"url": "Binary/b1", "contentType": "image/png"}],
    }
    await server.put("Patient/rich", json=patient("rich", "Rich", **more))
    bundle = await ask(server, "Patient/rich/$everything")
    assert listed(bundle, "match") == ["Patient/rich"]
    assert sorted(listed(bundle, "include")) == ["Binary/b1", "Organization/g3", "Organization/g4"]
    assert listed(await ask(server, "Patient?_id=rich&_include=*"), "include") == []


async def test_posted_parameters_are_those_of_the_query(server: httpx.AsyncClient) -> None:
    body = {
        "resourceType": "Parameters",
        "parameter": [
            {"name": "_type", "valueCode": "Observation"},
            {"name": "_count", "valueInteger": 2},
            {"name": "start", "valueDate": "2020-01-01"},
        ],
    }
    answer = await server.post(
        "Patient/p1/$everything", json=body, headers={"content-type": "application/fhir+json"}
    )
    assert answer.status_code == 200, answer.text
    first = answer.json()
    second = await ask(server, str(following(first)))
    assert len(listed(first, "match")) == 2
    assert sorted(listed(first, "match") + listed(second, "match")) == [
        f"Observation/o{i}" for i in (1, 2, 3)
    ]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("Patient/nobody/$everything", 404, "not-found"),
        ("Patient/p1/$everything?_count=x", 400, "value"),
        ("Patient/p1/$everything?_count=0", 400, "value"),
        ("Patient/p1/$everything?_type=Nothing", 400, "value"),
        ("Patient/p1/$everything?start=yesterday", 400, "value"),
        ("Patient/p1/$everything?name=x", 400, "not-supported"),
        ("Encounter/e1/$everything?start=2020", 400, "not-supported"),
        ("Encounter/$everything", 404, "not-supported"),
        ("Group/$everything", 404, "not-supported"),
        ("Observation/o1/$everything", 404, "not-supported"),
        ("Patient/p1/$everything?_cursor=nonsense", 400, "invalid"),
    ],
)
async def test_what_cannot_be_answered_is_refused(
    server: httpx.AsyncClient, path: str, status: int, code: str
) -> None:
    answer = await server.get(path)
    assert (answer.status_code, outcome_codes(answer)) == (status, [code])


async def test_a_deleted_patient_is_gone(server: httpx.AsyncClient) -> None:
    await server.put("Patient/past", json=patient("past", "Past"))
    await server.delete("Patient/past")
    answer = await server.get("Patient/past/$everything")
    assert (answer.status_code, outcome_codes(answer)) == (410, ["deleted"])


async def test_a_cursor_is_good_for_its_own_call_only(server: httpx.AsyncClient) -> None:
    bundle = await ask(server, "Patient/p1/$everything?_count=1")
    stolen = str(following(bundle)).replace("/p1/", "/p2/")
    answer = await server.get(stolen)
    assert (answer.status_code, outcome_codes(answer)) == (400, ["invalid"])
