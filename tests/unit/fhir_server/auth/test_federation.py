"""ID tokens that must not be trusted. Source: OpenID Connect Core 1.0 section 3.1.3.7, RFC 8725"""

from __future__ import annotations

import base64
import hmac
import time
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import RSAKey

from fhir_server.auth.federation import FederationError, checked
from fhir_server.settings import IdentityProvider

KEY = RSAKey.generate_key(2048, {"kid": "1"})
KEYS = {"keys": [KEY.as_dict(private=False)]}
PROVIDER = IdentityProvider(issuer="https://idp.example", client_id="hb")


def signed(
    key: Any = KEY, header: dict[str, Any] | None = None, algorithms: list[str] | None = None, **change: Any
) -> str:
    claims = {
        "iss": "https://idp.example",
        "sub": "ana",
        "aud": "hb",
        "exp": int(time.time()) + 300,
        "iat": int(time.time()),
        "nonce": "n",
        **change,
    }
    claims = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode(header or {"alg": "RS256", "kid": "1"}, claims, key, algorithms=algorithms)


def test_a_right_token_says_who_it_is() -> None:
    found = checked(
        PROVIDER, "https://idp.example", signed(name="Ana", email="a@b.c", email_verified=True), KEYS, "n"
    )
    assert (found.sub, found.name, found.email, found.email_verified) == ("ana", "Ana", "a@b.c", True)


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://evil.example"},
        {"aud": "other"},
        {"aud": ["other", "third"]},
        {"aud": ["hb", "other"]},
        {"aud": ["hb", "other"], "azp": "other"},
        {"azp": "other"},
        {"exp": int(time.time()) - 3600},
        {"exp": None},
        {"exp": "soon"},
        {"iat": int(time.time()) + 3600},
        {"nonce": "other"},
        {"nonce": None},
        {"sub": None},
        {"sub": ""},
        {"sub": "x" * 300},
        {"email_verified": "yes"},
    ],
    ids="-".join,
)
def test_a_token_for_somebody_else_or_another_time_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(FederationError):
        checked(PROVIDER, "https://idp.example", signed(**change), KEYS, "n")


def test_a_token_of_another_key_is_refused() -> None:
    with pytest.raises(FederationError):
        checked(PROVIDER, "https://idp.example", signed(RSAKey.generate_key(2048, {"kid": "1"})), KEYS, "n")


@pytest.mark.parametrize("token", ["", "x", "a.b.c", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbmEifQ."])
def test_what_is_not_signed_is_refused(token: str) -> None:
    with pytest.raises(FederationError):
        checked(PROVIDER, "https://idp.example", token, KEYS, "n")


def test_a_public_key_taken_for_a_secret_is_refused() -> None:
    head, body, _ = signed().split(".")
    head = base64.urlsafe_b64encode(b'{"alg":"HS256","kid":"1"}').decode().rstrip("=")
    mac = hmac.digest(KEY.as_pem(private=False), f"{head}.{body}".encode(), "sha256")
    token = f"{head}.{body}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"
    with pytest.raises(FederationError):
        checked(PROVIDER, "https://idp.example", token, KEYS, "n")
