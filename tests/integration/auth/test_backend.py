"""Backend services prove who they are with signed assertions; nothing else that looks like one gets in.

Source: https://hl7.org/fhir/smart-app-launch/STU2.2/client-confidential-asymmetric.html and backend-services.html,
RFC 7523 section 3, RFC 8725
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from fhir_server.auth import clients
from fhir_server.auth.assertions import TYPE
from tests.integration.auth.smart import CREDENTIALS, ISSUER, Smart, compact

TOKEN = f"{ISSUER}/auth/token"
RSA = RSAKey.generate_key(2048, {"kid": "rsa"})
EC = ECKey.generate_key("P-384", {"kid": "ec"})
OTHER = RSAKey.generate_key(2048, {"kid": "rsa"})
KEYS = {"keys": [RSA.as_dict(private=False), EC.as_dict(private=False)]}


async def _backend(server: Smart, **said: Any) -> None:
    plain = {
        "kind": "key",
        "jwks": KEYS,
        "grants": [CREDENTIALS],
        "scopes": ["system/*.rs", "system/Observation.cruds"],
    }
    await server.client("backend", **{**plain, "redirect_uris": [], **said})


def claims(**said: Any) -> dict[str, Any]:
    """Return the claims of a good assertion; None leaves one out."""
    now = int(time.time())
    plain = {
        "iss": "backend",
        "sub": "backend",
        "aud": TOKEN,
        "exp": now + 240,
        "iat": now,
        "jti": str(uuid.uuid4()),
    }
    return {name: value for name, value in {**plain, **said}.items() if value is not None}


def signed(said: dict[str, Any], key: Any = RSA, alg: str = "RS384", **header: Any) -> str:
    """Return an assertion."""
    return jwt.encode({"alg": alg, "kid": key.kid, **header}, said, key, algorithms=[alg])


async def _sent(server: Smart, assertion: str, **form: str) -> httpx.Response:
    said = {"grant_type": CREDENTIALS, "scope": "system/*.rs", "client_assertion_type": TYPE, **form}
    return await server.token(**said, client_assertion=assertion)


def _refused(answer: httpx.Response, code: str = "invalid_client") -> None:
    assert answer.json()["error"] == code, answer.text
    assert answer.status_code == (401 if code == "invalid_client" else 400)
    assert "access_token" not in answer.text


@pytest.mark.parametrize(("key", "alg"), [(RSA, "RS384"), (EC, "ES384")])
async def test_a_signed_assertion_gets_a_short_token(server: Smart, key: Any, alg: str) -> None:
    await _backend(server)
    answer = await _sent(server, signed(claims(), key, alg, typ="JWT"))
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert told["scope"] == "system/*.rs"
    assert told["expires_in"] <= 300
    assert "refresh_token" not in told
    assert await server.works(told["access_token"])


async def test_an_assertion_works_once(server: Smart) -> None:
    await _backend(server)
    assertion = signed(claims())
    assert (await _sent(server, assertion)).status_code == 200
    _refused(await _sent(server, assertion))


async def test_the_same_jti_again_is_refused_though_signed_anew(server: Smart) -> None:
    await _backend(server)
    assert (await _sent(server, signed(claims(jti="once")))).status_code == 200
    _refused(await _sent(server, signed(claims(jti="once", exp=int(time.time()) + 200), EC, "ES384")))


WRONG: list[dict[str, Any]] = [
    {"aud": None}, {"aud": "https://other.example/auth/token"}, {"aud": ISSUER}, {"aud": [f"{TOKEN}/"]}, {"aud": 7},
    {"exp": None}, {"exp": 1}, {"exp": int(time.time()) + 3600}, {"exp": "soon"}, {"exp": True}, {"exp": float("inf")},
    {"iss": None}, {"iss": "other"}, {"sub": "other"}, {"sub": None}, {"iss": "nobody", "sub": "nobody"},
    {"iss": ["backend"], "sub": ["backend"]},
    {"jti": None}, {"jti": ""}, {"jti": "x" * 300}, {"jti": 5}, {"nbf": int(time.time()) + 600},
    {"iat": int(time.time()) + 600},
]  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG, ids=[f"{n}-{'-'.join(one)}" for n, one in enumerate(WRONG)])
async def test_an_assertion_with_wrong_claims_is_refused(server: Smart, wrong: dict[str, Any]) -> None:
    await _backend(server)
    _refused(await _sent(server, signed(claims(**wrong))))


async def test_an_assertion_for_several_that_names_us_is_good(server: Smart) -> None:
    await _backend(server)
    assert (await _sent(server, signed(claims(aud=[TOKEN, "https://other.example"])))).status_code == 200


def _unsigned(header: dict[str, Any]) -> str:
    return compact(header, claims())


def _confused() -> str:
    """Return an assertion that is signed by HMAC with the public key as secret."""
    return compact({"alg": "HS256", "kid": "rsa"}, claims(), RSA.as_pem(private=False))


FORGED: dict[str, Callable[..., str]] = {
    "another key": lambda: signed(claims(), OTHER),
    "none": lambda: _unsigned({"alg": "none", "kid": "rsa"}),
    "None": lambda: _unsigned({"alg": "None", "kid": "rsa"}),
    "no signature": lambda: signed(claims()).rpartition(".")[0] + ".",
    "hmac with the public key": _confused,
    "another algorithm": lambda: signed(claims(), RSA, "RS256"),
    "algorithm of another kind of key": lambda: signed(claims(), EC, "ES384", kid="rsa"),
    "unknown kid": lambda: signed(claims(), RSA, kid="nobody"),
    "kid that is no text": lambda: _unsigned({"alg": "RS384", "kid": ["rsa"]}) + "AAAA",
    "key in the header": lambda: signed(claims(), OTHER, jwk=OTHER.as_dict(private=False)),
    "jku of a stranger": lambda: signed(claims(), OTHER, jku="https://evil.example/jwks.json"),
    "access token": lambda: signed(claims(), RSA, typ="at+jwt"),
    "garbage": lambda: "garbage",
    "empty": lambda: "",
    "dots": lambda: "..",
    "long": lambda: "a" * 40_000,
}


@pytest.mark.parametrize("forge", FORGED)
async def test_a_forged_assertion_is_refused(server: Smart, forge: str) -> None:
    await _backend(server)
    _refused(await _sent(server, FORGED[forge]()))


async def test_an_assertion_is_refused_under_another_name(server: Smart) -> None:
    await _backend(server)
    _refused(await _sent(server, signed(claims()), client_id="other"))
    _refused(await _sent(server, signed(claims()), client_assertion_type="urn:other"))


async def test_a_client_uses_the_method_that_it_registered_for(server: Smart) -> None:
    await _backend(server)
    secret = await server.client("symmetric", kind="secret")
    _refused(await server.token(grant_type=CREDENTIALS, client_id="backend", scope="system/*.rs"))
    _refused(await server.token(("backend", "secret"), grant_type=CREDENTIALS, scope="system/*.rs"))
    _refused(await server.token(grant_type="refresh_token", client_id="symmetric", refresh_token="x"))
    both = await server.token(
        ("symmetric", secret), grant_type="refresh_token", client_secret=secret, refresh_token="x"
    )
    _refused(both, "invalid_request")


@pytest.mark.parametrize("way", ["basic", "post"])
async def test_a_secret_proves_a_symmetric_client(server: Smart, way: str) -> None:
    secret = await server.client("symmetric", kind="secret")
    good = {"grant_type": "refresh_token", "refresh_token": "unknown"}

    async def sent(word: str) -> httpx.Response:
        if way == "basic":
            return await server.token(("symmetric", word), **good)
        return await server.token(**good, client_id="symmetric", client_secret=word)

    _refused(await sent(secret), "invalid_grant")
    for wrong in (secret[:-1], secret + "x", "", "ä"):
        if wrong or way == "basic":
            _refused(await sent(wrong))


@pytest.mark.parametrize("header", ["Basic", "Basic !!!", "Basic /w==", "Digest x", "Bearer x", ""])
async def test_a_broken_authorization_header_is_refused(server: Smart, header: str) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": "x"}
    answer = await server.web.post("/auth/token", data=form, headers={"Authorization": header})
    _refused(answer)
    assert answer.headers["www-authenticate"].startswith("Basic ")


async def test_a_backend_gets_no_more_than_it_was_registered_for(server: Smart) -> None:
    await _backend(server)
    told = (await _sent(server, signed(claims()), scope="system/*.cruds user/*.rs openid")).json()
    assert set(told["scope"].split()) == {"system/*.rs", "system/Observation.cruds"}
    _refused(await _sent(server, signed(claims()), scope="user/*.rs"), "invalid_scope")
    _refused(await _sent(server, signed(claims()), scope=""), "invalid_scope")


async def test_a_symmetric_client_is_no_backend_service(server: Smart) -> None:
    secret = await server.client("symmetric", kind="secret")
    answer = await server.token(("symmetric", secret), grant_type=CREDENTIALS, scope="system/*.rs")
    _refused(answer, "unauthorized_client")


async def test_a_removed_client_is_out_at_once(server: Smart) -> None:
    await _backend(server)
    told = (await _sent(server, signed(claims()))).json()
    assert await server.works(told["access_token"])
    async with server.authority.store.transaction() as conn:
        assert await clients.remove(conn, "backend")
    assert not await server.works(told["access_token"])
    _refused(await _sent(server, signed(claims())))
