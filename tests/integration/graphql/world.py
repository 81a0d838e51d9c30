"""The resources that the GraphQL tests are about, R4's example patient among them, and a way to ask."""

from __future__ import annotations

from typing import Any

import httpx

Json = dict[str, Any]

PATIENT: Json = {
    "resourceType": "Patient",
    "id": "example",
    "active": True,
    "identifier": [{"system": "urn:oid:1.2.36.146.595.217.0.1", "value": "12345"}],
    "name": [
        {"use": "official", "family": "Chalmers", "given": ["Peter", "James"]},
        {"use": "usual", "given": ["Jim"]},
        {"use": "maiden", "family": "Windsor", "given": ["Peter", "James"]},
    ],
    "telecom": [
        {"system": "phone", "use": "work", "value": "1"},
        {"system": "phone", "use": "home", "value": "2"},
    ],
    "birthDate": "1974-12-25",
    "_birthDate": {
        "extension": [
            {
                "url": "http://hl7.org/fhir/StructureDefinition/patient-birthTime",
                "valueDateTime": "1974-12-25T14:35:45-05:00",
            }
        ]
    },
    "extension": [
        {"url": "http://myextension.url/details", "valueString": "some value"},
        {"url": "http://other.url", "valueReference": {"reference": "Practitioner/doc"}},
    ],
    "managingOrganization": {"reference": "#org"},
    "contained": [{"resourceType": "Organization", "id": "org", "name": "Inside"}],
    "generalPractitioner": [{"reference": "Practitioner/doc"}, {"reference": "Practitioner/other"}],
}

WORLD: list[Json] = [
    {"resourceType": "Practitioner", "id": "doc", "active": True, "name": [{"family": "Careful"}]},
    {"resourceType": "Practitioner", "id": "other", "active": False, "name": [{"family": "Other"}]},
    PATIENT,
    {"resourceType": "Patient", "id": "second", "name": [{"family": "Petrov", "given": ["Ana"]}]},
    {
        "resourceType": "Observation",
        "id": "example",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
        "subject": {"reference": "Patient/example"},
        "performer": [{"reference": "Practitioner/doc"}],
        "valueQuantity": {"value": 185.50, "unit": "lbs"},
    },
    {
        "resourceType": "Observation",
        "id": "dangling",
        "status": "final",
        "code": {"text": "x"},
        "subject": {"reference": "http://elsewhere.example/Patient/1"},
    },
    *(
        {
            "resourceType": "Condition",
            "id": f"c{number}",
            "clinicalStatus": {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/condition-clinical",
                        "code": "active" if number < 4 else "relapse",
                    }
                ]
            },
            "subject": {"reference": "Patient/example"},
            "code": {"text": f"Smith, \\ number {number}"},
        }
        for number in range(5)
    ),
    {
        "resourceType": "List",
        "id": "long",
        "status": "current",
        "mode": "working",
        "entry": [
            {"deleted": number % 2 == 0, "item": {"reference": f"Condition/c{number % 5}"}}
            for number in range(12)
        ],
    },
    {
        "resourceType": "Bundle",
        "id": "document",
        "type": "collection",
        "entry": [
            {
                "fullUrl": "http://elsewhere.example/Observation/1",
                "resource": {
                    "resourceType": "Observation",
                    "id": "1",
                    "status": "final",
                    "code": {"text": "x"},
                    "subject": {"reference": "Patient/example"},
                },
            },
            {
                "fullUrl": "http://elsewhere.example/Patient/example",
                "resource": {"resourceType": "Patient", "id": "example", "birthDate": "2000-01-01"},
            },
        ],
    },
]


async def filled(web: httpx.AsyncClient) -> httpx.AsyncClient:
    """Return `web` with the world in it."""
    if (await web.get("Bundle/document")).status_code == 404:
        entries = [
            {"resource": one, "request": {"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"}}
            for one in WORLD
        ]
        answer = await web.post("", json={"resourceType": "Bundle", "type": "transaction", "entry": entries})
        assert answer.status_code == 200, answer.text
    return web


async def ask(web: httpx.AsyncClient, query: str, at: str = "", **more: Any) -> Any:
    """Return the data that a query answers, which must succeed."""
    answer = await post(web, query, at, **more)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("application/json")
    return answer.json()["data"]


async def post(web: httpx.AsyncClient, query: str, at: str = "", **more: Any) -> httpx.Response:
    """Return the answer to a query posted as JSON."""
    path = f"{at}/$graphql" if at else "$graphql"
    return await web.post(path, json={"query": query, **more})


async def refused(web: httpx.AsyncClient, query: str, at: str = "", **more: Any) -> tuple[int, str, str]:
    """Return (status, issue code, message) of a query that fails, as R4 says that it has to."""
    answer = await post(web, query, at, **more)
    body = answer.json()
    assert answer.status_code >= 400, body
    assert body["data"] is None
    error = body["errors"][0]
    outcome = error["extensions"]["resource"]
    assert outcome["resourceType"] == "OperationOutcome"
    assert outcome["issue"][0]["diagnostics"].startswith(error["message"])
    return answer.status_code, outcome["issue"][0]["code"], error["message"]
