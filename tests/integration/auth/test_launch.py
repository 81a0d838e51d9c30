"""A standalone launch from beginning to end, and what it gives.

Source: https://hl7.org/fhir/smart-app-launch/STU2.2/app-launch.html
"""

from __future__ import annotations

from joserfc import jwt
from joserfc.jwk import KeySet

from tests.integration.auth.smart import ANA, BASE, DOCTOR, ISSUER, REDIRECT, Smart, only, pkce


async def test_an_app_gets_what_the_person_agreed_to(server: Smart) -> None:
    await server.client()
    verifier, challenge = pkce()
    assert (await server.ask(challenge, None)).startswith("/auth/sign-in?request=")
    page = await server.ask(challenge)
    assert page.startswith("/auth/consent?request=")
    back = await server.agree(page)
    assert back.startswith(f"{REDIRECT}?")
    assert only(back, "state") == "s-123"
    assert only(back, "iss") == ISSUER
    answer = await server.redeem(back, verifier)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["pragma"] == "no-cache"
    told = answer.json()
    assert told["token_type"] == "Bearer"
    assert 300 <= told["expires_in"] <= 3600
    assert told["patient"] == "ana"
    assert told["need_patient_banner"] is True
    assert told["smart_style_url"].startswith("http")
    assert set(told["scope"].split()) == {
        "openid",
        "fhirUser",
        "launch/patient",
        "offline_access",
        "patient/*.rs",
    }
    assert await server.works(told["access_token"])


async def test_an_id_token_says_who_signed_in(server: Smart) -> None:
    await server.client()
    told = await server.launch(nonce="n-1")
    published = (await server.web.get("/auth/jwks")).json()
    token = jwt.decode(told["id_token"], KeySet.import_key_set(published), algorithms=["RS256"])
    assert token.claims["iss"] == ISSUER
    assert token.claims["aud"] == "app"
    assert token.claims["sub"] == "ana"
    assert token.claims["nonce"] == "n-1"
    assert token.claims["fhirUser"] == f"{BASE}/Patient/ana"
    assert all("d" not in key for key in published["keys"])


async def test_a_person_can_agree_to_less_than_the_app_asks_for(server: Smart) -> None:
    await server.client()
    verifier, challenge = pkce()
    page = await server.ask(
        challenge, scope="launch/patient patient/Observation.cruds patient/Patient.r openid"
    )
    back = await server.agree(page, scopes="launch/patient patient/Observation.rs")
    told = (await server.redeem(back, verifier)).json()
    assert told["scope"] == "launch/patient patient/Observation.rs"
    assert "id_token" not in told
    assert "refresh_token" not in told


async def test_scopes_of_smart_1_are_told_in_their_own_words(server: Smart) -> None:
    await server.client()
    told = await server.launch(scope="launch/patient patient/*.read")
    assert told["scope"] == "launch/patient patient/*.read"


async def test_a_clinician_chooses_the_patient(server: Smart) -> None:
    await server.client()
    verifier, challenge = pkce()
    page = await server.ask(challenge, DOCTOR)
    back = await server.agree(page, DOCTOR, patient="zoe")
    assert (await server.redeem(back, verifier)).json()["patient"] == "zoe"


async def test_patient_scopes_without_a_patient_are_not_granted(server: Smart) -> None:
    await server.client()
    _, challenge = pkce()
    back = await server.agree(await server.ask(challenge, DOCTOR), DOCTOR)
    assert only(back, "error") == "access_denied"


async def test_what_was_agreed_to_by_a_known_app_is_not_asked_again(server: Smart) -> None:
    secret = await server.client("known", kind="secret")
    _, challenge = pkce()
    page = await server.ask(challenge, client_id="known")
    await server.agree(page)
    assert secret
    assert (await server.ask(challenge, client_id="known")).startswith(REDIRECT)
    more = await server.ask(challenge, client_id="known", scope="openid patient/*.cruds")
    assert more.startswith("/auth/consent")
    again = await server.ask(challenge, client_id="known", prompt="consent")
    assert again.startswith("/auth/consent")


async def test_a_person_who_refuses_is_reported_to_the_app(server: Smart) -> None:
    await server.client()
    _, challenge = pkce()
    page = await server.ask(challenge)
    from_page = only(page, "request")
    back = await server.authority_answer(from_page, ANA)
    assert only(back, "error") == "access_denied"
    assert "code=" not in back
