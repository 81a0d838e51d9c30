"""The token endpoint: a code, a refresh token or a client's own right, for tokens.

Source: RFC 6749 sections 4.1.3, 4.4, 5 and 6; RFC 7636 section 4.6; SMART App Launch 2.2
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from psycopg import AsyncConnection

from fhir_server.access import scopes
from fhir_server.access.grant import Grant
from fhir_server.auth import families, issuing, opaque
from fhir_server.auth.allowed import Allowed, loaded
from fhir_server.auth.authenticating import client_of
from fhir_server.auth.clients import CODE, CREDENTIALS, REFRESH, Client
from fhir_server.auth.errors import OAuthError

if TYPE_CHECKING:
    from fhir_server.auth.authority import Authority

Form = Mapping[str, str]
Json = dict[str, Any]

_VERIFIER = re.compile(r"[A-Za-z0-9\-._~]{43,128}")
_USELESS = "The refresh token is unknown, used, expired or revoked"
_TAKE = """UPDATE auth_code SET used = now() WHERE hash = %s AND used IS NULL
RETURNING client, family, redirect_uri, challenge, allowed, expires > now()"""


async def token(authority: Authority, form: Form, header: str | None, address: str = "") -> Json:
    """Return the token answer; raises OAuthError."""
    kind = form.get("grant_type", "")
    if kind not in _GRANTS:
        code = "unsupported_grant_type" if kind else "invalid_request"
        raise OAuthError(code, f"grant_type must be one of {', '.join(_GRANTS)}")
    client = await client_of(authority, form, header)
    if kind not in client.grants:
        raise OAuthError("unauthorized_client", f"This client is not registered for {kind}")
    answer, grant = await _GRANTS[kind](authority, client, form)
    behalf = msgspec.structs.replace(grant, address=address)
    await authority.trail.note("authorization", behalf, detail={"token": kind})
    return answer


def _refused(text: str) -> OAuthError:
    return OAuthError("invalid_grant", text)


async def _by_code(authority: Authority, client: Client, form: Form) -> tuple[Json, Grant]:
    """Return the answer for a code: it works once, for the client, redirect URI and challenge that it was made for."""
    code = _needed(form, "code")
    verifier = _needed(form, "code_verifier")
    redirect = _needed(form, "redirect_uri")
    async with authority.store.transaction() as conn:
        row = await (await conn.execute(_TAKE, (opaque.digest(code),))).fetchone()
        if row is None:
            await _replayed(conn, code)
        fits = row is not None and row[0] == client.id and hmac.compare_digest(row[2], redirect)
        if row is None or not fits or not row[5] or not _proves(verifier, row[3]):
            refresh, allowed, family = "", None, ""
        else:
            family, allowed = row[1], loaded(row[4])
            renews = bool(allowed.access) and REFRESH in client.grants
            seconds = authority.lifetimes.refresh if renews else authority.lifetimes.access
            await families.begin(conn, family, client.id, allowed, seconds)
            refresh = await families.refresh_token(conn, family, seconds) if renews else ""
    if allowed is None:
        raise _refused(
            "The code is unknown, used, expired, or made for another client, redirect_uri or challenge"
        )
    told = issuing.answer(authority, client, family, allowed, allowed.scopes, refresh)
    return told, _of(client, family, allowed)


async def _replayed(conn: AsyncConnection[Any], code: str) -> None:
    """End what came of a code that is sent a second time. Source: RFC 6749, section 4.1.2"""
    row = await (
        await conn.execute("SELECT family FROM auth_code WHERE hash = %s", (opaque.digest(code),))
    ).fetchone()
    if row is not None:
        await families.end(conn, row[0], "its code was used twice")


def _proves(verifier: str, challenge: str) -> bool:
    """Whether `verifier` is what `challenge` was made of by S256."""
    if not _VERIFIER.fullmatch(verifier):
        return False
    made = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode("ascii")).digest()).rstrip(b"=")
    return hmac.compare_digest(made, challenge.encode("ascii", "replace"))


async def _by_refresh(authority: Authority, client: Client, form: Form) -> tuple[Json, Grant]:
    """Return the answer for a refresh token, with the next one; what is refused otherwise leaves it good."""
    token = _needed(form, "refresh_token")
    async with authority.store.pool.connection() as conn:
        peeked = await families.family_of(conn, token)
    if peeked is None or peeked[0].client != client.id:
        await _useless(authority, client, token)
        raise _refused(_USELESS)
    allowed = await _as_it_stands(authority, peeked[0])
    granted = _narrowed(form.get("scope"), allowed)
    async with authority.store.transaction() as conn:
        family = await _spent(conn, client, token)
        refresh = await families.refresh_token(conn, family, authority.lifetimes.refresh) if family else ""
    if not family:
        raise _refused(_USELESS)
    told = issuing.answer(authority, client, family, allowed, granted, refresh)
    return told, _of(client, family, allowed)


async def _useless(authority: Authority, client: Client, token: str) -> None:
    async with authority.store.transaction() as conn:
        await _spent(conn, client, token)


async def _spent(conn: AsyncConnection[Any], client: Client, token: str) -> str:
    """Return the family of a refresh token that was good until now, else ''; what is stolen ends its family."""
    found = await families.used(conn, token)
    if found is None:
        return ""
    family, good = found
    if not good or family.client != client.id:
        await families.end(conn, family.id, "a refresh token was used twice, or by another client")
        return ""
    return "" if family.ended else family.id


async def _as_it_stands(authority: Authority, family: families.Family) -> Allowed:
    """Return what was allowed, with the person's roles of now; a family whose person or session is gone ends."""
    store, people = authority.store, authority.people
    person = await people.person(store, family.account)
    gone = person is None or person.user != family.allowed.user
    if not gone and family.access == "online":
        gone = not await people.alive(store, family.session)
    if gone or person is None:
        async with store.transaction() as conn:
            await families.end(conn, family.id, "the person or the session is gone")
        raise _refused("The person's session or account has ended")
    return msgspec.structs.replace(
        family.allowed, roles=list(person.roles), acting_for=list(person.acting_for), nonce=""
    )


def _narrowed(asked: str | None, allowed: Allowed) -> list[str]:
    """Return what a refreshed token may do: what was allowed, or less where the app asks for less."""
    if not asked:
        return allowed.scopes
    try:
        wanted = scopes.normalized(asked)
        if all(scopes.covers(allowed.scopes, one) for one in wanted):
            return list(wanted)
    except scopes.BadScopeError as error:
        raise OAuthError("invalid_scope", str(error)) from None
    raise OAuthError("invalid_scope", "A refreshed token cannot have more scopes than were granted")


async def _by_itself(authority: Authority, client: Client, form: Form) -> tuple[Json, Grant]:
    """Return the answer for a backend service: what of its wish it was registered for."""
    asked = _needed(form, "scope", "invalid_scope")
    try:
        wanted = [one for one in scopes.normalized(asked) if scopes.scope(one) is not None]
        granted = [one for one in scopes.subset(wanted, client.scopes) if one.startswith("system/")]
    except scopes.BadScopeError as error:
        raise OAuthError("invalid_scope", str(error)) from None
    if not granted:
        raise OAuthError("invalid_scope", "None of these scopes is granted to this client")
    authority.enforceable(granted)
    told = issuing.backend_answer(authority, client, granted, scopes.texts(asked))
    return told, Grant(subject=client.id, client=client.id, scopes=tuple(granted))


def _needed(form: Form, name: str, code: str = "invalid_request") -> str:
    value = form.get(name, "")
    if not value:
        raise OAuthError(code, f"{name} is required")
    return value


def _of(client: Client, family: str, allowed: Allowed) -> Grant:
    """Return on whose behalf tokens were issued, for the audit."""
    return Grant(
        subject=allowed.account,
        client=client.id,
        scopes=tuple(allowed.scopes),
        user=allowed.user,
        patient=allowed.patient,
        roles=tuple(allowed.roles),
        session=family,
    )


_GRANTS: dict[str, Callable[[Authority, Client, Form], Awaitable[tuple[Json, Grant]]]] = {
    CODE: _by_code,
    REFRESH: _by_refresh,
    CREDENTIALS: _by_itself,
}
