"""A parent or caregiver acts for a patient: seen by both, ended by the patient. Source: R4 RelatedPerson, Consent"""

from __future__ import annotations

import pytest

from fhir_server.app import App
from fhir_server.auth import sessions
from tests.integration.people.browser import Browser, person, store_of, stored, token_of
from tests.integration.people.test_consent import agreed, asked, redeemed

pytestmark = pytest.mark.asyncio(loop_scope="module")
ROLES = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"


async def family(app: App, name: str) -> None:
    """Keep a child and a parent who acts for it."""
    child, parent = f"{name}-child", f"{name}-parent"
    await stored(
        app,
        {
            "resourceType": "Patient",
            "id": child,
            "name": [{"given": ["Kim"], "family": name}],
            "birthDate": "2019-05-01",
        },
    )
    await stored(
        app,
        {
            "resourceType": "RelatedPerson",
            "id": parent,
            "active": True,
            "patient": {"reference": f"Patient/{child}"},
            "name": [{"given": ["Pat"], "family": name}],
            "relationship": [{"text": "Parent"}],
        },
    )
    await stored(
        app,
        {
            "resourceType": "Consent",
            "id": f"{name}-consent",
            "status": "active",
            "scope": {"coding": [{"system": SCOPE, "code": "patient-privacy"}]},
            "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
            "patient": {"reference": f"Patient/{child}"},
            "policyRule": {"text": "as given"},
            "provision": {
                "type": "permit",
                "actor": [
                    {
                        "role": {"coding": [{"system": ROLES, "code": "IRCP"}]},
                        "reference": {"reference": f"RelatedPerson/{parent}"},
                    }
                ],
            },
        },
    )


async def test_a_parent_is_signed_in_as_one_who_acts_for_the_child(app: App, browser: Browser) -> None:
    await family(app, "Acts")
    await person(app, "acts@example.org", "caregiver", "RelatedPerson/Acts-parent")
    await browser.sign_in("acts@example.org")
    signed = await sessions.signed_in(store_of(app), {"hb": browser.cookie})
    assert signed is not None
    assert signed.acting_for == ("Patient/Acts-child",)
    shown = (await browser.get("/auth/account/proxies")).text
    assert "Whom you act for" in shown
    assert "Kim Acts" in shown


async def test_a_parent_connects_an_app_to_the_childs_record(app: App, browser: Browser) -> None:
    await family(app, "Picks")
    await person(app, "picks@example.org", "caregiver", "RelatedPerson/Picks-parent")
    page = await asked(app, browser, "picks@example.org", scope="launch/patient patient/*.rs")
    picker = (await browser.get(page)).headers["location"]
    shown = (await browser.get(picker)).text
    assert "Kim Picks" in shown
    assert 'role="search"' not in shown
    token = await redeemed(browser, await agreed(browser, f"{page}&patient=Picks-child", **{"see:1": "1"}))
    assert token["patient"] == "Picks-child"
    bearer = {"Authorization": f"Bearer {token['access_token']}"}
    assert (await browser.http.get("/fhir/Patient/Picks-child", headers=bearer)).status_code == 200


async def test_the_patient_sees_who_acts_and_ends_it_at_once(app: App, browser: Browser) -> None:
    await family(app, "Ends")
    await person(app, "ends@example.org", "patient", "Patient/Ends-child")
    await person(app, "parent@example.org", "caregiver", "RelatedPerson/Ends-parent")
    parent = Browser(app)
    page = await asked(app, parent, "parent@example.org", scope="launch/patient patient/*.rs")
    token = await redeemed(parent, await agreed(parent, f"{page}&patient=Ends-child", **{"see:1": "1"}))
    bearer = {"Authorization": f"Bearer {token['access_token']}"}
    await browser.sign_in("ends@example.org")
    shown = await browser.get("/auth/account/proxies")
    assert "Pat Ends" in shown.text
    assert "Parent" in shown.text
    answer = await browser.post("/auth/account/proxies", token_of(shown), proxy="Ends-parent")
    assert answer.headers["location"] == "/auth/account/proxies?done=1", answer.text[:500]
    assert (await parent.http.get("/fhir/Patient/Ends-child", headers=bearer)).status_code in (403, 404)
    assert "Pat Ends" not in (await browser.get("/auth/account/proxies")).text


async def test_nobody_ends_what_is_between_others(app: App, browser: Browser) -> None:
    await family(app, "Others")
    await person(app, "stranger@example.org", "patient", "Patient/Acts-child")
    await browser.sign_in("stranger@example.org")
    token = token_of(await browser.get("/auth/account"))
    answer = await browser.post("/auth/account/proxies", token, proxy="Others-parent")
    assert answer.status_code == 404


async def test_how_one_signs_in_is_changed_only_shortly_after_signing_in(app: App, browser: Browser) -> None:
    account = await person(app, "stale@example.org")
    await browser.sign_in("stale@example.org")
    assert (await browser.get("/auth/mfa/add")).status_code == 200
    async with store_of(app).pool.connection() as conn:
        await conn.execute(
            "UPDATE account_session SET signed_in = signed_in - interval '16 minutes' WHERE account = %s",
            (account.id,),
        )
    for path in ("/auth/mfa/add", "/auth/account/password", "/auth/account/phone"):
        assert (await browser.get(path)).headers["location"] == "/auth/sign-in?again=1", path
    assert (await browser.get("/auth/account")).status_code == 200
    await browser.sign_in("stale@example.org")
    assert (await browser.get("/auth/mfa/add")).status_code == 200
