"""Codes, challenges, redirects and refresh tokens in the wrong hands.

Source: RFC 9700 (OAuth 2.0 security best current practice) sections 2 and 4, RFC 7636 section 7, RFC 9207, RFC 6749
section 10
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import msgspec
import pytest
import pytest_asyncio

from tests.integration.auth.smart import (
    ANA,
    BASE,
    DOCTOR,
    ISSUER,
    REDIRECT,
    SCOPE,
    Smart,
    challenge_of,
    only,
    pkce,
    smart,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Smart]:
    """Yield a server with an honest app, one of a thief, and one of which a secret was stolen."""
    async with smart(database_url, data_dir=tmp_path_factory.mktemp("data")) as one:
        await one.client()
        await one.client("thief", redirect_uris=["https://evil.example/back", REDIRECT])
        await one.client("vault", kind="secret")
        yield one


async def _code(server: Smart, **said: str | None) -> tuple[str, str]:
    """Return the app's address with a fresh code, and its verifier."""
    verifier, challenge = pkce()
    return await server.agree(await server.ask(challenge, prompt="consent", **said)), verifier


STOLEN: dict[str, dict[str, str]] = {
    "without its verifier": {"code_verifier": ""},
    "with a guessed verifier": {"code_verifier": "a" * 43},
    "with the challenge for a verifier": {"code_verifier": "{challenge}"},
    "with the verifier cut": {"code_verifier": "{cut}"},
    "with the verifier in other letters": {"code_verifier": "{swapped}"},
    "with a verifier of blanks": {"code_verifier": " " * 43},
    "with a verifier that is too long": {"code_verifier": "a" * 129},
    "downgraded to plain": {"code_verifier": "{challenge}", "code_challenge_method": "plain"},
    "by another app": {"client_id": "thief"},
    "by an app that nobody knows": {"client_id": "nobody"},
    "by no app": {"client_id": ""},
    "by an app that has to prove itself": {"client_id": "vault"},
    "for another address": {"redirect_uri": "https://evil.example/back"},
    "for the address and a bit": {"redirect_uri": REDIRECT + "/"},
    "for the address in capitals": {"redirect_uri": REDIRECT.replace("app.example", "APP.example")},
    "for no address": {"redirect_uri": ""},
    "cut": {"code": "{code_cut}"},
    "in other letters": {"code": "{code_swapped}"},
    "with a zero byte": {"code": "{code}\0"},
    "that is a wildcard": {"code": "%"},
    "that is SQL": {"code": "' OR '1'='1"},
    "for a refresh token": {"grant_type": "refresh_token", "refresh_token": "{code}"},
}


@pytest.mark.parametrize("tried", STOLEN)
async def test_a_stolen_code_is_worth_nothing(server: Smart, tried: str) -> None:
    back, verifier = await _code(server)
    code = only(back, "code")
    known = {
        "{challenge}": challenge_of(verifier), "{cut}": verifier[:-1], "{swapped}": verifier.swapcase(),
        "{code_cut}": code[:-1], "{code_swapped}": code.swapcase(), "{code}": code, "{code}\0": code + "\0",
    }  # fmt: skip
    form = {name: known.get(value, value) for name, value in STOLEN[tried].items()}
    answer = await server.redeem(back, verifier, **form)
    assert answer.status_code in (400, 401), answer.text
    assert answer.json()["error"] in ("invalid_grant", "invalid_request", "invalid_client")
    assert "token" not in {key.rpartition("_")[2] for key in answer.json()}
    assert answer.headers["cache-control"] == "no-store"


async def test_a_code_that_comes_twice_ends_what_came_of_it(server: Smart) -> None:
    back, verifier = await _code(server)
    told = (await server.redeem(back, verifier)).json()
    replayed = await server.redeem(back, verifier)
    assert replayed.json()["error"] == "invalid_grant"
    assert not await server.works(told["access_token"])
    refreshed = await server.token(
        grant_type="refresh_token", refresh_token=told["refresh_token"], client_id="app"
    )
    assert refreshed.json()["error"] == "invalid_grant"


async def test_of_many_at_once_one_gets_the_tokens_at_most(server: Smart) -> None:
    back, verifier = await _code(server)
    answers = await asyncio.gather(*(server.redeem(back, verifier) for _ in range(8)))
    assert sum(one.status_code == 200 for one in answers) <= 1
    given = [one.json()["access_token"] for one in answers if one.status_code == 200]
    assert not [token for token in given if await server.works(token)]


REDIRECTS = {
    "another site": "https://evil.example/back",
    "a path below": REDIRECT + "/more",
    "a slash at the end": REDIRECT + "/",
    "a query": REDIRECT + "?x=1",
    "a fragment": REDIRECT + "#x",
    "an empty fragment": REDIRECT + "#",
    "the way up": "https://app.example.org/x/../back",
    "the way up, encoded": "https://app.example.org/x/%2e%2e/back",
    "an encoded letter": "https://app.example.org/%62ack",
    "the site as a user": "https://app.example.org@evil.example/back",
    "the site as a part of another": "https://app.example.org.evil.example/back",
    "a part of the site": "https://example.org/back",
    "below the site": "https://x.app.example.org/back",
    "a backslash": "https://evil.example\\@app.example.org/back",
    "another port": "https://app.example.org:8443/back",
    "the port that is meant anyway": "https://app.example.org:443/back",
    "without TLS": "http://app.example.org/back",
    "without a scheme": "//app.example.org/back",
    "capitals": "https://APP.example.org/back",
    "a dot at the end of the name": "https://app.example.org./back",
    "a line end": REDIRECT + "\r\nSet-Cookie: x=1",
    "a zero byte": REDIRECT + "\0",
    "a blank": REDIRECT + " ",
    "a blank before": " " + REDIRECT,
    "script": "javascript:alert(1)//app.example.org/back",
    "data": "data:text/html,<script>alert(1)</script>",
    "a letter that looks alike": "https://app.ex\u0430mple.org/back",
    "two of them": REDIRECT + ",https://evil.example",
    "a pattern": "https://*.example.org/back",
    "nothing": "",
    "this server's own sign-out": f"{ISSUER}/auth/sign-out",
    "very long": REDIRECT + "?" + "x" * 20_000,
}


@pytest.mark.parametrize("tried", REDIRECTS)
@pytest.mark.parametrize("person", [None, ANA], ids=["stranger", "signed in"])
async def test_nobody_is_sent_where_the_app_is_not_registered(server: Smart, tried: str, person: Any) -> None:
    query = _query(redirect_uri=REDIRECTS[tried])
    answer = await server.get("/auth/authorize?" + urlencode(query), person)
    assert answer.status_code in (400, 414), answer.text
    assert "location" not in answer.headers
    assert answer.headers["content-type"].startswith("text/html")
    assert "<script>alert" not in answer.text
    assert "set-cookie" not in answer.headers or "x=1" not in answer.headers["set-cookie"]


def _query(**said: str) -> dict[str, str]:
    return {
        "response_type": "code", "client_id": "app", "redirect_uri": REDIRECT, "scope": SCOPE, "state": "s-123",
        "aud": BASE, "code_challenge": challenge_of("v" * 64), "code_challenge_method": "S256", **said,
    }  # fmt: skip


REQUESTS: dict[str, tuple[dict[str, str | None], str]] = {
    "without a challenge": ({"code_challenge": None}, "invalid_request"),
    "with an empty challenge": ({"code_challenge": ""}, "invalid_request"),
    "with a plain challenge": ({"code_challenge_method": "plain"}, "invalid_request"),
    "without a method, which means plain": ({"code_challenge_method": None}, "invalid_request"),
    "with a method in small letters": ({"code_challenge_method": "s256"}, "invalid_request"),
    "with a challenge that is too short": ({"code_challenge": "a" * 42}, "invalid_request"),
    "with a challenge of other letters": ({"code_challenge": "a" * 42 + "="}, "invalid_request"),
    "without state": ({"state": None}, "invalid_request"),
    "for a token at once": ({"response_type": "token"}, "unsupported_response_type"),
    "for an id token at once": ({"response_type": "id_token"}, "unsupported_response_type"),
    "for a code and a token": ({"response_type": "code token"}, "unsupported_response_type"),
    "for an answer in the fragment": ({"response_mode": "fragment"}, "invalid_request"),
    "for an answer by form": ({"response_mode": "form_post"}, "invalid_request"),
    "for an answer to a window": ({"response_mode": "web_message"}, "invalid_request"),
    "by a request object": ({"request": "eyJhbGciOiJub25lIn0.e30."}, "request_not_supported"),
    "by the address of a request": ({"request_uri": "http://169.254.169.254/"}, "request_uri_not_supported"),
    "for another server": ({"aud": "https://evil.example/fhir"}, "invalid_request"),
    "for a server whose name begins alike": ({"aud": BASE + ".evil.example"}, "invalid_request"),
    "for a part of the server": ({"aud": BASE + "/Patient"}, "invalid_request"),
    "for no server": ({"aud": None}, "invalid_request"),
    "for two servers": ({"aud": BASE, "resource": "https://evil.example"}, "invalid_request"),
    "for a program's scopes": ({"scope": "system/*.cruds"}, "invalid_scope"),
    "for scopes that the app is not registered for": ({"scope": "admin root"}, "invalid_scope"),
    "for a scope with an operator in it": ({"scope": "patient/*.rs;drop"}, "invalid_scope"),
    "for a scope that hides a condition": ({"scope": "patient/Observation.rs?_has:X:y:z=1"}, "invalid_scope"),
    "for a launch that was never begun": ({"scope": "launch openid", "launch": "guess"}, "invalid_request"),
    "for a launch without its scope": ({"launch": "guess"}, "invalid_request"),
    "with a state of a megabyte": ({"state": "x" * 3000}, "invalid_request"),
    "with prompts that exclude each other": ({"prompt": "none login"}, "invalid_request"),
    "with an age that is no number": ({"max_age": "1e9"}, "invalid_request"),
}


@pytest.mark.parametrize("tried", REQUESTS)
async def test_a_request_that_weakens_the_protocol_gets_no_code(server: Smart, tried: str) -> None:
    said, error = REQUESTS[tried]
    where = await server.ask(challenge_of("v" * 64), **said)
    assert where.startswith(REDIRECT + "?"), where
    told = parse_qs(urlsplit(where).query)
    assert told["error"] == [error]
    assert "code" not in told
    assert told["iss"] == [ISSUER]


async def test_who_answers_is_told_so_that_servers_are_not_mixed_up(server: Smart) -> None:
    back, _ = await _code(server)
    assert only(back, "iss") == ISSUER
    published = (await server.web.get("/.well-known/openid-configuration")).json()
    assert published["issuer"] == ISSUER
    assert published["authorization_response_iss_parameter_supported"] is True


REPEATED = [
    "state",
    "scope",
    "code_challenge",
    "code_challenge_method",
    "response_type",
    "aud",
    "nonce",
    "launch",
]


@pytest.mark.parametrize("name", REPEATED)
async def test_a_parameter_that_comes_twice_gets_no_code(server: Smart, name: str) -> None:
    pairs = [*_query(nonce="n", launch="l").items(), (name, "other")]
    answer = await server.get("/auth/authorize?" + urlencode(pairs), ANA)
    told = parse_qs(urlsplit(answer.headers["location"]).query)
    assert told["error"] == ["invalid_request"]


@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
async def test_two_apps_or_addresses_at_once_are_sent_nowhere(server: Smart, name: str) -> None:
    for other in ("https://evil.example/back", "thief"):
        pairs = [*_query().items(), (name, other)]
        for ordered in (pairs, pairs[::-1]):
            answer = await server.get("/auth/authorize?" + urlencode(ordered), ANA)
            assert answer.status_code == 400
            assert "location" not in answer.headers


async def test_a_link_to_a_request_of_another_gives_the_thief_no_code(server: Smart) -> None:
    """The request that the doctor has begun is not answered by Ana, and the other way round."""
    page = await server.ask(challenge_of("v" * 64), DOCTOR, prompt="consent")
    request = only(page, "request")
    answer = await server.get(f"/auth/continue?request={request}", ANA)
    assert answer.status_code == 400
    assert "location" not in answer.headers


async def test_a_request_without_its_id_leads_nowhere(server: Smart) -> None:
    for request in ("", "0", "a" * 43, "%00", "' OR 1=1 --", "../../x", "a" * 5000):
        answer = await server.get("/auth/continue?" + urlencode({"request": request}), ANA)
        assert answer.status_code in (400, 404)
        assert "location" not in answer.headers


async def _refreshed(server: Smart, token: str, **form: str) -> Any:
    said = {"grant_type": "refresh_token", "refresh_token": token, "client_id": "app", **form}
    return await server.token(**said)


async def test_a_refresh_token_that_was_used_ends_all_that_came_of_it(server: Smart) -> None:
    first = await server.launch(prompt="consent")
    second = (await _refreshed(server, first["refresh_token"])).json()
    assert (await _refreshed(server, first["refresh_token"])).json()["error"] == "invalid_grant"
    assert (await _refreshed(server, second["refresh_token"])).json()["error"] == "invalid_grant"
    assert not await server.works(first["access_token"])
    assert not await server.works(second["access_token"])


async def test_of_many_refreshes_at_once_none_leaves_two_lines(server: Smart) -> None:
    told = await server.launch(prompt="consent")
    answers = await asyncio.gather(*(_refreshed(server, told["refresh_token"]) for _ in range(6)))
    given = [one.json() for one in answers if one.status_code == 200]
    assert len(given) <= 1
    for one in given:
        assert (await _refreshed(server, one["refresh_token"])).status_code == 400


MORE: dict[str, dict[str, str]] = {
    "more letters": {"scope": "patient/*.cruds"},
    "another level": {"scope": "user/*.rs"},
    "a program's level": {"scope": "system/*.rs"},
    "what was never asked": {"scope": "patient/*.rs launch:create"},
    "another app": {"client_id": "thief"},
    "no app": {"client_id": ""},
    "another kind": {"grant_type": "client_credentials", "scope": "system/*.rs"},
    "a password": {"grant_type": "password", "username": "ana", "password": "x"},
    "an exchange": {"grant_type": "urn:ietf:params:oauth:grant-type:token-exchange"},
    "an assertion of a person": {
        "grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "assertion": "a.b.c",
    },
}


@pytest.mark.parametrize("tried", MORE)
async def test_a_refresh_gives_no_more_than_was_agreed_to(server: Smart, tried: str) -> None:
    told = await server.launch(prompt="consent")
    answer = await _refreshed(server, told["refresh_token"], **MORE[tried])
    assert answer.status_code in (400, 401), answer.text
    assert "access_token" not in answer.json()


async def test_what_was_revoked_is_not_refreshed(server: Smart) -> None:
    told = await server.launch(prompt="consent")
    await server.web.post("/auth/revoke", data={"token": told["refresh_token"], "client_id": "app"})
    assert (await _refreshed(server, told["refresh_token"])).json()["error"] == "invalid_grant"
    assert not await server.works(told["access_token"])


async def test_an_app_cannot_revoke_or_look_into_what_is_anothers(server: Smart) -> None:
    told = await server.launch(prompt="consent")
    revoked = await server.web.post(
        "/auth/revoke", data={"token": told["access_token"], "client_id": "thief"}
    )
    assert revoked.status_code in (200, 400)
    assert await server.works(told["access_token"])
    looked = await server.web.post(
        "/auth/introspect", data={"token": told["access_token"], "client_id": "thief"}
    )
    assert looked.status_code in (400, 401) or looked.json() == {"active": False}
    strange = await server.web.post("/auth/introspect", data={"token": told["access_token"]})
    assert strange.status_code in (400, 401)


async def test_a_role_that_is_taken_away_leaves_nothing_open(server: Smart) -> None:
    """A token without roles is not one without limits: the doctor who was dismissed keeps no patient."""
    verifier, challenge = pkce()
    page = await server.ask(challenge, DOCTOR, prompt="consent")
    told = (await server.redeem(await server.agree(page, DOCTOR, patient="ana"), verifier)).json()

    async def status(token: str) -> int:
        return (
            await server.web.get("/fhir/Observation", headers={"Authorization": f"Bearer {token}"})
        ).status_code

    assert await status(told["access_token"]) == 200
    server.people.people["doctor"] = msgspec.structs.replace(DOCTOR, roles=())
    try:
        refreshed = await _refreshed(server, told["refresh_token"])
    finally:
        server.people.people["doctor"] = DOCTOR
    assert refreshed.status_code != 200 or await status(refreshed.json()["access_token"]) == 403
