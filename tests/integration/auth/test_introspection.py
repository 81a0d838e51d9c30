"""What a token is worth, and tokens given back.

Source: RFC 7662, RFC 7009, https://hl7.org/fhir/smart-app-launch/STU2.2/token-introspection.html
"""

from __future__ import annotations

import time
from typing import Any

import httpx

from fhir_server.auth.assertions import TYPE as ASSERTION
from tests.integration.auth.smart import BASE, CREDENTIALS, ISSUER, REFRESH, Smart
from tests.integration.auth.test_backend import KEYS, claims, signed


async def _all(server: Smart) -> dict[str, str]:
    """Return the headers of a backend service, which may ask about all tokens."""
    scopes = ["system/*.rs"]
    await server.client(
        "backend", kind="key", jwks=KEYS, grants=[CREDENTIALS], scopes=scopes, redirect_uris=[]
    )
    form = {"grant_type": CREDENTIALS, "scope": "system/*.rs", "client_assertion_type": ASSERTION}
    told = (await server.token(**form, client_assertion=signed(claims()))).json()
    return {"Authorization": f"Bearer {told['access_token']}"}


async def _worth(server: Smart, token: str, **options: Any) -> dict[str, Any]:
    answer = await server.web.post("/auth/introspect", data={"token": token}, **options)
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    found: dict[str, Any] = answer.json()
    return found


async def test_a_token_is_described_with_its_context(server: Smart) -> None:
    headers = await _all(server)
    await server.client()
    told = await server.launch(scope="openid fhirUser launch/patient offline_access patient/*.rs")
    worth = await _worth(server, told["access_token"], headers=headers)
    assert worth["active"] is True
    assert worth["client_id"] == "app"
    assert set(worth["scope"].split()) == set(told["scope"].split())
    assert abs(worth["exp"] - (time.time() + told["expires_in"])) < 60
    assert (worth["iss"], worth["sub"]) == (ISSUER, "ana")
    assert worth["fhirUser"] == f"{BASE}/Patient/ana"
    assert worth["patient"] == told["patient"]
    assert worth["need_patient_banner"] == told["need_patient_banner"]
    refresh = await _worth(server, told["refresh_token"], headers=headers)
    assert refresh["active"] is True
    assert refresh["client_id"] == "app"
    again = await server.token(grant_type=REFRESH, refresh_token=told["refresh_token"], client_id="app")
    assert again.status_code == 200  # being asked about does not use it up


async def test_a_client_learns_of_its_own_tokens_alone(server: Smart) -> None:
    secret = await server.client("known", kind="secret")
    await server.client()
    others = await server.launch()
    auth = httpx.BasicAuth("known", secret)
    assert await _worth(server, others["access_token"], auth=auth) == {"active": False}
    assert await _worth(server, others["refresh_token"], auth=auth) == {"active": False}


async def test_what_is_no_token_is_not_active(server: Smart) -> None:
    headers = await _all(server)
    for token in ("x", "a.b.c", "x" * 5000):
        assert await _worth(server, token, headers=headers) == {"active": False}


async def test_nobody_else_may_ask(server: Smart) -> None:
    await server.client()
    told = await server.launch()
    anybody = await server.web.post("/auth/introspect", data={"token": told["access_token"]})
    assert anybody.status_code == 401
    public = await server.web.post(
        "/auth/introspect", data={"token": told["access_token"], "client_id": "app"}
    )
    assert public.status_code == 401
    bad = await server.web.post(
        "/auth/introspect", data={"token": "x"}, headers={"Authorization": "Bearer x"}
    )
    assert bad.status_code == 401


async def test_a_refresh_token_given_back_ends_all_that_came_of_it(server: Smart) -> None:
    headers = await _all(server)
    await server.client()
    told = await server.launch()
    answer = await server.web.post("/auth/revoke", data={"token": told["refresh_token"], "client_id": "app"})
    assert answer.status_code == 200
    assert not await server.works(told["access_token"])
    assert await _worth(server, told["access_token"], headers=headers) == {"active": False}
    again = await server.token(grant_type=REFRESH, refresh_token=told["refresh_token"], client_id="app")
    assert again.json()["error"] == "invalid_grant"


async def test_an_access_token_given_back_leaves_the_refresh_token(server: Smart) -> None:
    await server.client()
    told = await server.launch()
    await server.web.post("/auth/revoke", data={"token": told["access_token"], "client_id": "app"})
    assert not await server.works(told["access_token"])
    again = await server.token(grant_type=REFRESH, refresh_token=told["refresh_token"], client_id="app")
    assert again.status_code == 200
    assert await server.works(again.json()["access_token"])


async def test_a_client_gives_back_only_its_own_tokens(server: Smart) -> None:
    await server.client()
    await server.client("other")
    told = await server.launch()
    for token in (told["access_token"], told["refresh_token"], "nothing"):
        answer = await server.web.post("/auth/revoke", data={"token": token, "client_id": "other"})
        assert answer.status_code == 200
    assert await server.works(told["access_token"])
    unknown = await server.web.post("/auth/revoke", data={"token": "x", "client_id": "nobody"})
    assert unknown.status_code == 401
