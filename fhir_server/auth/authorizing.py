"""The authorization endpoint: a request from an app, checked.

What is wrong with the client or its redirect URI is told to the person; everything else goes back to the app.

Source: RFC 6749 section 4.1.1, RFC 7636 section 4.4.1, RFC 9700 section 2.1, OpenID Connect Core 1.0 section 3.1.2,
SMART App Launch 2.2 (obtain authorization code)
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import quote

from fhir_server.access import scopes
from fhir_server.auth import asking, clients, launches
from fhir_server.auth.asking import CONTINUE, Wanted
from fhir_server.auth.clients import CODE, Client
from fhir_server.auth.errors import OAuthError, RefusedError
from fhir_server.auth.words import FHIR_USER, KNOWN, LAUNCH, OPENID, PROFILE

if TYPE_CHECKING:
    from fhir_server.auth.authority import Authority

_CHALLENGE = re.compile(r"[A-Za-z0-9_\-]{43}")
_PROMPTS = frozenset({"none", "login", "consent", "select_account"})
_LONGEST_STATE, _LONGEST_NONCE = 2000, 500


class _Said(dict[str, str]):
    """The request's parameters."""

    def needed(self, name: str) -> str:
        """Return a parameter; raises OAuthError where it is missing."""
        if not self.get(name):
            raise OAuthError("invalid_request", f"{name} is required")
        return self[name]


async def begin(authority: Authority, pairs: Sequence[tuple[str, str]]) -> str:
    """Return where the browser goes on: into our pages, or back to the app with what is wrong.

    Errors: RefusedError where nothing may be sent to the redirect URI
    """
    counted = Counter(name for name, _ in pairs)
    said = _Said((name, value) for name, value in pairs if value)
    if max(counted["client_id"], counted["redirect_uri"]) > 1:
        raise RefusedError("invalid_request", "The app has sent client_id or redirect_uri more than once.")
    client = await _client(authority, said.get("client_id", ""))
    redirect = said.get("redirect_uri", "")
    if redirect not in client.redirect_uris:
        raise RefusedError(
            "invalid_request", "The app wants to be answered at an address that it is not registered for."
        )
    state = said.get("state", "") if counted["state"] == 1 else ""
    try:
        _once(counted)
        wanted = await _wanted(authority, client, said)
    except OAuthError as error:
        if isinstance(error, RefusedError):
            raise
        return asking.redirected(authority, redirect, state[:_LONGEST_STATE], error=error)
    request = await asking.keep(authority, client.id, wanted)
    return f"{CONTINUE}?request={quote(request, safe='')}"


async def _client(authority: Authority, client_id: str) -> Client:
    async with authority.store.pool.connection() as conn:
        client = await clients.load(conn, client_id)
    if client is None or CODE not in client.grants:
        raise RefusedError("unauthorized_client", "This server does not know the app that has sent you here.")
    if client.state != "active":
        raise RefusedError("unauthorized_client", "The app that has sent you here is not approved.")
    return client


def _once(counted: Counter[str]) -> None:
    if repeated := sorted(name for name, times in counted.items() if times > 1):
        raise OAuthError("invalid_request", f"{repeated[0]} is repeated")


async def _wanted(authority: Authority, client: Client, said: _Said) -> Wanted:
    _protocol(said)
    audience = said.get("aud") or said.needed("resource")
    if not authority.places.means_us(audience) or not authority.places.means_us(
        said.get("resource", audience)
    ):
        raise OAuthError("invalid_request", f"aud must be {authority.places.base}")
    asked, granted = _scopes(authority, client, said)
    launch = await launches.of(authority, client, said["launch"]) if "launch" in said else None
    if (LAUNCH in granted) != (launch is not None):
        raise OAuthError("invalid_request", "The scope launch and the parameter launch belong together")
    return Wanted(
        redirect_uri=said["redirect_uri"],
        state=said["state"],
        challenge=said["code_challenge"],
        scopes=granted,
        asked=asked,
        nonce=said.get("nonce", ""),
        prompt=_prompt(said),
        max_age=_max_age(said),
        launch={} if launch is None else launch.context,
        launched_by="" if launch is None else launch.account,
    )


def _protocol(said: _Said) -> None:
    for name in ("request", "request_uri"):
        if name in said:
            raise OAuthError(f"{name}_not_supported", f"{name} is not supported")
    if said.needed("response_type") != "code":
        raise OAuthError("unsupported_response_type", "response_type must be code")
    if said.get("response_mode", "query") != "query":
        raise OAuthError("invalid_request", "response_mode must be query")
    if len(said.needed("state")) > _LONGEST_STATE or len(said.get("nonce", "")) > _LONGEST_NONCE:
        raise OAuthError("invalid_request", "state or nonce is too long")
    challenge = said.needed("code_challenge")
    if said.get("code_challenge_method") != "S256" or not _CHALLENGE.fullmatch(challenge):
        raise OAuthError(
            "invalid_request", "PKCE is required: code_challenge_method S256 and its code_challenge"
        )


def _scopes(authority: Authority, client: Client, said: _Said) -> tuple[list[str], list[str]]:
    """Return what is asked for that the client may have, in its words and normalized."""
    try:
        asked = scopes.texts(said.needed("scope"))
        wanted = [one for one in scopes.normalized(asked) if one in KNOWN or _of_a_person(one)]
        granted = list(scopes.subset(wanted, client.scopes))
    except scopes.BadScopeError as error:
        raise OAuthError("invalid_scope", str(error)) from None
    if OPENID not in granted:
        granted = [one for one in granted if one not in (FHIR_USER, PROFILE)]
    if not any(one == OPENID or scopes.scope(one) is not None for one in granted):
        raise OAuthError("invalid_scope", "None of these scopes can be granted to this app")
    authority.enforceable(granted)
    return asked, granted


def _of_a_person(text: str) -> bool:
    found = scopes.scope(text)
    return found is not None and found.level != "system"


def _prompt(said: _Said) -> list[str]:
    found = said.get("prompt", "").split()
    if set(found) - _PROMPTS or ("none" in found and len(found) > 1):
        raise OAuthError("invalid_request", "prompt is none, or some of login, consent, select_account")
    return found


def _max_age(said: _Said) -> int:
    text = said.get("max_age", "")
    if text and not (text.isascii() and text.isdigit() and len(text) < 10):
        raise OAuthError("invalid_request", "max_age is a number of seconds")
    return int(text) if text else -1
