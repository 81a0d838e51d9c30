"""What the authorization endpoint lets through, and to whom it tells what is wrong.

Source: RFC 6749 section 4.1.2.1, RFC 9700 sections 2.1 and 4.1, RFC 9207, SMART App Launch 2.2
"""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from tests.integration.auth.smart import (
    ANA,
    BASE,
    CODE,
    DOCTOR,
    ISSUER,
    REDIRECT,
    REFRESH,
    SCOPE,
    Smart,
    only,
    pkce,
)

TRICKS = [
    REDIRECT + "/",
    REDIRECT + "?x=1",
    REDIRECT + "#x",
    REDIRECT.upper(),
    REDIRECT.replace("https", "http"),
    REDIRECT + "/../evil",
    REDIRECT + "%2f",
    "https://app.example.org.evil.example/back",
    "https://app.example.org@evil.example/back",
    "https://evil.example/?https://app.example.org/back",
    "//app.example.org/back",
    "javascript:alert(1)",
    REDIRECT + "\t",
    "",
]


@pytest.mark.parametrize("uri", TRICKS)
async def test_nothing_is_sent_to_a_redirect_uri_that_is_not_exactly_registered(
    server: Smart, uri: str
) -> None:
    await server.client()
    query = {
        "response_type": "code",
        "client_id": "app",
        "redirect_uri": uri,
        "scope": SCOPE,
        "state": "s",
        "aud": BASE,
    }
    answer = await server.get("/auth/authorize?" + urlencode(query), ANA)
    assert answer.status_code == 400
    assert "location" not in answer.headers
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert "set-cookie" not in answer.headers


async def test_a_second_redirect_uri_is_told_to_the_person(server: Smart) -> None:
    await server.client()
    query = urlencode(
        [("client_id", "app"), ("redirect_uri", REDIRECT), ("redirect_uri", "https://evil.example")]
    )
    answer = await server.get(f"/auth/authorize?{query}")
    assert answer.status_code == 400
    assert "location" not in answer.headers


@pytest.mark.parametrize("client", ["nobody", "", "a\x00b", "x" * 5000])
async def test_an_unknown_client_is_told_to_the_person(server: Smart, client: str) -> None:
    query = urlencode({"client_id": client, "redirect_uri": REDIRECT})
    answer = await server.get(f"/auth/authorize?{query}")
    assert answer.status_code == 400
    assert "location" not in answer.headers


async def test_a_client_that_waits_for_approval_cannot_start(server: Smart) -> None:
    await server.client("waits", state="pending")
    answer = await server.get(
        "/auth/authorize?" + urlencode({"client_id": "waits", "redirect_uri": REDIRECT})
    )
    assert answer.status_code == 400


WRONG = [
    ({"response_type": "token"}, "unsupported_response_type"),
    ({"response_type": None}, "invalid_request"),
    ({"response_type": "code id_token"}, "unsupported_response_type"),
    ({"response_mode": "fragment"}, "invalid_request"),
    ({"state": None}, "invalid_request"),
    ({"aud": None}, "invalid_request"),
    ({"aud": "https://other.example/fhir"}, "invalid_request"),
    ({"aud": BASE + "/Patient"}, "invalid_request"),
    ({"resource": "https://other.example/fhir"}, "invalid_request"),
    ({"code_challenge": None}, "invalid_request"),
    ({"code_challenge": "short"}, "invalid_request"),
    ({"code_challenge_method": None}, "invalid_request"),
    ({"code_challenge_method": "plain"}, "invalid_request"),
    ({"code_challenge_method": "s256"}, "invalid_request"),
    ({"scope": None}, "invalid_request"),
    ({"scope": "patient/Nothing.rs"}, "invalid_scope"),
    ({"scope": "patient/Patient.sr"}, "invalid_scope"),
    ({"scope": "system/*.rs"}, "invalid_scope"),
    ({"scope": "offline_access"}, "invalid_scope"),
    ({"scope": "patient/Observation.rs?nonsense=1"}, "invalid_scope"),
    ({"scope": "launch openid"}, "invalid_request"),
    ({"launch": "made-up"}, "invalid_request"),
    ({"prompt": "none login"}, "invalid_request"),
    ({"max_age": "-1"}, "invalid_request"),
    ({"request": "a.b.c"}, "request_not_supported"),
    ({"request_uri": "https://169.254.169.254/"}, "request_uri_not_supported"),
]


@pytest.mark.parametrize(("said", "code"), WRONG)
async def test_what_is_wrong_is_told_to_the_app(
    server: Smart, said: dict[str, str | None], code: str
) -> None:
    await server.client()
    back = await server.ask(pkce()[1], **said)
    assert back.startswith(f"{REDIRECT}?")
    assert only(back, "error") == code
    assert only(back, "iss") == ISSUER
    assert "code=" not in back
    if "state" not in said:
        assert only(back, "state") == "s-123"


async def test_a_granular_scope_is_granted_as_asked(server: Smart) -> None:
    await server.client()
    told = await server.launch(scope="launch/patient patient/Observation.rs?category=laboratory")
    assert told["scope"] == "launch/patient patient/Observation.rs?category=laboratory"


async def test_resource_is_another_word_for_aud(server: Smart) -> None:
    await server.client()
    assert (await server.ask(pkce()[1], aud=None, resource=BASE)).startswith("/auth/consent")


async def test_an_authorization_request_can_be_posted(server: Smart) -> None:
    await server.client()
    form = {
        "response_type": "code", "client_id": "app", "redirect_uri": REDIRECT, "scope": SCOPE, "state": "s",
        "aud": BASE, "code_challenge": pkce()[1], "code_challenge_method": "S256",
    }  # fmt: skip
    answer = await server.web.post("/auth/authorize", data=form)
    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/auth/continue?request=")
    assert answer.headers["cache-control"] == "no-store"


async def test_a_silent_request_is_refused_where_somebody_has_to_act(server: Smart) -> None:
    await server.client()
    assert only(await server.ask(pkce()[1], None, prompt="none"), "error") == "login_required"
    assert only(await server.ask(pkce()[1], prompt="none"), "error") == "consent_required"
    assert only(await server.ask(pkce()[1], DOCTOR, prompt="none"), "error") == "interaction_required"


async def test_an_app_can_have_the_person_sign_in_again(server: Smart) -> None:
    await server.client()
    assert (await server.ask(pkce()[1], prompt="login")).startswith("/auth/sign-in?request=")
    assert (await server.ask(pkce()[1], max_age="60")).startswith("/auth/sign-in?request=")


async def test_a_request_is_answered_by_the_person_who_began_it(server: Smart) -> None:
    await server.client()
    page = await server.ask(pkce()[1])
    answer = await server.get("/auth/continue?request=" + only(page, "request"), DOCTOR)
    assert answer.status_code == 400
    assert "location" not in answer.headers


async def test_a_request_is_answered_once(server: Smart) -> None:
    await server.client()
    page = await server.ask(pkce()[1])
    await server.agree(page)
    answer = await server.get("/auth/continue?request=" + only(page, "request"), ANA)
    assert answer.status_code == 400


async def test_more_than_was_asked_for_cannot_be_agreed_to(server: Smart) -> None:
    await server.client()
    page = await server.ask(pkce()[1], scope="launch/patient patient/Observation.rs")
    with pytest.raises(Exception, match="More was agreed to"):
        await server.agree(page, scopes="launch/patient patient/*.rs")


async def test_a_patient_cannot_choose_another_patient(server: Smart) -> None:
    await server.client()
    page = await server.ask(pkce()[1])
    with pytest.raises(Exception, match="cannot be changed"):
        await server.agree(page, patient="zoe")


async def test_what_the_client_is_not_registered_for_is_left_out(server: Smart) -> None:
    await server.client(
        "small", scopes=["openid", "launch/patient", "patient/Observation.rs"], grants=[CODE, REFRESH]
    )
    told = await server.launch(
        client_id="small", scope="openid launch/patient offline_access patient/*.cruds"
    )
    assert set(told["scope"].split()) == {"openid", "launch/patient", "patient/Observation.rs"}
