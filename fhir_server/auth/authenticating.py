"""Which client sends a request to the token endpoint and its neighbours, by the one method that it registered for.

Source: RFC 6749 section 2.3, RFC 7521 section 4.2, SMART App Launch 2.2 (client authentication)
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

from fhir_server.auth import assertions, clients
from fhir_server.auth.clients import Client
from fhir_server.auth.errors import OAuthError

if TYPE_CHECKING:
    from fhir_server.auth.authority import Authority

METHODS = ("none", "client_secret_basic", "client_secret_post", "private_key_jwt")


async def client_of(authority: Authority, form: Mapping[str, str], header: str | None) -> Client:
    """Return the client that sends `form`, with `header` as its Authorization.

    Errors: OAuthError invalid_client, invalid_request where it uses several methods
    """
    assertion = "client_assertion" in form or "client_assertion_type" in form
    if sum((assertion, "client_secret" in form, header is not None)) > 1:
        raise OAuthError("invalid_request", "There must be one way only in which the client authenticates")
    if assertion:
        return await _by_assertion(authority, form)
    if header is not None:
        name, secret = _basic(header)
        if form.get("client_id", name) != name:
            raise _unknown(basic=True)
        return await _by_secret(authority, name, secret, basic=True)
    if "client_secret" in form:
        return await _by_secret(authority, form.get("client_id", ""), form["client_secret"])
    return await _public(authority, form.get("client_id", ""))


async def _by_assertion(authority: Authority, form: Mapping[str, str]) -> Client:
    if form.get("client_assertion_type") != assertions.TYPE:
        raise OAuthError("invalid_client", f"client_assertion_type must be {assertions.TYPE}", 401)
    client = await assertions.client_of(authority, form.get("client_assertion", ""))
    if form.get("client_id", client.id) != client.id:
        raise OAuthError("invalid_client", "client_id is another one than the assertion's", 401)
    return client


def _basic(header: str) -> tuple[str, str]:
    """Return name and secret of HTTP Basic, both encoded as in a form (RFC 6749, section 2.3.1)."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        raise _unknown(basic=True)
    try:
        name, _, secret = base64.b64decode(encoded.strip(), validate=True).decode("utf-8").partition(":")
    except (ValueError, binascii.Error):
        raise _unknown(basic=True) from None
    return unquote_plus(name), unquote_plus(secret)


async def _by_secret(authority: Authority, name: str, secret: str, *, basic: bool = False) -> Client:
    client = await _active(authority, name)
    if client is None or client.kind != "secret" or not client.proves(secret):
        raise _unknown(basic=basic)
    return client


async def _public(authority: Authority, name: str) -> Client:
    client = await _active(authority, name)
    if client is None or client.kind != "public":
        raise _unknown()
    return client


async def _active(authority: Authority, name: str) -> Client | None:
    async with authority.store.pool.connection() as conn:
        client = await clients.load(conn, name)
    return client if client is not None and client.state == "active" else None


def _unknown(*, basic: bool = False) -> OAuthError:
    headers = {"WWW-Authenticate": 'Basic realm="token", charset="UTF-8"'} if basic else {}
    return OAuthError(
        "invalid_client", "The client is unknown, or did not authenticate as it must", 401, headers
    )
