"""A small clinic with two patients, and clients that come with a grant."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx

from fhir_server.access.grant import OPEN, Grant
from fhir_server.app import App
from tests.integration.web import client_of, running

Json = dict[str, Any]
ADA, BOB = "Patient/ada", "Patient/bob"
LOINC = "http://loinc.org"
CATEGORY = "http://terminology.hl7.org/CodeSystem/observation-category"


class Clinic:
    """A running app, and clients on it under grants: `token` names one."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.grants: dict[str, Grant] = {"": OPEN}
        app.fhir.authenticate = self._authenticate

    async def _authenticate(self, headers: Mapping[str, str], _address: str) -> Grant:
        return self.grants[headers.get("authorization", "").removeprefix("Bearer ")]

    def client(self, **claims: Any) -> httpx.AsyncClient:
        """Return a client with a grant of these claims; without any, one that may do everything."""
        one = client_of(self.app)
        if claims:
            token = str(len(self.grants))
            self.grants[token] = Grant(**{"subject": "someone", "client": "app", **claims})
            one.headers["Authorization"] = f"Bearer {token}"
        return one

    def patient(self, id_: str, *scopes: str, **claims: Any) -> httpx.AsyncClient:
        """Return the client of a patient's app."""
        wanted = scopes or ("patient/*.cruds",)
        own = {"user": f"Patient/{id_}", "roles": ("patient",), "patient": id_}
        return self.client(scopes=wanted, **{**own, **claims})

    def clinician(self, *scopes: str, **claims: Any) -> httpx.AsyncClient:
        """Return the client of a doctor's app."""
        wanted = scopes or ("user/*.cruds",)
        return self.client(scopes=wanted, **{"user": "Practitioner/doc", "roles": ("clinician",), **claims})


@asynccontextmanager
async def clinic(database_url: str, **settings: Any) -> AsyncIterator[Clinic]:
    """Yield the clinic on a database, which gets its records."""
    async with running(database_url, **settings) as app:
        one = Clinic(app)
        async with one.client() as admin:
            answer = await admin.post("", json=records())
            assert answer.status_code == 200, answer.text
        yield one


def observation(id_: str, patient: str, *, category: str = "laboratory", **more: Any) -> Json:
    """Return an Observation of a patient."""
    return {
        "resourceType": "Observation",
        "id": id_,
        "status": "final",
        "category": [{"coding": [{"system": CATEGORY, "code": category}]}],
        "code": {"coding": [{"system": LOINC, "code": "4548-4"}], "text": f"secret of {id_}"},
        "subject": {"reference": patient},
        "valueQuantity": {"value": 6, "unit": "%", "system": "http://unitsofmeasure.org", "code": "%"},
        **more,
    }


def of(id_: str) -> list[Json]:
    """Return the records of one patient."""
    me = f"Patient/{id_}"
    subject = {"subject": {"reference": me}}
    return [
        {"resourceType": "Patient", "id": id_, "name": [{"family": id_.title()}], "gender": "female"},
        observation(f"{id_}-lab", me),
        observation(f"{id_}-vital", me, category="vital-signs"),
        {
            "resourceType": "Condition",
            "id": f"{id_}-condition",
            "code": {"text": "x"},
            "encounter": {"reference": f"Encounter/{id_}-encounter"},
            **subject,
        },
        {
            "resourceType": "Encounter",
            "id": f"{id_}-encounter",
            "status": "finished",
            "class": {"code": "AMB"},
            **subject,
        },
        {
            "resourceType": "Task",
            "id": f"{id_}-task",
            "status": "requested",
            "intent": "order",
            "for": {"reference": me},
        },
        {
            "resourceType": "Provenance",
            "id": f"{id_}-provenance",
            "recorded": "2024-01-01T00:00:00Z",
            "target": [{"reference": f"Observation/{id_}-lab"}],
            "agent": [{"who": {"reference": "Practitioner/doc"}}],
        },
        {"resourceType": "Binary", "id": f"{id_}-binary", "contentType": "text/plain", "data": "c2VjcmV0"},
        {
            "resourceType": "DocumentReference",
            "id": f"{id_}-document",
            "status": "current",
            "content": [{"attachment": {"url": f"Binary/{id_}-binary"}}],
            **subject,
        },
        {
            "resourceType": "Binary",
            "id": f"{id_}-own-binary",
            "contentType": "text/plain",
            "securityContext": {"reference": me},
        },
        {"resourceType": "Device", "id": f"{id_}-device", "patient": {"reference": me}},
    ]


def records() -> Json:
    """Return the transaction that fills the clinic."""
    shared: list[Json] = [
        {"resourceType": "Practitioner", "id": "doc", "name": [{"family": "Doc"}]},
        {"resourceType": "Organization", "id": "clinic", "name": "Clinic"},
        {"resourceType": "Device", "id": "scanner"},
        {
            "resourceType": "Group",
            "id": "both",
            "type": "person",
            "actual": True,
            "member": [{"entity": {"reference": ADA}}, {"entity": {"reference": BOB}}],
        },
        {
            "resourceType": "Appointment",
            "id": "both",
            "status": "booked",
            "participant": [
                {"actor": {"reference": ADA}, "status": "accepted"},
                {"actor": {"reference": BOB}, "status": "accepted"},
            ],
        },
        observation("nobody", "Location/x"),
    ]
    entries = [*of("ada"), *of("bob"), *shared]
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [
            {"resource": one, "request": {"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"}}
            for one in entries
        ],
    }


def found(answer: httpx.Response) -> set[str]:
    """Return what a Bundle holds, as 'Type/id'."""
    assert answer.status_code == 200, answer.text
    entries = answer.json().get("entry", [])
    resources = [entry["resource"] for entry in entries if "resource" in entry]
    return {f"{r['resourceType']}/{r['id']}" for r in resources if r["resourceType"] != "OperationOutcome"}
