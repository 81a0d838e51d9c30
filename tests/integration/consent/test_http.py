"""Consents at work, over HTTP: what they hide is not there, and a change holds from the next request on.

Source: http://hl7.org/fhir/R4/consent.html, security-labels.html
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.consent.conftest import Asker
from tests.unit.consent.make import ACT, ACTION, REASON, TYPES, actor, coding, concept, consent

PULSE, HIV, OLD, BOBS = "Observation/pulse", "Observation/hiv", "Observation/old", "Observation/bobs"
EVERYTHING = {PULSE, HIV, OLD, BOBS}
DENY_HIV = {"type": "deny", "securityLabel": [coding(ACT, "HIV")]}


async def test_a_consent_holds_from_the_next_request_on_and_until_it_is_gone(record: Asker) -> None:
    assert await record.found("dr", "Observation") == EVERYTHING
    await record.put(consent(DENY_HIV, id_="c"))
    assert await record.found("dr", "Observation") == EVERYTHING - {HIV}
    assert (await record("dr", "GET", HIV)).status_code == 404
    assert (await record("dr", "GET", PULSE)).status_code == 200
    await record.put(consent(DENY_HIV, id_="c") | {"status": "inactive"})
    assert await record.found("dr", "Observation") == EVERYTHING


async def test_what_is_hidden_is_hidden_on_every_path(record: Asker) -> None:
    await record.put(consent(DENY_HIV, id_="c"))
    for url in (f"{HIV}", f"{HIV}/_history/1", f"{HIV}/_history"):
        assert (await record("dr", "GET", url)).status_code == 404, url
    assert (await record("dr", "PUT", HIV, {"resourceType": "Observation", "id": "hiv"})).status_code >= 400
    assert HIV not in (await record("dr", "GET", "Patient/ann/$everything")).text
    assert HIV not in (await record("dr", "GET", "Patient?_revinclude=Observation:subject")).text
    assert await record.found("dr", "Patient?_has:Observation:subject:code=56888-1") == set()
    assert HIV not in (await record("dr", "GET", "Observation/_history")).text
    assert "56888-1" not in (await record("dr", "GET", "Observation/$lastn?subject=Patient/ann")).text


async def test_nothing_is_kept_from_the_patient_herself(record: Asker) -> None:
    await record.put(consent({"type": "deny"}, id_="c"))
    assert await record.found("ann", "Observation") == {PULSE, HIV, OLD}
    assert await record.found("dr", "Observation") == {BOBS}
    assert (await record("dr", "GET", "Patient/ann")).status_code == 404


@pytest.mark.parametrize(
    ("restriction", "left"),
    [
        ({"class": [coding(TYPES, "Observation")]}, {BOBS}),
        ({"code": [concept("http://loinc.org", "8867-4")]}, {HIV, BOBS}),
        ({"dataPeriod": {"start": "2020", "end": "2020"}}, EVERYTHING - {OLD}),
        ({"actor": [actor("Practitioner/dr")]}, {BOBS}),
        ({"actor": [actor("Practitioner/other")]}, EVERYTHING),
        ({"data": [{"meaning": "instance", "reference": {"reference": OLD}}]}, EVERYTHING - {OLD}),
        ({"data": [{"meaning": "dependents", "reference": {"reference": "Patient/ann"}}]}, {BOBS}),
        ({"code": [{"text": "what I said"}]}, {BOBS}),
        ({"purpose": [coding(REASON, "HMARKT")]}, EVERYTHING),
    ],
)
async def test_each_criterion_hides_what_it_names(
    record: Asker, restriction: dict[str, Any], left: set[str]
) -> None:
    await record.put(consent({"type": "deny", **restriction}, id_="c"))
    assert await record.found("dr", "Observation") == left


async def test_an_organization_is_who_works_there(record: Asker) -> None:
    role = {"resourceType": "PractitionerRole", "id": "r", "practitioner": {"reference": "Practitioner/dr"}}
    await record.put(role | {"organization": {"reference": "Organization/o"}})
    await record.put(consent({"type": "deny", "actor": [actor("Organization/o")]}, id_="c"))
    assert await record.found("dr", "Observation") == {BOBS}
    assert await record.found("other", "Observation") == EVERYTHING
    await record.put(role | {"organization": {"reference": "Organization/o"}, "active": False})
    assert await record.found("dr", "Observation") == EVERYTHING


async def test_a_care_team_is_who_is_in_it(record: Asker) -> None:
    team = {
        "resourceType": "CareTeam",
        "id": "t",
        "subject": {"reference": "Patient/ann"},
        "status": "active",
    }
    await record.put(team | {"participant": [{"member": {"reference": "Practitioner/dr"}}]})
    permit = {"type": "permit", "actor": [actor("CareTeam/t")]}
    await record.put(consent({"type": "deny", "provision": [permit]}, id_="c"))
    assert await record.found("dr", "Observation") == EVERYTHING
    assert await record.found("other", "Observation") == {BOBS}


async def test_research_sees_those_who_agreed(record: Asker) -> None:
    assert await record.found("researcher", "Observation") == set()
    permit = {"type": "permit", "purpose": [coding(REASON, "HRESCH")], "provision": [DENY_HIV]}
    await record.put(consent(permit, id_="c"))
    assert await record.found("researcher", "Observation") == {PULSE, OLD}
    assert await record.found("researcher", "Patient") == {"Patient/ann"}


async def test_a_backend_service_that_says_no_purpose_is_held_to_every_denial(record: Asker) -> None:
    assert await record.found("service", "Observation") == EVERYTHING
    await record.put(consent({"type": "deny", "purpose": [coding(REASON, "HMARKT")]}, id_="c"))
    assert await record.found("service", "Observation") == {BOBS}


async def test_a_proxy_sees_what_she_was_permitted_and_as_long_as_she_is(record: Asker) -> None:
    assert await record.found("proxy", "Observation") == set()
    permit = consent(
        {"type": "permit", "actor": [actor("RelatedPerson/mia")], "provision": [DENY_HIV]}, id_="c"
    )
    await record.put(permit)
    assert await record.found("proxy", "Observation") == {PULSE, OLD}
    await record.put(permit | {"status": "inactive"})
    assert await record.found("proxy", "Observation") == set()


async def test_a_proxy_whose_relation_is_over_sees_nothing(record: Asker) -> None:
    await record.put(consent({"type": "permit", "actor": [actor("RelatedPerson/mia")]}, id_="c"))
    assert await record.found("proxy", "Observation") == {PULSE, HIV, OLD}
    mia = {"resourceType": "RelatedPerson", "id": "mia", "patient": {"reference": "Patient/ann"}}
    await record.put(mia | {"active": False})
    assert await record.found("proxy", "Observation") == set()


async def test_a_newer_denial_of_everything_takes_a_proxy_away(record: Asker) -> None:
    await record.put(consent({"type": "permit", "actor": [actor("RelatedPerson/mia")]}, id_="c"))
    await record.put(consent(base="OPTOUT", id_="d", when="2026-02-01"))
    assert await record.found("proxy", "Observation") == set()


@pytest.mark.parametrize(
    "change", [{"code": [concept("http://loinc.org", "56888-1")]}, {"securityLabel": [coding(ACT, "HIV")]}]
)
async def test_the_deletion_of_what_is_hidden_is_hidden(record: Asker, change: dict[str, Any]) -> None:
    await record.put(consent({"type": "deny", **change}, id_="c"))
    before = (await record("dr", "GET", "Observation/_history")).json()["total"]
    assert (await record("admin", "DELETE", HIV)).status_code in (200, 204)
    assert (await record("dr", "GET", HIV)).status_code == 404
    assert (await record("dr", "GET", "Observation/_history")).json()["total"] == before


async def test_labels_hold_for_each_version_by_itself(record: Asker) -> None:
    await record.put(consent(DENY_HIV, id_="c"))
    pulse = (await record("admin", "GET", HIV)).json()
    pulse["code"] = {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]}
    await record.put(pulse)
    assert (await record("dr", "GET", HIV)).status_code == 200
    assert (await record("dr", "GET", f"{HIV}/_history/1")).status_code == 404


async def test_researchers_do_not_read_names_on_any_path(record: Asker) -> None:
    ann = {"resourceType": "Patient", "id": "ann", "name": [{"family": "Moss"}], "gender": "female"}
    await record.put(ann, consent({"type": "permit", "purpose": [coding(REASON, "HRESCH")]}, id_="c"))
    assert "Moss" in (await record("dr", "GET", "Patient/ann")).text
    read = await record("researcher", "GET", "Patient/ann")
    assert read.json()["meta"]["security"][0]["code"] == "REDACTED"
    assert read.headers["ETag"] == (await record("dr", "GET", "Patient/ann")).headers["ETag"]
    paths = [
        "Patient",
        "Patient/ann/_history",
        "Patient/ann/_history/2",
        "Patient/ann/$everything",
        "Observation?_include=Observation:subject",
        "Patient/ann/$diff?from=1&to=2",
        "Patient?_elements=name",
        "Patient/ann/$fhirpath?expression=name",
        "Patient/ann/$graphql?query={name{family}}",
    ]
    for path in paths:
        answer = await record("researcher", "GET", path)
        assert answer.status_code == 200, (path, answer.text)
        assert "Moss" not in answer.text, path
    batch: dict[str, Any] = {"resourceType": "Bundle", "type": "batch"}
    batch |= {"entry": [{"request": {"method": "GET", "url": "Patient/ann"}}]}
    answer = await record("researcher", "POST", "", batch)
    assert "female" in answer.text
    assert "Moss" not in answer.text


@pytest.mark.parametrize(
    "url",
    [
        "Patient?name=Moss",
        "Patient?family=Moss",
        "Patient?_sort=family",
        "Patient?_filter=name eq Moss",
        "Observation?subject:Patient.name=Moss",
        "Patient?_text=Moss",
        "Patient?_content=Moss",
    ],
)
async def test_researchers_cannot_search_for_what_they_do_not_read(record: Asker, url: str) -> None:
    answer = await record("researcher", "GET", url)
    assert answer.status_code == 400, answer.text
    assert "taken out" in answer.text
    assert (await record("dr", "GET", url)).status_code == 200
    assert (await record("researcher", "GET", "Patient?gender=female")).status_code == 200


async def test_whoever_writes_a_consent_is_told_what_cannot_be_kept(record: Asker) -> None:
    vague = consent({"type": "deny", "code": [{"text": "what I told you"}]}, id_="c")
    wanted = {"X-As": "admin", "Prefer": "return=OperationOutcome"}
    told = await record.http.put("Consent/c", json=vague, headers=wanted)
    issues = [(one["severity"], one.get("expression")) for one in told.json()["issue"]]
    assert ("warning", ["Consent.provision.code"]) in issues
    clear = await record.http.put("Consent/d", json=consent({"type": "deny"}, id_="d"), headers=wanted)
    assert "warning" not in clear.text
    entry = {"resource": vague, "request": {"method": "PUT", "url": "Consent/c"}}
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": [entry]}
    both = await record.http.post("", json=bundle, headers=wanted)
    assert both.status_code == 200
    assert "Bundle.entry[0].resource.provision.code" in both.text
    wrong = await record.http.put(
        "Consent/e", json={"resourceType": "Consent", "id": "e", "provision": 1}, headers=wanted
    )
    assert wrong.status_code in (400, 422)


@pytest.mark.parametrize(
    ("code", "reads", "writes"), [("access", 404, 404), ("correct", 200, 403), ("collect", 200, 403)]
)
async def test_actions_tell_reading_from_writing(record: Asker, code: str, reads: int, writes: int) -> None:
    changed = {"resourceType": "Observation", "id": "pulse", "status": "amended", "code": {"text": "pulse"}}
    changed |= {"subject": {"reference": "Patient/ann"}}
    assert (await record("dr", "PUT", PULSE, changed)).status_code == 200
    await record.put(consent({"type": "deny", "action": [concept(ACTION, code)]}, id_="c"))
    assert (await record("dr", "GET", PULSE)).status_code == reads
    assert (await record("dr", "PUT", PULSE, changed | {"status": "final"})).status_code == writes
    assert (await record("dr", "DELETE", PULSE)).status_code == writes
    changed |= {"id": "bobs", "subject": {"reference": "Patient/bob"}}
    assert (await record("dr", "PUT", BOBS, changed)).status_code == 200
    assert (await record("ann", "GET", PULSE)).status_code == 200
