"""What a token is worth, told to those who may ask; and tokens given back.

Source: RFC 7662, RFC 7009, SMART App Launch 2.2 (token introspection)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from fhir_server.access.grant import Grant
from fhir_server.access.scopes import clinical
from fhir_server.auth import families, issuing
from fhir_server.auth.allowed import Allowed
from fhir_server.auth.authenticating import client_of
from fhir_server.auth.clients import Client
from fhir_server.auth.errors import OAuthError
from fhir_server.auth.revocations import revoke
from fhir_server.auth.words import OPENID
from resources.outcome import FhirError

if TYPE_CHECKING:
    from fhir_server.auth.authority import Authority

Json = dict[str, Any]
Form = Mapping[str, str]

NOT: Json = {"active": False}


async def introspect(authority: Authority, form: Form, header: str | None) -> Json:
    """Return what a token is worth: everything to a backend service with a token of its own, else to its client alone.

    Errors: OAuthError for who may not ask
    """
    mine = await _asking(authority, form, header)
    token = form.get("token", "")
    if not token:
        raise OAuthError("invalid_request", "token is required")
    if token.count(".") == 2:
        return await _access(authority, token, mine)
    return await _refresh(authority, token, mine)


async def _asking(authority: Authority, form: Form, header: str | None) -> str | None:
    """Return the client that may learn of its own tokens, None for one that may learn of all."""
    if header is not None and header[:7].lower() == "bearer ":
        try:
            grant = authority.bearer.known(header[7:])
        except FhirError as error:
            raise OAuthError("invalid_token", str(error), error.status, error.headers) from None
        everything = any(one.level == "system" for one in clinical(grant.scopes))
        return None if everything else grant.client
    client = await client_of(authority, form, header)
    if client.kind == "public":
        raise OAuthError("invalid_client", "Introspection is for clients that can prove who they are", 401)
    return client.id


async def _access(authority: Authority, token: str, mine: str | None) -> Json:
    try:
        grant = authority.bearer.known(token)
    except FhirError as error:
        if error.status == 503:
            raise OAuthError("temporarily_unavailable", str(error), 503, error.headers) from None
        return NOT
    if mine not in (None, grant.client):
        return NOT
    async with authority.store.pool.connection() as conn:
        family = await families.load(conn, grant.session)
    told = {
        "active": True,
        "scope": " ".join(grant.scopes),
        "client_id": grant.client,
        "token_type": "Bearer",
        "exp": int(grant.expires),
        "iss": authority.places.issuer,
        "aud": authority.places.base,
        "sub": grant.subject,
        "jti": grant.token,
    }
    return told | (_more(authority, family.allowed, list(grant.scopes)) if family is not None else {})


async def _refresh(authority: Authority, token: str, mine: str | None) -> Json:
    async with authority.store.pool.connection() as conn:
        found = await families.family_of(conn, token)
    if found is None or mine not in (None, found[0].client):
        return NOT
    family, until = found
    told = {
        "active": True,
        "client_id": family.client,
        "token_type": "refresh_token",
        "exp": int(until.timestamp()),
        "sub": family.account,
    }
    return told | _more(authority, family.allowed, family.allowed.scopes)


def _more(authority: Authority, allowed: Allowed, granted: list[str]) -> Json:
    """Return scope as it was told, launch context, and what the id token said."""
    told: Json = {"scope": allowed.told(granted), **issuing.launch_context(authority, allowed)}
    if OPENID in allowed.scopes:
        told["iss"] = authority.places.issuer
    if allowed.user:
        told["fhirUser"] = f"{authority.places.base}/{allowed.user}"
    return told


async def revoke_token(authority: Authority, form: Form, header: str | None) -> None:
    """Have a client give back a token of its own: a refresh token with all that came of it.

    Shape:  what is unknown or another's is no error (RFC 7009, section 2.2)
    """
    client = await client_of(authority, form, header)
    token = form.get("token", "")
    if not token:
        raise OAuthError("invalid_request", "token is required")
    grant = Grant(subject=client.id, client=client.id)
    if token.count(".") == 2:
        await _revoke_access(authority, client, token)
    else:
        async with authority.store.transaction() as conn:
            found = await families.family_of(conn, token)
            if found is not None and found[0].client == client.id:
                await families.end(conn, found[0].id, "given back by the app")
    await authority.trail.note("authorization", grant, detail={"revoked": "by the app"})


async def _revoke_access(authority: Authority, client: Client, token: str) -> None:
    try:
        grant = authority.bearer.known(token)
    except FhirError:
        return  # nothing that opens anything
    if grant.client == client.id:
        async with authority.store.pool.connection() as conn:
            await revoke(conn, [f"jti:{grant.token}"], families.ACCESS_MOST_S)
