"""A backend service that signs for its tokens, as a client would, and fills a server with two people's records."""

from __future__ import annotations

import secrets
import time
from typing import Any

import httpx
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from fhir_server.auth.clients import CREDENTIALS, Client

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
KEYS: dict[str, RSAKey | ECKey] = {
    "RS384": RSAKey.generate_key(2048, {"kid": "rsa"}),
    "ES384": ECKey.generate_key("P-384", {"kid": "ec"}),
}
NIGHTLY = Client(
    id="nightly",
    name="Nightly",
    kind="key",
    jwks={"keys": [key.as_dict(private=False) for key in KEYS.values()]},
    grants=[CREDENTIALS],
    scopes=["system/*.cruds"],
)
"""The service, as the server knows it."""


def signed_in(base: str, alg: str, **claims: Any) -> httpx.Response:
    """Return what the token endpoint answers to the service when it signs with `alg`."""
    endpoint = httpx.get(f"{base}/.well-known/smart-configuration").json()["token_endpoint"]
    said = {
        "iss": "nightly", "sub": "nightly", "aud": endpoint, "exp": int(time.time()) + 240,
        "jti": secrets.token_urlsafe(), **claims,
    }  # fmt: skip
    key = KEYS[alg]
    assertion = jwt.encode({"alg": alg, "kid": key.kid, "typ": "JWT"}, said, key, algorithms=[alg])
    form = {
        "grant_type": "client_credentials", "scope": "system/Patient.cruds system/Observation.cruds",
        "client_assertion_type": ASSERTION, "client_assertion": assertion,
    }  # fmt: skip
    return httpx.post(endpoint, data=form)


def filled(base: str) -> None:
    """Store the records of Ana and Bo: a Patient and a pulse each."""
    token = signed_in(base, "ES384").json()["access_token"]
    with httpx.Client(base_url=f"{base}/", headers={"Authorization": f"Bearer {token}"}) as web:
        for name in ("ana", "bo"):
            patient = {"resourceType": "Patient", "id": name, "name": [{"family": name.title()}]}
            code = {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]}
            pulse = {
                "resourceType": "Observation", "id": f"pulse-{name}", "status": "final", "code": code,
                "subject": {"reference": f"Patient/{name}"},
            }  # fmt: skip
            for one in (patient, pulse):
                assert web.put(f"{one['resourceType']}/{one['id']}", json=one).status_code == 201
