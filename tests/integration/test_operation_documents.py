"""`Composition/$document` and `DocumentReference/$docref`.

Source: http://hl7.org/fhir/R4/composition-operation-document.html,
        http://hl7.org/fhir/us/core/STU6.1/OperationDefinition-docref.html
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

CCD = {"coding": [{"system": "http://loinc.org", "code": "34133-9"}]}
LETTER = {"coding": [{"system": "http://loinc.org", "code": "51851-4"}]}


async def put(client: httpx.AsyncClient, type_name: str, id_: str, **content: Any) -> None:
    """Store a resource."""
    answer = await client.put(f"{type_name}/{id_}", json={"resourceType": type_name, "id": id_, **content})
    assert answer.status_code in (200, 201), answer.text


async def composition(client: httpx.AsyncClient, id_: str, *entries: str) -> None:
    """Store a Composition about Patient/doc by Practitioner/doc whose section refers to `entries`."""
    await put(client, "Organization", "doc", name="Clinic")
    await put(client, "Patient", "doc", managingOrganization={"reference": "Organization/doc"})
    await put(client, "Practitioner", "doc", name=[{"family": "Doc"}])
    sections = [{"title": "All", "entry": [{"reference": entry} for entry in entries]}]
    await put(
        client,
        "Composition",
        id_,
        status="final",
        type=CCD,
        date="2024-01-01",
        title="Summary",
        subject={"reference": "Patient/doc"},
        author=[{"reference": "Practitioner/doc"}],
        **({"section": sections} if entries else {}),
    )


async def test_a_document_holds_the_composition_and_all_that_it_leads_to_once(
    client: httpx.AsyncClient,
) -> None:
    await put(client, "Basic", "doc", code={"text": "x"}, subject={"reference": "Patient/doc"})
    await composition(client, "c1", "Basic/doc", "http://else.where/Basic/1")
    answer = await client.get("Composition/c1/$document")
    assert answer.status_code == 200, answer.text
    bundle = answer.json()
    assert (bundle["type"], bundle["identifier"]["system"]) == ("document", "urn:ietf:rfc:3986")
    assert "timestamp" in bundle
    held = [f"{entry['resource']['resourceType']}/{entry['resource']['id']}" for entry in bundle["entry"]]
    assert held[0] == "Composition/c1"
    assert sorted(held[1:]) == ["Basic/doc", "Organization/doc", "Patient/doc", "Practitioner/doc"]
    assert all(entry["fullUrl"].endswith(name) for entry, name in zip(bundle["entry"], held, strict=True))


async def test_a_document_does_not_need_the_documents_it_relates_to(client: httpx.AsyncClient) -> None:
    await composition(client, "c5")
    body = (await client.get("Composition/c5")).json()
    body["relatesTo"] = [{"code": "replaces", "targetReference": {"reference": "Composition/gone"}}]
    assert (await client.put("Composition/c5", json=body)).status_code == 200
    bundle = (await client.get("Composition/c5/$document")).json()
    assert bundle["entry"][0]["resource"]["id"] == "c5"


async def test_a_document_is_asked_for_by_id_too_and_stored_on_demand(client: httpx.AsyncClient) -> None:
    await composition(client, "c2")
    assert (await client.get("Composition/$document", params={"id": "c2"})).json()["type"] == "document"
    body = {"resourceType": "Parameters", "parameter": [{"name": "persist", "valueBoolean": True}]}
    answer = await client.post("Composition/c2/$document", json=body)
    assert answer.status_code == 200, answer.text
    stored = await client.get(answer.headers["location"])
    assert stored.json()["entry"][0]["resource"]["id"] == "c2"
    assert stored.json()["id"] == answer.json()["id"]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("Composition/nobody/$document", 404),
        ("Composition/$document", 400),
        ("Composition/c3/$document?id=c3", 400),
        ("Composition/c3/$document?graph=http://x", 400),
        ("Composition/$document?id=http://else.where/Composition/1", 400),
        ("Composition/$document?id=Patient/doc", 400),
        ("Composition/c3/$document?persist=maybe", 400),
        ("Composition/c4/$document", 404),
        ("Patient/doc/$document", 404),
    ],
)
async def test_a_document_that_cannot_be_made_is_refused(
    client: httpx.AsyncClient, path: str, status: int
) -> None:
    await composition(client, "c3")
    await composition(client, "c4", "Basic/missing")
    answer = await client.get(path)
    assert answer.status_code == status, answer.text
    assert answer.json()["resourceType"] == "OperationOutcome"


async def reference(client: httpx.AsyncClient, id_: str, patient: str, **content: Any) -> None:
    """Store a DocumentReference."""
    attachment = [{"attachment": {"contentType": "text/plain", "url": "Binary/x"}}]
    given = {
        "status": "current",
        "subject": {"reference": f"Patient/{patient}"},
        "content": attachment,
        **content,
    }
    await put(client, "DocumentReference", id_, **given)


async def documents(client: httpx.AsyncClient, **query: str) -> list[str]:
    """Return the ids that $docref answers."""
    answer = await client.get("DocumentReference/$docref", params=query)
    assert answer.status_code == 200, answer.text
    return [entry["resource"]["id"] for entry in answer.json().get("entry", ())]


async def test_documents_are_found_by_care_dates_and_type(client: httpx.AsyncClient) -> None:
    summer = {"period": {"start": "2024-06-01", "end": "2024-06-05"}}
    await reference(client, "dr1", "dr", type=CCD, date="2024-09-01T00:00:00Z", context=summer)
    await reference(client, "dr2", "dr", type=LETTER, date="2024-08-01T00:00:00Z")
    await reference(client, "dr3", "dr", type=CCD, status="superseded", date="2024-08-01T00:00:00Z")
    await reference(client, "dr4", "other", type=CCD, date="2024-08-01T00:00:00Z")
    assert await documents(client, patient="dr") == ["dr1"]
    assert await documents(client, patient="dr", type="http://loinc.org|51851-4") == ["dr2"]
    assert await documents(client, patient="dr", start="2024-07-01T00:00:00Z") == ["dr2"]
    assert await documents(client, patient="dr", start="2024-06-03", end="2024-07-01") == ["dr1"]
    assert await documents(client, patient="dr", start="2020-01-01") == ["dr1", "dr2"]
    assert await documents(client, patient="nobody") == []


async def test_no_document_is_made_on_demand_and_that_is_said(client: httpx.AsyncClient) -> None:
    await reference(client, "dr5", "dr5", type=CCD)
    answer = (
        await client.get("DocumentReference/$docref", params={"patient": "dr5", "on-demand": "true"})
    ).json()
    assert [entry["search"]["mode"] for entry in answer["entry"]] == ["outcome"]
    assert answer["total"] == 0


@pytest.mark.parametrize(
    "query", ["", "patient=x&start=soon", "patient=x&profile=http://x", "patient=x&speed=1"]
)
async def test_a_wrong_docref_is_refused(client: httpx.AsyncClient, query: str) -> None:
    assert (await client.get(f"DocumentReference/$docref?{query}")).status_code == 400
