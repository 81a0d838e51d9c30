"""Every interaction that US Core's CapabilityStatement names, in JSON and XML, and what is read back.

Source: http://hl7.org/fhir/us/core/STU6.1/CapabilityStatement-us-core-server.html, must-support.html
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.conformance.us_core.asked import interactions, resources
from tests.conformance.us_core.world import PROFILE, Json, examples
from tests.integration.web import JSON, XML

TYPES = sorted(resources())
VERIFIED = "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification"
LOINC: Json = {
    "resourceType": "CodeSystem",
    "id": "little-loinc",
    "url": "http://loinc.org",
    "status": "active",
    "content": "complete",
    "caseSensitive": False,
    "property": [{"code": "SCALE_TYP", "type": "string"}, {"code": "CLASSTYPE", "type": "string"}],
    "concept": [
        {
            "code": code,
            "property": [
                {"code": "SCALE_TYP", "valueString": scale},
                {"code": "CLASSTYPE", "valueString": kind},
            ],
        }
        for code, scale, kind in (("34117-2", "DOC", "2"), ("8867-4", "QN", "2"), ("2345-7", "QN", "1"))
    ],
}
"""Three codes with the properties that the guide's value sets filter by."""


def example(kind: str) -> Json:
    """Return the first example of a type."""
    return next(one for one in examples() if one["resourceType"] == kind)


def bare(resource: Json) -> Json:
    """Return a resource without what the server writes itself."""
    own = ("versionId", "lastUpdated")
    meta = {key: one for key, one in resource.get("meta", {}).items() if key not in own}
    rest = {key: one for key, one in resource.items() if key != "meta"}
    return {**rest, "meta": meta} if meta else rest


@pytest.mark.parametrize("kind", TYPES)
async def test_every_stated_interaction_is_there(guide: httpx.AsyncClient, kind: str) -> None:
    stated = interactions(kind)
    first = bare(example(kind))
    made = await guide.post(kind, json=first)
    assert made.status_code == 201, made.text
    own, version = made.json()["id"], made.json()["meta"]["versionId"]
    changed = {**first, "id": own, "language": "en-US"}
    said = {
        "create": made,
        "read": await guide.get(f"{kind}/{own}"),
        "update": await guide.put(f"{kind}/{own}", json=changed),
        "vread": await guide.get(f"{kind}/{own}/_history/{version}"),
        "patch": await guide.patch(
            f"{kind}/{own}",
            json=[{"op": "replace", "path": "/language", "value": "en"}],
            headers={"Content-Type": "application/json-patch+json"},
        ),
        "history-instance": await guide.get(f"{kind}/{own}/_history"),
        "history-type": await guide.get(f"{kind}/_history"),
        "search-type": await guide.get(kind, params={"_id": own}),
    }
    said["delete"] = await guide.delete(f"{kind}/{own}")
    assert stated <= said.keys()
    assert {
        name: one.status_code for name, one in said.items() if one.status_code not in (200, 201, 204)
    } == {}
    assert bare(said["read"].json()) == {**first, "id": own}
    assert bare(said["vread"].json()) == {**first, "id": own}
    assert said["history-instance"].json()["total"] == 3
    assert [one["resource"]["language"] for one in said["search-type"].json()["entry"]] == ["en"]
    assert (await guide.get(f"{kind}/{own}")).status_code == 410


@pytest.mark.parametrize("kind", TYPES)
async def test_what_is_read_in_xml_is_what_is_stored(guide: httpx.AsyncClient, kind: str) -> None:
    first = bare(example(kind))
    read = await guide.get(f"{kind}/{first['id']}", headers={"Accept": XML})
    assert read.headers["content-type"].startswith(XML)
    sent = await guide.post(kind, content=read.content, headers={"Content-Type": XML, "Accept": JSON})
    assert sent.status_code == 201, sent.text
    assert bare(sent.json()) == {**first, "id": sent.json()["id"]}
    assert (await guide.delete(f"{kind}/{sent.json()['id']}")).status_code == 204


BOTH: tuple[tuple[str, dict[str, Any]], ...] = (
    ("CareTeam", {"participant": [{"member": {"reference": "Practitioner/practitioner-1"}},
                                  {"member": {"reference": "PractitionerRole/role"}}]}),
    ("Encounter", {"reasonCode": [{"text": "a"}], "reasonReference": [{"reference": "Condition/example"}]}),
    ("Encounter", {"location": [{"location": {"reference": "Location/hl7east"}}],
                   "serviceProvider": {"reference": "Organization/acme-lab"}}),
    ("Goal", {"startDate": "2026-01-01", "target": [{"dueDate": "2026-02-01"}]}),
    ("MedicationDispense", {"medicationCodeableConcept": {"text": "a"}}),
    ("MedicationDispense", {"medicationReference": {"display": "a"}}),
    ("MedicationRequest", {"reportedBoolean": True}),
    ("MedicationRequest", {"reportedReference": {"reference": "Practitioner/practitioner-1"}}),
    ("MedicationRequest", {"medicationCodeableConcept": {"text": "a"}}),
    ("MedicationRequest", {"medicationReference": {"display": "a"}}),
    ("Observation", {"derivedFrom": [{"reference": "Observation/blood-glucose"},
                                     {"reference": "QuestionnaireResponse/prapare-example"}]}),
    ("DocumentReference", {"content": [{"attachment": {"url": "http://a.test/scan", "data": "YQ=="}}]}),
    ("Condition", {"onsetDateTime": "2026-01-01", "recordedDate": "2026-01-02"}),
    ("AllergyIntolerance", {"reaction": [{"manifestation": [{"text": "a"}]}],
                            "verificationStatus": {"coding": [{"system": VERIFIED, "code": "refuted"}]}}),
    ("Organization", {"identifier": [{"system": "http://hl7.org/fhir/sid/us-npi", "value": "1144221847"}]}),
    ("Device", {"udiCarrier": [{"deviceIdentifier": "1", "carrierHRF": "(01)1(17)2"}],
                "expirationDate": "2026-01-01", "lotNumber": "2", "serialNumber": "3",
                "distinctIdentifier": "4", "manufactureDate": "2025-01-01"}),
)  # fmt: skip


@pytest.mark.parametrize(("kind", "elements"), BOTH)
async def test_either_way_that_a_profile_allows_is_kept(
    guide: httpx.AsyncClient, kind: str, elements: dict[str, Any]
) -> None:
    names = {name[:8] for name in elements}
    rest = {key: one for key, one in bare(example(kind)).items() if key[:8] not in names}
    made = await guide.post(kind, json={**rest, **elements})
    assert made.status_code == 201, made.text
    read = (await guide.get(f"{kind}/{made.json()['id']}")).json()
    assert {name: read[name] for name in elements} == elements


async def test_a_scan_is_reached_by_its_report_and_by_its_document(guide: httpx.AsyncClient) -> None:
    scan = {"contentType": "application/pdf", "url": "http://a.test/one-scan"}
    report = {**bare(example("DiagnosticReport")), "presentedForm": [scan]}
    document = {**bare(example("DocumentReference")), "content": [{"attachment": scan}]}
    for resource in (report, document):
        made = await guide.post(resource["resourceType"], json=resource)
        assert made.status_code == 201
        read = (await guide.get(f"{resource['resourceType']}/{made.json()['id']}")).json()
        kept = read["presentedForm"][0] if resource is report else read["content"][0]["attachment"]
        assert kept == scan


@pytest.mark.parametrize("direction", ["incoming", "outgoing"])
@pytest.mark.parametrize(
    ("context", "codes"),
    [
        ("us-core-diagnosticreport-note#DiagnosticReport.code", {"34117-2", "8867-4"}),
        ("us-core-documentreference#DocumentReference.type", {"34117-2", "UNK"}),
    ],
)
async def test_kinds_of_notes_are_discovered_by_their_element(
    guide: httpx.AsyncClient, context: str, codes: set[str], direction: str
) -> None:
    assert (await guide.put("CodeSystem/little-loinc", json=LOINC)).status_code in (200, 201)
    asked = {"context": PROFILE + context, "contextDirection": direction}
    answer = await guide.get("ValueSet/$expand", params=asked)
    assert answer.status_code == 200, answer.text
    assert {one["code"] for one in answer.json()["expansion"]["contains"]} == codes
