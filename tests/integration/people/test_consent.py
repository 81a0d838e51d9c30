"""What people agree to. Source: SMART App Launch 2.2 (scopes may be narrowed), RFC 6749 section 10.12 and 10.13"""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import pytest

from fhir_server.app import App
from fhir_server.auth import clients
from fhir_server.auth.clients import CODE, REFRESH, Client
from tests.integration.people.browser import BASE, Browser, person, store_of, stored, token_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

REDIRECT = "https://app.example.org/back"
VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
SCOPE = "openid fhirUser launch/patient offline_access patient/*.rs patient/Observation.cruds"


async def asked(app: App, browser: Browser, email: str, scope: str = SCOPE, **said: str) -> str:
    """Return where somebody who signs in for an app is sent to."""
    async with store_of(app).pool.connection() as conn:
        await clients.ensure(
            conn,
            Client(
                id="garden",
                name="Garden <App>",
                kind="public",
                redirect_uris=[REDIRECT],
                grants=[CODE, REFRESH],
                scopes=[
                    "openid",
                    "fhirUser",
                    "launch/patient",
                    "offline_access",
                    "patient/*.cruds",
                    "user/*.cruds",
                ],
            ),
        )
    query = {
        "response_type": "code",
        "client_id": "garden",
        "redirect_uri": REDIRECT,
        "scope": scope,
        "state": "state-of-the-app",
        "aud": f"{BASE}/fhir",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **said,
    }
    started = await browser.get(f"/auth/authorize?{urlencode(query)}")
    while "sign-in" not in started.headers.get("location", ""):
        assert started.status_code in (302, 303), started.text[:500]
        started = await browser.get(started.headers["location"])
    request = parse_qs(urlsplit(started.headers["location"]).query)["request"][0]
    answer = await browser.send(
        "/auth/sign-in",
        on=started.headers["location"],
        email=email,
        password="correct horse battery staple",
        request=request,
    )
    assert answer.headers["location"] == f"/auth/continue?request={request}", answer.text[:300]
    answer = await browser.get(answer.headers["location"])
    return str(answer.headers["location"])


async def patient(app: App, id_: str, family: str) -> str:
    """Return the id of a new Patient."""
    name = [{"family": family, "given": ["Ana"]}]
    await stored(app, {"resourceType": "Patient", "id": id_, "name": name, "birthDate": "1984-02-29"})
    return id_


async def agreed(browser: Browser, page: str, **fields: Any) -> httpx.Response:
    shown = await browser.get(page)
    assert shown.status_code == 200, (shown.headers.get("location"), shown.text[:400])
    said = dict(re.findall(r'<input type="hidden" name="(request|patient)" value="([^"]+)"', shown.text))
    return await browser.post("/auth/consent", token_of(shown), **{**said, "decision": "allow", **fields})


async def redeemed(browser: Browser, answer: httpx.Response) -> dict[str, Any]:
    """Return what the token endpoint says to the code that an answer carries."""
    url = answer.headers["location"]
    said = parse_qs(urlsplit(url).query)
    assert url.startswith(REDIRECT), url
    assert said["state"] == ["state-of-the-app"]
    form = {
        "grant_type": "authorization_code",
        "code": said["code"][0],
        "redirect_uri": REDIRECT,
        "client_id": "garden",
        "code_verifier": VERIFIER,
    }
    token = await browser.http.post("/auth/token", data=form)
    assert token.status_code == 200, token.text
    return dict(token.json())


async def test_a_patient_gives_an_app_what_it_asks_for(app: App, browser: Browser) -> None:
    await person(app, "gives@example.org", user=f"Patient/{await patient(app, 'gives', 'Gives')}")
    page = await asked(app, browser, "gives@example.org")
    answer = await agreed(
        browser, page, **{"see:4": "1", "see:5": "1", "change:5": "1", "who": "1", "lasting": "1"}
    )
    token = await redeemed(browser, answer)
    assert set(token["scope"].split()) == set(SCOPE.split())
    assert token["patient"] == "gives"
    assert "refresh_token" in token


async def test_what_is_not_ticked_is_not_granted(app: App, browser: Browser) -> None:
    await person(app, "less@example.org", user=f"Patient/{await patient(app, 'less', 'Less')}")
    page = await asked(app, browser, "less@example.org")
    answer = await agreed(browser, page, **{"see:5": "1"})
    token = await redeemed(browser, answer)
    assert set(token["scope"].split()) == {"launch/patient", "patient/Observation.rs"}
    assert "refresh_token" not in token
    assert "id_token" not in token


async def test_only_some_types_of_the_whole_record_can_be_given(app: App, browser: Browser) -> None:
    await person(app, "some@example.org", user=f"Patient/{await patient(app, 'some', 'Some')}")
    page = await asked(app, browser, "some@example.org")
    fields = {
        "see:4": "1",
        "kinds:4": "1",
        "type:4": ["AllergyIntolerance", "Condition", "NoSuchType", "AuditEvent"],
    }
    token = await redeemed(browser, await agreed(browser, page, **fields))
    assert set(token["scope"].split()) == {
        "launch/patient",
        "patient/AllergyIntolerance.rs",
        "patient/Condition.rs",
    }


async def test_a_kind_that_is_unticked_on_the_page_is_not_given(app: App, browser: Browser) -> None:
    await person(app, "untick@example.org", user=f"Patient/{await patient(app, 'untick', 'Untick')}")
    page = await asked(app, browser, "untick@example.org", scope="launch/patient patient/*.rs")
    kinds = re.findall(r'name="type:1" value="(\w+)" checked', (await browser.get(page)).text)
    kept = [kind for kind in kinds if kind != "Observation"]
    token = await redeemed(
        browser, await agreed(browser, page, **{"see:1": "1", "kinds:1": "1", "type:1": kept})
    )
    scopes = set(token["scope"].split())
    assert len(kinds) > 20
    assert not any("Observation" in one or "*" in one for one in scopes)
    assert "patient/Condition.rs" in scopes


async def test_with_all_kinds_ticked_the_whole_record_is_given(app: App, browser: Browser) -> None:
    await person(app, "alltick@example.org", user=f"Patient/{await patient(app, 'alltick', 'All')}")
    page = await asked(app, browser, "alltick@example.org", scope="launch/patient patient/*.rs")
    kinds = re.findall(r'name="type:1" value="(\w+)" checked', (await browser.get(page)).text)
    token = await redeemed(
        browser, await agreed(browser, page, **{"see:1": "1", "kinds:1": "1", "type:1": kinds})
    )
    assert set(token["scope"].split()) == {"launch/patient", "patient/*.rs"}


async def test_ticks_for_more_than_was_asked_give_nothing(app: App, browser: Browser) -> None:
    await person(app, "more@example.org", user=f"Patient/{await patient(app, 'more', 'More')}")
    page = await asked(app, browser, "more@example.org", scope="launch/patient patient/Condition.rs")
    answer = await agreed(
        browser, page, **{"see:1": "1", "change:1": "1", "see:7": "1", "who": "1", "lasting": "1"}
    )
    assert set((await redeemed(browser, answer))["scope"].split()) == {
        "launch/patient",
        "patient/Condition.rs",
    }


async def test_no_is_told_to_the_app(app: App, browser: Browser) -> None:
    await person(app, "no@example.org", user=f"Patient/{await patient(app, 'no', 'No')}")
    page = await asked(app, browser, "no@example.org")
    answer = await agreed(browser, page, decision="deny")
    said = parse_qs(urlsplit(answer.headers["location"]).query)
    assert said["error"] == ["access_denied"]
    assert "code" not in said


async def test_a_request_is_answered_once(app: App, browser: Browser) -> None:
    await person(app, "again@example.org", user=f"Patient/{await patient(app, 'again', 'Again')}")
    page = await asked(app, browser, "again@example.org")
    shown = await browser.get(page)
    request = parse_qs(urlsplit(page).query)["request"][0]
    fields = {"request": request, "decision": "allow", "see:4": "1"}
    first = await browser.post("/auth/consent", token_of(shown), **fields)
    second = await browser.post("/auth/consent", token_of(shown), **fields)
    assert (first.status_code, second.status_code) == (303, 400)


async def test_the_page_names_the_app_as_text_and_lets_forms_lead_to_it_alone(
    app: App, browser: Browser
) -> None:
    await person(app, "names@example.org", user=f"Patient/{await patient(app, 'names', 'Names')}")
    shown = await browser.get(await asked(app, browser, "names@example.org"))
    assert "Garden &lt;App&gt;" in shown.text
    assert "app.example.org" in shown.text
    assert "Ana Names" in shown.text
    assert "form-action 'self' https://app.example.org;" in shown.headers["content-security-policy"]
    assert shown.headers["x-frame-options"] == "DENY"


async def test_somebody_else_cannot_answer_a_request(app: App, browser: Browser) -> None:
    await person(app, "mine@example.org", user=f"Patient/{await patient(app, 'mine', 'Mine')}")
    await person(app, "else@example.org", user="Patient/else")
    page = await asked(app, browser, "mine@example.org")
    thief = Browser(app)
    await thief.sign_in("else@example.org")
    assert (await thief.get(page)).status_code == 400
    token = token_of(await thief.get("/auth/account"))
    request = parse_qs(urlsplit(page).query)["request"][0]
    answer = await thief.post("/auth/consent", token, request=request, decision="allow", **{"see:4": "1"})
    assert answer.status_code == 400


async def clinician(app: App, browser: Browser, email: str) -> str:
    """Return the page of the picker for a clinician, whose second factor is left out here."""
    await person(app, email, "clinician", "Practitioner/doc")
    app.state.desk.settings = app.fhir.settings.model_copy(update={"mfa_roles": ()})
    page = await asked(app, browser, email)
    answer = await browser.get(page)
    assert answer.headers["location"].startswith("/auth/patient?request=")
    return str(answer.headers["location"])


async def test_a_clinician_finds_a_patient_by_name_or_birth_date(app: App, browser: Browser) -> None:
    await patient(app, "found", "Findable")
    page = await clinician(app, browser, "doc1@example.org")
    assert "Findable" not in (await browser.get(page)).text
    by_name = (await browser.get(f"{page}&name=Ana+findab&born=")).text
    assert "Findable" in by_name
    assert "29" in by_name
    assert "Findable" in (await browser.get(f"{page}&name=&born=1984-02-29")).text
    assert "Nobody whom you may see" in (await browser.get(f"{page}&name=Nowhere&born=")).text
    assert (await browser.get(f"{page}&name=&born=yesterday")).status_code == 400
    chosen = re.findall(r'href="(/auth/consent\?request=[^"]+patient=found)"', by_name)[0].replace(
        "&amp;", "&"
    )
    token = await redeemed(browser, await agreed(browser, chosen, **{"see:4": "1"}))
    assert token["patient"] == "found"


async def test_a_patient_who_is_not_there_cannot_be_chosen(app: App, browser: Browser) -> None:
    page = await clinician(app, browser, "doc2@example.org")
    request = parse_qs(urlsplit(page).query)["request"][0]
    assert (await browser.get(f"/auth/consent?request={request}&patient=nobody")).status_code == 404


async def test_a_patient_cannot_choose_another(app: App, browser: Browser) -> None:
    await patient(app, "other", "Other")
    await person(app, "own@example.org", user=f"Patient/{await patient(app, 'own', 'Own')}")
    page = await asked(app, browser, "own@example.org")
    answer = await agreed(browser, page, **{"see:4": "1", "patient": "other"})
    token = await redeemed(browser, answer)
    assert token["patient"] == "own"


async def test_the_search_of_the_picker_is_in_the_trail(app: App, browser: Browser) -> None:
    await patient(app, "traced", "Traceable")
    page = await clinician(app, browser, "doc3@example.org")
    await browser.get(f"{page}&name=traceable&born=")
    async with store_of(app).pool.connection() as conn:
        cursor = await conn.execute(
            "SELECT cardinality(patients) FROM audit_entry WHERE agent = 'Practitioner/doc'"
            " AND interaction = 'search-type' ORDER BY at DESC LIMIT 1"
        )
        assert await cursor.fetchone() == (1,)


async def test_an_app_with_access_is_listed_and_its_access_can_be_ended(app: App, browser: Browser) -> None:
    await person(app, "lists@example.org", user=f"Patient/{await patient(app, 'lists', 'Lists')}")
    page = await asked(app, browser, "lists@example.org")
    token = await redeemed(browser, await agreed(browser, page, **{"see:4": "1", "lasting": "1"}))
    shown = await browser.get("/auth/account/apps")
    assert "Garden &lt;App&gt;" in shown.text
    await browser.post("/auth/account/apps", token_of(shown), client="garden")
    assert "Garden" not in (await browser.get("/auth/account/apps")).text
    form = {"grant_type": "refresh_token", "refresh_token": token["refresh_token"], "client_id": "garden"}
    assert (await browser.http.post("/auth/token", data=form)).status_code == 400


async def test_signing_out_everywhere_ends_sessions_and_apps(app: App, browser: Browser) -> None:
    await person(app, "every@example.org", user=f"Patient/{await patient(app, 'every', 'Every')}")
    page = await asked(app, browser, "every@example.org")
    token = await redeemed(browser, await agreed(browser, page, **{"see:4": "1", "lasting": "1"}))
    other = Browser(app)
    await other.sign_in("every@example.org")
    await browser.send("/auth/account/session", on="/auth/account")
    assert (await other.get("/auth/account")).status_code == 303
    form = {"grant_type": "refresh_token", "refresh_token": token["refresh_token"], "client_id": "garden"}
    assert (await browser.http.post("/auth/token", data=form)).status_code == 400
