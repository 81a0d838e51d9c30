"""Makes tokens: access tokens for our FHIR interface, id tokens for apps, and the answer that carries them.

Source: RFC 9068, OpenID Connect Core 1.0 section 2, SMART App Launch 2.2 (token response, launch context)
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from joserfc import jwt

from fhir_server.auth import opaque
from fhir_server.auth.allowed import Allowed
from fhir_server.auth.bearer import KIND
from fhir_server.auth.clients import Client
from fhir_server.auth.keys import ALGORITHM
from fhir_server.auth.words import FHIR_USER, LAUNCH, LAUNCH_PATIENT, OPENID, PROFILE

if TYPE_CHECKING:
    from fhir_server.auth.authority import Authority

Json = dict[str, Any]

BACKEND_S = 300
"""Source: SMART App Launch 2.2, backend services: five minutes at most are recommended."""


def access_token(
    authority: Authority, client: str, family: str, allowed: Allowed, granted: Sequence[str], seconds: int
) -> str:
    """Return a new access token; claims that would be empty are left out."""
    now = int(time.time())
    claims: Json = {
        "iss": authority.places.issuer,
        "aud": authority.places.base,
        "sub": allowed.account or client,
        "client_id": client,
        "scope": " ".join(granted),
        "iat": now,
        "exp": now + seconds,
        "jti": opaque.fresh(),
        "sid": family,
    }
    more = {
        "fhirUser": allowed.user,
        "patient": allowed.patient,
        "encounter": allowed.encounter,
        "purpose": allowed.purpose,
        "roles": allowed.roles,
        "acting_for": allowed.acting_for,
    }
    return _signed(authority, KIND, claims | {name: value for name, value in more.items() if value})


def id_token(authority: Authority, client: str, allowed: Allowed, granted: Sequence[str]) -> str:
    """Return a new id token, which says to an app who signed in."""
    now = int(time.time())
    claims: Json = {
        "iss": authority.places.issuer,
        "sub": allowed.account,
        "aud": client,
        "iat": now,
        "exp": now + authority.lifetimes.access,
        "auth_time": allowed.auth_time,
    }
    if allowed.nonce:
        claims["nonce"] = allowed.nonce
    if allowed.amr:
        claims["amr"] = allowed.amr
    if FHIR_USER in granted and allowed.user:
        claims["fhirUser"] = f"{authority.places.base}/{allowed.user}"
    if PROFILE in granted:
        claims["name"] = allowed.name
    return _signed(authority, "JWT", claims)


def _signed(authority: Authority, kind: str, claims: Json) -> str:
    key = authority.keys.signing
    return jwt.encode({"alg": ALGORITHM, "typ": kind, "kid": key.kid}, claims, key, algorithms=[ALGORITHM])


def answer(
    authority: Authority, client: Client, family: str, allowed: Allowed, granted: list[str], refresh: str = ""
) -> Json:
    """Return the token answer for a person's app."""
    seconds = authority.lifetimes.access
    told: Json = {
        "access_token": access_token(authority, client.id, family, allowed, granted, seconds),
        "token_type": "Bearer",
        "expires_in": seconds,
        "scope": allowed.told(granted),
    }
    if refresh:
        told["refresh_token"] = refresh
    if OPENID in granted:
        told["id_token"] = id_token(authority, client.id, allowed, granted)
    return told | launch_context(authority, allowed)


def launch_context(authority: Authority, allowed: Allowed) -> Json:
    """Return what an app is told of where it was launched."""
    told: Json = {}
    if allowed.patient:
        told["patient"] = allowed.patient
    if allowed.encounter:
        told["encounter"] = allowed.encounter
    told |= allowed.context
    launched = allowed.patient or any(one in allowed.scopes for one in (LAUNCH, LAUNCH_PATIENT))
    if launched:
        told.setdefault("need_patient_banner", True)
        told["smart_style_url"] = authority.places.at("/auth/style.json")
        if authority.settings.tenant:
            told["tenant"] = authority.settings.tenant
    return told


def backend_answer(authority: Authority, client: Client, granted: list[str], asked: list[str]) -> Json:
    """Return the token answer for a backend service."""
    seconds = min(BACKEND_S, authority.lifetimes.access)
    allowed = Allowed(scopes=granted, asked=asked)
    token = access_token(authority, client.id, opaque.fresh(), allowed, granted, seconds)
    return {
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": seconds,
        "scope": allowed.told(granted),
    }
