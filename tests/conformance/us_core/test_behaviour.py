"""What US Core asks of the server beside searches: what it says of itself, statuses, $docref, data that come back.

Source: http://hl7.org/fhir/us/core/STU6.1/general-requirements.html, CapabilityStatement-us-core-server.html
"""

from __future__ import annotations

import httpx
import pytest

from tests.conformance.us_core.world import PROFILE, STATEMENT, examples, statement


async def test_the_statement_claims_and_names_everything(guide: httpx.AsyncClient) -> None:
    own = (await guide.get("metadata")).json()
    assert own["instantiates"] == [STATEMENT]
    known = {one["type"]: one for one in own["rest"][0]["resource"]}
    for one in statement()["rest"][0]["resource"]:
        foreign = {url for url in one.get("supportedProfile", ()) if "/us/core/" not in url}
        assert set(one.get("supportedProfile", ())) - foreign <= set(
            known[one["type"]].get("supportedProfile", ())
        )


async def test_nothing_that_shall_be_there_is_missing(guide: httpx.AsyncClient) -> None:
    answer = await guide.get(f"CapabilityStatement/$implements?client={STATEMENT}")
    wrong = [one["diagnostics"] for one in answer.json()["issue"] if one["severity"] == "error"]
    assert [one for one in wrong if "sdc-questionnaire" not in one] == []  # a profile of another guide


async def test_every_example_comes_back_as_it_was_sent(guide: httpx.AsyncClient) -> None:
    for sent in examples():
        got = (await guide.get(f"{sent['resourceType']}/{sent['id']}")).json()
        for one in (got, sent := {**sent, "meta": dict(sent.get("meta", {}))}):
            one["meta"] = {k: v for k, v in one["meta"].items() if k not in ("versionId", "lastUpdated")}
        assert got == sent


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("Patient?birthdate=yesterday", 400),
        ("Patient?nothing=1", 400),
        ("Patient/nobody", 404),
        ("Nothing/1", 404),
    ],
)
async def test_what_is_wrong_has_its_status_and_an_outcome(
    guide: httpx.AsyncClient, path: str, status: int
) -> None:
    answer = await guide.get(path, headers={"Prefer": "handling=strict"})
    assert answer.status_code == status
    assert answer.json()["resourceType"] == "OperationOutcome"


NOTES = ("11488-4", "18842-5", "34117-2", "28570-0", "11506-3", "18748-4", "11502-2", "11526-1")


@pytest.mark.parametrize("code", NOTES)
async def test_common_notes_are_stored_and_found_by_their_type(guide: httpx.AsyncClient, code: str) -> None:
    note = {
        "resourceType": "DocumentReference",
        "status": "current",
        "type": {"coding": [{"system": "http://loinc.org", "code": code}]},
        "subject": {"reference": "Patient/example"},
        "content": [{"attachment": {"contentType": "text/plain", "data": "YQ=="}}],
    }
    stored = await guide.post("DocumentReference", json=note)
    assert stored.status_code == 201
    for search in (
        f"DocumentReference?patient=Patient/example&type=http://loinc.org|{code}",
        f"DocumentReference/$docref?patient=example&type=http://loinc.org|{code}",
    ):
        entries = (await guide.get(search)).json()["entry"]
        assert stored.json()["id"] in [one["resource"]["id"] for one in entries]


@pytest.mark.parametrize("code", ["LP29708-2", "LP7839-6", "LP29684-5"])
async def test_reports_are_found_by_their_category(guide: httpx.AsyncClient, code: str) -> None:
    report = {
        "resourceType": "DiagnosticReport",
        "status": "final",
        "category": [{"coding": [{"system": "http://loinc.org", "code": code}]}],
        "code": {"text": "a"},
        "subject": {"reference": "Patient/example"},
    }
    stored = await guide.post("DiagnosticReport", json=report)
    found = await guide.get(f"DiagnosticReport?patient=Patient/example&category=http://loinc.org|{code}")
    assert stored.json()["id"] in [one["resource"]["id"] for one in found.json()["entry"]]


@pytest.mark.parametrize("direction", ["incoming", "outgoing"])
@pytest.mark.parametrize(
    ("context", "code"),
    [
        ("us-core-diagnosticreport-note#DiagnosticReport.category", "LP29684-5"),
        ("us-core-documentreference#DocumentReference.category", "clinical-note"),
    ],
)
async def test_categories_are_discovered_by_their_element(
    guide: httpx.AsyncClient, context: str, code: str, direction: str
) -> None:
    asked = {"context": PROFILE + context, "contextDirection": direction}
    answer = await guide.get("ValueSet/$expand", params=asked)
    assert answer.status_code == 200, answer.text
    assert code in [one["code"] for one in answer.json()["expansion"]["contains"]]
