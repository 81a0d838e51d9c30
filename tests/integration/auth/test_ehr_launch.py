"""An EHR starts an app: the app knows on which patient, and only the person who started it gets in.

Source: https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html#launch-app-ehr-launch
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.auth.smart import ANA, BASE, DOCTOR, Person, Smart, only

CONTEXT = {
    "patient": "zoe", "encounter": "visit-1", "intent": "reconcile-medications", "need_patient_banner": False,
    "fhirContext": [{"reference": "ImagingStudy/7"}, {"reference": "Encounter/9", "role": "https://ehr.example/prior"}],
}  # fmt: skip


async def _ehr(server: Smart) -> dict[str, str]:
    """Return the headers of an EHR that may make launches, with the doctor signed in."""
    await server.client("ehr", kind="public", launch_uri="")
    await server.client(launch_uri="https://app.example.org/launch?x=1")
    told = await server.launch(DOCTOR, client_id="ehr", scope="openid launch:create user/*.rs")
    return {"Authorization": f"Bearer {told['access_token']}"}


async def _launched(server: Smart, **context: Any) -> dict[str, Any]:
    answer = await server.web.post(
        "/auth/launches", json={"client_id": "app", **context}, headers=await _ehr(server)
    )
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_an_app_is_told_what_is_on_the_screen(server: Smart) -> None:
    launch = await _launched(server, **CONTEXT)
    assert launch["launch_url"].startswith("https://app.example.org/launch?x=1&")
    assert only(launch["launch_url"], "iss") == BASE
    assert only(launch["launch_url"], "launch") == launch["launch"]
    told = await server.launch(DOCTOR, scope="openid fhirUser launch patient/*.rs", launch=launch["launch"])
    for name, value in CONTEXT.items():
        assert told[name] == value
    assert server.authority.bearer.known(told["access_token"]).encounter == "visit-1"


async def test_a_launch_works_once(server: Smart) -> None:
    launch = (await _launched(server, **CONTEXT))["launch"]
    await server.launch(DOCTOR, scope="launch patient/*.rs", launch=launch)
    back = await server.ask("x" * 43, DOCTOR, scope="launch patient/*.rs", launch=launch)
    assert only(back, "error") == "invalid_request"


async def test_a_launch_is_for_who_started_it(server: Smart) -> None:
    launch = (await _launched(server, **CONTEXT))["launch"]
    back = await server.ask("x" * 43, ANA, scope="launch patient/*.rs", launch=launch)
    assert only(back, "error") == "access_denied"


async def test_a_launch_is_for_the_app_that_was_started(server: Smart) -> None:
    launch = (await _launched(server, **CONTEXT))["launch"]
    await server.client("other")
    back = await server.ask("x" * 43, DOCTOR, client_id="other", scope="launch patient/*.rs", launch=launch)
    assert only(back, "error") == "invalid_request"


@pytest.mark.parametrize(
    "context",
    [
        {"patient": "../x"}, {"patient": ""}, {"patient": 1}, {"encounter": "a b"}, {"need_patient_banner": "no"},
        {"intent": ""}, {"fhirContext": {}}, {"fhirContext": [{}]}, {"fhirContext": [{"reference": "Patient/1"}]},
        {"fhirContext": [{"reference": "Encounter/1", "role": "launch"}]}, {"fhirContext": [{"reference": 1}]},
        {"smart_style_url": "https://evil.example"}, {"access_token": "x"}, {"client_id": 5}, {"client_id": "nobody"},
    ],
    ids=str,
)  # fmt: skip
async def test_a_context_that_cannot_be_is_refused(server: Smart, context: dict[str, Any]) -> None:
    headers = await _ehr(server)
    answer = await server.web.post("/auth/launches", json={"client_id": "app", **context}, headers=headers)
    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_request"


async def test_launches_are_made_with_leave_alone(server: Smart) -> None:
    await _ehr(server)
    assert (await server.web.post("/auth/launches", json={"client_id": "app"})).status_code == 401
    token = (await server.launch(DOCTOR, scope="openid user/*.rs"))["access_token"]
    answer = await server.web.post(
        "/auth/launches", json={"client_id": "app"}, headers={"Authorization": f"Bearer {token}"}
    )
    assert answer.status_code == 403
    assert answer.json()["error"] == "insufficient_scope"


async def test_a_patient_cannot_launch_an_app_on_somebody_else(server: Smart) -> None:
    await server.client("ehr", launch_uri="")
    await server.client(launch_uri="https://app.example.org/launch")
    told = await server.launch(ANA, client_id="ehr", scope="openid launch:create user/*.rs")
    headers = {"Authorization": f"Bearer {told['access_token']}"}
    answer = await server.web.post(
        "/auth/launches", json={"client_id": "app", "patient": "zoe"}, headers=headers
    )
    back = await server.ask("x" * 43, ANA, scope="launch patient/*.rs", launch=answer.json()["launch"])
    assert only(back, "error") == "access_denied"


async def test_a_caregiver_chooses_among_those_whom_she_acts_for(server: Smart) -> None:
    mother = Person("mother", "RelatedPerson/mother", roles=("caregiver",), acting_for=("Patient/kim",))
    server.people.people["mother"] = mother
    await server.client()
    page = await server.ask("x" * 43, mother, scope="launch/patient patient/*.rs", prompt="consent")
    assert only(await server.agree(page, mother, patient="kim"), "code")
    page = await server.ask("x" * 43, mother, scope="launch/patient patient/*.rs", prompt="consent")
    assert only(await server.agree(page, mother, patient="zoe"), "error") == "access_denied"
