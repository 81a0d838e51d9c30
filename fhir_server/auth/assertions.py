"""Clients that prove who they are with a signed assertion.

Source: SMART App Launch 2.2, client-confidential-asymmetric; RFC 7523 section 3; RFC 7521 section 4.2
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from joserfc import jws, jwt
from joserfc.errors import JoseError

from fhir_server.auth import clients
from fhir_server.auth.client_keys import ALGORITHMS, bad_key, key_of
from fhir_server.auth.clients import Client
from fhir_server.auth.opaque import digest

if TYPE_CHECKING:
    from fhir_server.auth.authority import Authority

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
TOKEN_PATH = "/auth/token"  # noqa: S105
LIFE_S, SKEW_S = 300, 30
"""Source: an assertion lives five minutes at most; clocks differ."""

_LONGEST = 16 * 1024
_USE = (
    "INSERT INTO auth_assertion (client, jti, until) VALUES (%s, %s, to_timestamp(%s)) ON CONFLICT DO NOTHING"
)


async def client_of(authority: Authority, assertion: str) -> Client:
    """Return the client that signed `assertion`, which cannot be used again.

    Errors: OAuthError invalid_client
    """
    header, claims = _read(assertion)
    issuer = claims.get("iss")
    if not isinstance(issuer, str) or issuer != claims.get("sub"):
        raise bad_key("iss and sub of the assertion must both be the client_id")
    async with authority.store.pool.connection() as conn:
        client = await clients.load(conn, issuer)
    if client is None or client.kind != "key" or client.state != "active":
        raise bad_key("There is no such client that authenticates by assertion")
    if "jku" in header and header["jku"] != client.jwks_uri:
        raise bad_key("jku is not the address that was registered")
    key = await key_of(authority.store, client, header["kid"], header["alg"], authority.settings.jwks_hosts)
    try:
        verified = jwt.decode(assertion, key, algorithms=[header["alg"]]).claims
    except (JoseError, ValueError):
        raise bad_key("The signature of the assertion is wrong") from None
    until = _checked(verified, audiences(authority))
    async with authority.store.pool.connection() as conn:
        cursor = await conn.execute(_USE, (client.id, digest(verified["jti"]), until + 2 * SKEW_S))
    if not cursor.rowcount:
        raise bad_key("The assertion was used before")
    return client


def audiences(authority: Authority) -> frozenset[str]:
    """Return the names of the token endpoint."""
    places = authority.places
    return frozenset(f"{base.removesuffix('/fhir')}{TOKEN_PATH}" for base in (places.base, *places.others))


def _read(assertion: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return header and claims as they are said, nothing of it believed yet."""
    if len(assertion) > _LONGEST:
        raise bad_key("The assertion is too long")
    try:
        signed = jws.extract_compact(assertion.encode("ascii"))
        header, claims = signed.headers(), json.loads(signed.payload)
    except (JoseError, ValueError, UnicodeError, RecursionError):
        raise bad_key("The assertion is no signed JWT") from None
    if not isinstance(claims, dict):
        raise bad_key("The assertion is no signed JWT")
    if header.get("alg") not in ALGORITHMS or not isinstance(header.get("kid"), str):
        raise bad_key("The assertion's header must have alg (RS384 or ES384) and kid")
    if str(header.get("typ", "JWT")).upper() != "JWT" or "crit" in header:
        raise bad_key("The assertion's typ must be JWT, and nothing in it critical")
    return header, claims


def _checked(claims: Mapping[str, Any], ours: frozenset[str]) -> float:
    """Return when an assertion ends; raises OAuthError where its claims do not hold."""
    now = time.time()
    audience = claims.get("aud")
    named = audience if isinstance(audience, list) else [audience]
    if not any(isinstance(one, str) and one in ours for one in named):
        raise bad_key("aud of the assertion must be the URL of the token endpoint")
    expires = claims.get("exp")
    if isinstance(expires, bool) or not isinstance(expires, (int, float)) or not expires > now - SKEW_S:
        raise bad_key("The assertion has expired, or has no exp")
    if expires > now + LIFE_S + SKEW_S:
        raise bad_key("exp of the assertion must be within five minutes")
    for name in ("iat", "nbf"):
        moment = claims.get(name, 0)
        if isinstance(moment, bool) or not isinstance(moment, (int, float)) or moment > now + SKEW_S:
            raise bad_key(f"{name} of the assertion lies in the future")
    token = claims.get("jti")
    if not isinstance(token, str) or not 0 < len(token) <= 255:
        raise bad_key("The assertion needs a jti")
    return float(expires)
