"""Launches from an EHR: what is on its screen, kept under an opaque id that the app brings along.

Source: SMART App Launch 2.2, "launch app: EHR launch", scopes and launch context
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import msgspec
from psycopg.types.json import Jsonb

from fhir_server.auth import clients, opaque
from fhir_server.auth.clients import Client
from fhir_server.auth.errors import OAuthError

if TYPE_CHECKING:
    from fhir_server.auth.authority import Authority

Json = dict[str, Any]

_ID = re.compile(r"[A-Za-z0-9\-.]{1,64}")
_NAMES = frozenset({"patient", "encounter", "intent", "need_patient_banner", "fhirContext"})
_CONTEXT_NAMES = frozenset({"reference", "canonical", "identifier", "type", "role"})
_MOST = 50
_USE = """UPDATE auth_launch SET used = now() WHERE id = %s AND client = %s AND used IS NULL AND expires > now()
RETURNING account, context"""


class Launch(msgspec.Struct, frozen=True):
    """A launch: who started it ('' anybody), and what the app is told."""

    account: str
    context: Json


async def create(authority: Authority, account: str, client_id: str, said: Mapping[str, Any]) -> Json:
    """Return the launch id and the URL that opens the app, for the browser of the person who starts it.

    Errors: OAuthError invalid_request
    """
    context = checked(said)
    async with authority.store.pool.connection() as conn:
        client = await clients.load(conn, client_id)
        if client is None or client.state != "active" or not client.launch_uri:
            raise OAuthError("invalid_request", "There is no such app, or it has no launch URL")
        launch = opaque.fresh()
        await conn.execute(
            "INSERT INTO auth_launch (id, client, account, context, expires) "
            "VALUES (%s, %s, %s, %s, now() + make_interval(secs => %s))",
            (opaque.digest(launch), client.id, account, Jsonb(context), authority.lifetimes.launch),
        )
    query = urlencode({"iss": authority.places.base, "launch": launch})
    url = f"{client.launch_uri}{'&' if '?' in client.launch_uri else '?'}{query}"
    return {"launch": launch, "launch_url": url, "expires_in": authority.lifetimes.launch}


async def of(authority: Authority, client: Client, launch: str) -> Launch:
    """Return a launch that was made for this client, once; raises OAuthError."""
    async with authority.store.pool.connection() as conn:
        row = await (await conn.execute(_USE, (opaque.digest(launch), client.id))).fetchone()
    if row is None:
        raise OAuthError("invalid_request", "The launch is unknown, used, expired, or another app's")
    return Launch(*row)


def checked(said: Mapping[str, Any]) -> Json:
    """Return a launch context; raises OAuthError invalid_request for one that says what none may say."""
    if unknown := sorted(set(said) - _NAMES):
        raise _bad(f"A launch context has no {unknown[0][:50]}")
    for name in ("patient", "encounter"):
        if name in said and not (isinstance(said[name], str) and _ID.fullmatch(said[name])):
            raise _bad(f"{name} must be the id of a resource")
    if not isinstance(said.get("need_patient_banner", True), bool):
        raise _bad("need_patient_banner must be true or false")
    intent = said.get("intent", "-")
    if not isinstance(intent, str) or not 0 < len(intent) <= 200:
        raise _bad("intent must be a short string")
    others = said.get("fhirContext", [])
    if not isinstance(others, list) or len(others) > _MOST or not all(map(_context, others)):
        raise _bad("fhirContext must be a list of objects with a reference, a canonical or an identifier")
    return dict(said)


def _context(one: object) -> bool:
    """Whether `one` may be in fhirContext: Patient and Encounter only with a role of their own."""
    if not isinstance(one, dict) or set(one) - _CONTEXT_NAMES:
        return False
    if not {"reference", "canonical", "identifier"} & one.keys():
        return False
    if not all(isinstance(one.get(name, ""), str) for name in _CONTEXT_NAMES - {"identifier"}):
        return False
    own = str(one.get("reference", "")).startswith(("Patient/", "Encounter/"))
    return not own or one.get("role", "launch") != "launch"


def _bad(text: str) -> OAuthError:
    return OAuthError("invalid_request", text)
