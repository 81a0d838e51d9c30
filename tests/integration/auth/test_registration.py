"""Apps register themselves, as far as the operator lets them.

Source: RFC 7591, RFC 7592
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc.jwk import ECKey, OctKey, RSAKey

from fhir_server.auth import clients
from tests.integration.auth.conftest import shared_folder
from tests.integration.auth.smart import CODE, REDIRECT, Smart, pkce, smart

EC = ECKey.generate_key("P-384", {"kid": "one"})
GOOD = {
    "client_name": "Heart App", "redirect_uris": [REDIRECT], "token_endpoint_auth_method": "none",
    "grant_types": ["authorization_code", "refresh_token"], "scope": "openid fhirUser launch/patient patient/*.read",
    "client_uri": "https://app.example.org", "initiate_login_uri": "https://app.example.org/launch",
}  # fmt: skip


async def _registered(server: Smart, **said: Any) -> httpx.Response:
    body = {name: value for name, value in {**GOOD, **said}.items() if value is not None}
    return await server.web.post("/auth/register", json=body)


async def test_a_registered_app_waits_for_a_yes(server: Smart) -> None:
    answer = await _registered(server)
    assert answer.status_code == 201
    assert answer.headers["cache-control"] == "no-store"
    told = answer.json()
    assert told["approved"] is False
    assert told["scope"] == "openid fhirUser launch/patient patient/*.rs"
    assert "client_secret" not in told
    page = await server.get(f"/auth/authorize?client_id={told['client_id']}&redirect_uri={REDIRECT}")
    assert page.status_code == 400
    async with server.authority.store.pool.connection() as conn:
        assert await clients.approve(conn, told["client_id"])
    assert (await server.ask(pkce()[1], client_id=told["client_id"])).startswith("/auth/consent")


async def test_where_registration_is_open_an_app_starts_at_once_but_no_backend(
    database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with smart(
        database_url, data_dir=shared_folder(tmp_path_factory), client_registration="open"
    ) as server:
        told = (await _registered(server)).json()
        assert (await server.ask(pkce()[1], client_id=told["client_id"])).startswith("/auth/consent")
        backend = await _registered(
            server, token_endpoint_auth_method="private_key_jwt", grant_types=["client_credentials"],
            scope="system/*.rs", redirect_uris=None, jwks={"keys": [EC.as_dict(private=False)]},
        )  # fmt: skip
        assert backend.status_code == 201
        assert backend.json()["approved"] is False


async def test_where_registration_is_closed_nobody_registers(
    database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    async with smart(
        database_url, data_dir=shared_folder(tmp_path_factory), client_registration="closed"
    ) as server:
        assert (await _registered(server)).status_code == 403
        assert (
            "registration_endpoint"
            not in (await server.web.get("/fhir/.well-known/smart-configuration")).json()
        )


async def test_a_confidential_app_gets_a_secret(server: Smart) -> None:
    told = (await _registered(server, token_endpoint_auth_method="client_secret_basic")).json()
    assert len(told["client_secret"]) >= 43
    assert told["client_secret_expires_at"] == 0


def _weak() -> dict[str, Any]:
    numbers = rsa.generate_private_key(65537, 1024).public_key().public_numbers()
    size = (numbers.n.bit_length() + 7) // 8
    whole = RSAKey.generate_key(2048).as_dict(private=False)
    return {
        **whole,
        "kid": "weak",
        "n": urlsafe_b64encode(numbers.n.to_bytes(size, "big")).decode().rstrip("="),
    }


def _jwks(*keys: dict[str, Any]) -> dict[str, Any]:
    return {"token_endpoint_auth_method": "private_key_jwt", "jwks": {"keys": list(keys)}}


BAD: list[tuple[dict[str, Any], str]] = [
    ({"redirect_uris": None}, "invalid_redirect_uri"),
    ({"redirect_uris": ["http://app.example.org/back"]}, "invalid_redirect_uri"),
    ({"redirect_uris": ["https://app.example.org/back#part"]}, "invalid_redirect_uri"),
    ({"redirect_uris": ["https://user@app.example.org/back"]}, "invalid_redirect_uri"),
    ({"redirect_uris": ["javascript:alert(1)"]}, "invalid_redirect_uri"),
    ({"redirect_uris": ["data:text/html,x"]}, "invalid_redirect_uri"),
    ({"redirect_uris": ["https://app.example.org/ü"]}, "invalid_redirect_uri"),
    ({"redirect_uris": ["com.example.app:/back"], "token_endpoint_auth_method": "client_secret_basic"},
     "invalid_redirect_uri"),
    ({"redirect_uris": "https://app.example.org"}, "invalid_client_metadata"),
    ({"redirect_uris": [7]}, "invalid_client_metadata"),
    ({"client_name": 5}, "invalid_client_metadata"),
    ({"client_name": "a\x00b"}, "invalid_client_metadata"),
    ({"token_endpoint_auth_method": "tls_client_auth"}, "invalid_client_metadata"),
    ({"token_endpoint_auth_method": "private_key_jwt"}, "invalid_client_metadata"),
    ({"grant_types": ["password"]}, "invalid_client_metadata"),
    ({"grant_types": ["client_credentials"]}, "invalid_client_metadata"),
    ({"response_types": ["token"]}, "invalid_client_metadata"),
    ({"scope": "patient/Nothing.rs"}, "invalid_client_metadata"),
    ({"scope": "system/*.rs"}, "invalid_client_metadata"),
    ({"logo_uri": "http://169.254.169.254/logo"}, "invalid_client_metadata"),
    ({"logo_uri": "javascript:alert(1)"}, "invalid_client_metadata"),
    ({"software_statement": "a.b.c"}, "unapproved_software_statement"),
    ({"token_endpoint_auth_method": "private_key_jwt", "jwks_uri": "file:///etc/passwd"}, "invalid_client_metadata"),
    ({**_jwks(EC.as_dict(private=False)), "jwks_uri": "https://x.example/jwks"}, "invalid_client_metadata"),
    (_jwks(EC.as_dict(private=True)), "invalid_client_metadata"),
    (_jwks(OctKey.generate_key(256).as_dict()), "invalid_client_metadata"),
    (_jwks({**EC.as_dict(private=False), "kid": 5}), "invalid_client_metadata"),
    (_jwks({**EC.as_dict(private=False), "use": "enc"}), "invalid_client_metadata"),
    (_jwks({**ECKey.generate_key("P-256").as_dict(private=False), "kid": "a"}), "invalid_client_metadata"),
    (_jwks(_weak()), "invalid_client_metadata"),
    (_jwks(), "invalid_client_metadata"),
]  # fmt: skip


@pytest.mark.parametrize(("said", "code"), BAD, ids=lambda one: str(one)[:60])
async def test_metadata_that_cannot_be_is_refused(server: Smart, said: dict[str, Any], code: str) -> None:
    answer = await _registered(server, **said)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"] == code


@pytest.mark.parametrize(
    "uri", ["http://127.0.0.1:8123/back", "http://localhost/back", "com.example.app:/back"]
)
async def test_a_native_app_may_have_loopback_or_a_scheme_of_its_own(server: Smart, uri: str) -> None:
    assert (await _registered(server, redirect_uris=[uri])).status_code == 201


@pytest.mark.parametrize("body", [b"[]", b"{", b"", b"[" * 10_000, b'"x"'])
async def test_what_is_no_object_is_refused(server: Smart, body: bytes) -> None:
    answer = await server.web.post(
        "/auth/register", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_request"


async def test_an_app_looks_after_its_registration(server: Smart) -> None:
    told = (await _registered(server)).json()
    url = told["registration_client_uri"]
    mine = {"Authorization": f"Bearer {told['registration_access_token']}"}
    assert (await server.web.get(url, headers=mine)).json()["client_name"] == "Heart App"
    for headers in (
        {},
        {"Authorization": "Bearer x"},
        {"Authorization": f"Basic {told['registration_access_token']}"},
    ):
        assert (await server.web.get(url, headers=headers)).status_code == 401
    changed = await server.web.put(
        url, headers=mine, json={**GOOD, "client_id": told["client_id"], "scope": "openid"}
    )
    assert changed.status_code == 200, changed.text
    assert changed.json()["scope"] == "openid"
    assert (await server.web.put(url, headers=mine, json={**GOOD, "client_id": "other"})).status_code == 400
    assert (await server.web.delete(url, headers=mine)).status_code == 204
    assert (await server.web.get(url, headers=mine)).status_code == 401


async def test_an_approved_app_that_wants_more_waits_again(server: Smart) -> None:
    told = (await _registered(server)).json()
    async with server.authority.store.pool.connection() as conn:
        await clients.approve(conn, told["client_id"])
    mine = {"Authorization": f"Bearer {told['registration_access_token']}"}
    more = {**GOOD, "client_id": told["client_id"], "redirect_uris": [REDIRECT, "https://evil.example/back"]}
    answer = await server.web.put(told["registration_client_uri"], headers=mine, json=more)
    assert answer.json()["approved"] is False


async def test_nobody_manages_a_client_that_the_operator_made(server: Smart) -> None:
    await server.client("ours", grants=[CODE])
    answer = await server.web.get("/auth/register/ours", headers={"Authorization": "Bearer "})
    assert answer.status_code == 401
