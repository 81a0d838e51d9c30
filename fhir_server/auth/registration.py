"""Apps that register themselves, and look after their registration.

Source: RFC 7591, RFC 7592
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from fhir_server.access.grant import Grant
from fhir_server.access.scopes import clinical
from fhir_server.auth import clients, opaque
from fhir_server.auth.client_metadata import client_of
from fhir_server.auth.clients import Client
from fhir_server.auth.errors import OAuthError

if TYPE_CHECKING:
    from fhir_server.auth.authority import Authority

Json = dict[str, Any]

METHOD = {"public": "none", "secret": "client_secret_basic", "key": "private_key_jwt"}
_FIXED = ("client_id", "client_secret")
_OURS = (
    "registration_access_token",
    "registration_client_uri",
    "client_secret_expires_at",
    "client_id_issued_at",
)


async def register(authority: Authority, said: Json) -> Json:
    """Return a new client's registration; by the setting it may start at once, or waits until somebody says yes.

    Errors: OAuthError invalid_client_metadata, invalid_redirect_uri, 403 access_denied where nobody may register
    """
    policy = authority.settings.client_registration
    if policy == "closed":
        raise OAuthError("access_denied", "Apps are registered by the operator of this server", 403)
    client = client_of(said, opaque.fresh()[:22])
    client.origin = "registration"
    client.state = _state(authority, client)
    management = opaque.fresh()
    client.management = opaque.digest(management)
    async with authority.store.transaction() as conn:
        secret = await clients.add(conn, client)
        kept = await clients.load(conn, client.id)
    await _note(authority, client, "registered")
    assert kept is not None
    return described(authority, kept, secret) | {
        "registration_access_token": management,
        "registration_client_uri": authority.places.at(f"/auth/register/{client.id}"),
    }


def _state(authority: Authority, client: Client) -> clients.State:
    """Return whether a client may start at once: one that acts for itself never may."""
    backend = any(one.level == "system" for one in clinical(client.scopes))
    return "active" if authority.settings.client_registration == "open" and not backend else "pending"


async def managed(authority: Authority, client_id: str, header: str | None) -> Client:
    """Return the client whose registration access token comes with a request; raises OAuthError invalid_token."""
    scheme, _, token = (header or "").partition(" ")
    async with authority.store.pool.connection() as conn:
        client = await clients.load(conn, client_id)
    known = client.management if client is not None and client.management is not None else b""
    if scheme.lower() != "bearer" or not hmac.compare_digest(opaque.digest(token), known) or client is None:
        headers = {"WWW-Authenticate": 'Bearer error="invalid_token"'}
        raise OAuthError("invalid_token", "This is not the registration access token", 401, headers)
    return client


async def change(authority: Authority, client: Client, said: Json) -> Json:
    """Return a registration that was replaced: an app that may do more than before waits for a yes again.

    Errors: OAuthError invalid_client_metadata, invalid_redirect_uri, invalid_request
    """
    if said.get("client_id") != client.id:
        raise OAuthError("invalid_request", "client_id must be the one that was given")
    secret = said.get("client_secret")
    if secret is not None and not (isinstance(secret, str) and client.proves(secret)):
        raise OAuthError("invalid_request", "client_secret cannot be chosen")
    if set(said) & set(_OURS):
        raise OAuthError("invalid_request", f"{', '.join(sorted(set(said) & set(_OURS)))} cannot be sent")
    new = client_of({name: value for name, value in said.items() if name not in _FIXED}, client.id)
    if new.kind != client.kind:
        raise OAuthError("invalid_client_metadata", "token_endpoint_auth_method cannot be changed")
    kept = msgspec.structs.replace(
        client,
        **{name: getattr(new, name) for name in _CHANGING},
        state=client.state if _no_more(client, new) else _state(authority, new),
        origins=[],
    )
    async with authority.store.transaction() as conn:
        await clients.add(conn, kept)
        found = await clients.load(conn, client.id)
    await _note(authority, client, "changed")
    assert found is not None
    return described(authority, found)


_CHANGING = ("name", "jwks", "jwks_uri", "redirect_uris", "launch_uri", "grants", "scopes", "metadata")


def _no_more(old: Client, new: Client) -> bool:
    """Whether a changed registration reaches no further, and looks the same to people."""
    return (
        {*new.scopes} <= {*old.scopes}
        and {*new.redirect_uris} <= {*old.redirect_uris}
        and {*new.grants} <= {*old.grants}
        and (new.name, new.launch_uri) == (old.name, old.launch_uri)
        and (new.jwks, new.jwks_uri) == (old.jwks, old.jwks_uri)
    )


async def remove(authority: Authority, client: Client) -> None:
    """Remove a client, with all that was issued to it."""
    async with authority.store.transaction() as conn:
        await clients.remove(conn, client.id)
    await _note(authority, client, "removed")


def described(authority: Authority, client: Client, secret: str = "") -> Json:
    """Return a registration as its client is told of it. Source: RFC 7591, section 3.2.1"""
    told: Json = {
        "client_id": client.id,
        "client_name": client.name,
        "token_endpoint_auth_method": METHOD[client.kind],
        "grant_types": client.grants,
        "response_types": ["code"] if clients.CODE in client.grants else [],
        "redirect_uris": client.redirect_uris,
        "scope": " ".join(client.scopes),
        **client.metadata,
    }
    if client.created is not None:
        told["client_id_issued_at"] = int(client.created.timestamp())
    if client.launch_uri:
        told["initiate_login_uri"] = client.launch_uri
    if client.jwks_uri:
        told["jwks_uri"] = client.jwks_uri
    if client.jwks:
        told["jwks"] = client.jwks
    if secret:
        told |= {"client_secret": secret, "client_secret_expires_at": 0}
    if client.state == "pending":
        told["approved"] = False
    told["registration_client_uri"] = authority.places.at(f"/auth/register/{client.id}")
    return told


async def _note(authority: Authority, client: Client, what: str) -> None:
    grant = Grant(subject=client.id, client=client.id)
    detail: Mapping[str, str] = {"client": what, "name": client.name}
    await authority.trail.note("administration", grant, detail=detail)
