"""Signing in with an OpenID provider of somebody else, such as a hospital's: code flow with PKCE and nonce.

An identity (issuer and subject) belongs to one account. An unknown one is given to the account of the same e-mail
address where both sides have verified it, else to a new account, which is bound to nobody.

Source: OpenID Connect Core 1.0 sections 3.1.2, 3.1.3.7; RFC 7636; RFC 9207; RFC 9700 section 4.4 (mix-up)
"""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

import msgspec
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from psycopg import AsyncConnection

from fhir_server.auth import accounts, fetching, opaque, sessions, tickets
from fhir_server.auth.accounts import Account
from fhir_server.auth.fetching import FetchError

if TYPE_CHECKING:
    from fhir_server.settings import IdentityProvider

ALGORITHMS = ["RS256", "PS256", "ES256"]
LEEWAY_S = 60
SCOPE = "openid profile email"


class FederationError(Exception):
    """Why somebody cannot come in by a provider; the text may be shown."""


class Described(msgspec.Struct, frozen=True):
    """What a provider says of itself (OpenID Connect Discovery 1.0 section 3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False


class Claims(msgspec.Struct, frozen=True):
    """Who it is, as the provider has signed it."""

    iss: str
    sub: str
    email: str = ""
    email_verified: bool = False
    name: str = ""


class Started(msgspec.Struct, frozen=True):
    """What is remembered while somebody is at a provider."""

    provider: str
    nonce: str
    verifier: str
    browser: str
    request: str


async def described(provider: IdentityProvider) -> Described:
    """Return a provider's endpoints; raises FederationError."""
    url = f"{provider.issuer.rstrip('/')}/.well-known/openid-configuration"
    found: Described = await _fetched(provider, url, Described)
    if found.issuer != provider.issuer:
        raise FederationError("The provider calls itself by another name than is set")
    _allowed(provider, found.authorization_endpoint)
    return found


async def begun(
    conn: AsyncConnection[Any], name: str, provider: IdentityProvider, back: str, *, cookie: str, request: str
) -> str:
    """Return where to send the browser; `back` is where it comes back to, `request` what waits for the sign-in.

    Errors: FederationError
    """
    told = await described(provider)
    nonce, verifier = opaque.fresh(), opaque.fresh()
    started = Started(name, nonce, verifier, _browser(cookie), request)
    state = await tickets.issue(conn, "federation", None, msgspec.to_builtins(started))
    challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
    query = {
        "response_type": "code",
        "client_id": provider.client_id,
        "redirect_uri": back,
        "scope": SCOPE,
        "state": state,
        "nonce": nonce,
        "code_challenge": challenge,
        "code_challenge_method": "S256",
    }
    joint = "&" if "?" in told.authorization_endpoint else "?"
    return f"{told.authorization_endpoint}{joint}{urlencode(query)}"


async def returned(conn: AsyncConnection[Any], name: str, state: str, cookie: str) -> Started:
    """Return what was remembered when this browser went out; raises FederationError, also if asked twice."""
    ticket = await tickets.used(conn, "federation", state) if state else None
    started = msgspec.convert(ticket.data, Started) if ticket else None
    if started is None or started.provider != name or started.browser != _browser(cookie):
        raise FederationError("This sign-in was not begun in this browser, or too long ago")
    return started


async def redeemed(
    provider: IdentityProvider, started: Started, answer: Mapping[str, str], back: str
) -> Claims:
    """Return who signed in, from what the provider sent along; raises FederationError."""
    told = await described(provider)
    if answer.get("iss", told.issuer) != told.issuer or (
        told.authorization_response_iss_parameter_supported and "iss" not in answer
    ):
        raise FederationError("The answer is from another provider")
    if "error" in answer or not answer.get("code"):
        raise FederationError("The provider did not let you in")
    form = {
        "grant_type": "authorization_code",
        "code": answer["code"],
        "redirect_uri": back,
        "code_verifier": started.verifier,
        "client_id": provider.client_id,
    }
    basic = None
    if provider.client_secret:
        if "client_secret_basic" in told.token_endpoint_auth_methods_supported:
            basic = (quote(provider.client_id, safe=""), quote(provider.client_secret, safe=""))
        else:
            form["client_secret"] = provider.client_secret
    token = await _fetched(provider, told.token_endpoint, dict[str, Any], form, basic)
    keys = await _fetched(provider, told.jwks_uri, dict[str, Any])
    return checked(provider, told.issuer, str(token.get("id_token", "")), keys, started.nonce)


def checked(
    provider: IdentityProvider, issuer: str, id_token: str, keys: dict[str, Any], nonce: str
) -> Claims:
    """Return the claims of an ID token that is for us, from this issuer, now, and for this sign-in.

    Errors: FederationError
    """
    try:
        found = jwt.decode(id_token, KeySet.import_key_set(keys), algorithms=ALGORITHMS).claims  # type: ignore[arg-type]
        audience = found["aud"] if isinstance(found["aud"], list) else [found["aud"]]
        now = time.time()
        right = (
            found["iss"] == issuer
            and provider.client_id in audience
            and found.get("azp", provider.client_id) == provider.client_id
            and (len(audience) == 1 or "azp" in found)
            and float(found["exp"]) > now - LEEWAY_S
            and float(found["iat"]) < now + LEEWAY_S
            and found.get("nonce") == nonce
        )
        claims = msgspec.convert(found, Claims)
    except (JoseError, ValueError, KeyError, TypeError):
        raise FederationError("What the provider has signed cannot be trusted") from None
    if not right or not 0 < len(claims.sub) <= 255:
        raise FederationError("What the provider has signed is not for this sign-in")
    return claims


async def account_of(conn: AsyncConnection[Any], claims: Claims, *, may_join: bool) -> Account:
    """Return the account of an identity, made or connected at its first time.

    Errors: FederationError where there is none and none may be made, or the account is closed
    """
    cursor = await conn.execute(
        "UPDATE account_identity SET used = clock_timestamp() WHERE issuer = %s AND subject = %s RETURNING account",
        (claims.iss, claims.sub),
    )
    row = await cursor.fetchone()
    account = await accounts.by_id(conn, row[0]) if row else await _connected(conn, claims, may_join=may_join)
    if account is None or account.state != "active":
        raise FederationError("This account is closed. Please ask the people who run this service.")
    return account


async def _connected(conn: AsyncConnection[Any], claims: Claims, *, may_join: bool) -> Account:
    proved = claims.email if claims.email and claims.email_verified else ""
    account = await accounts.by_email(conn, proved) if proved else None
    if account is not None and not account.verified:
        raise FederationError(
            "There is an account with this address that is not confirmed: confirm it first."
        )
    if account is None:
        if not may_join:
            raise FederationError("There is no account for you here. Accounts come by invitation.")
        name = claims.name or proved or "New account"
        try:
            account = await accounts.create(conn, name=name, email=proved, verified=bool(proved))
        except accounts.AccountError:
            account = await accounts.create(conn, name="New account")
    await conn.execute(
        "INSERT INTO account_identity (issuer, subject, account, used) VALUES (%s, %s, %s, clock_timestamp())",
        (claims.iss, claims.sub, account.id),
    )
    return account


async def _fetched(
    provider: IdentityProvider,
    url: str,
    kind: type[Any],
    form: Mapping[str, str] | None = None,
    basic: tuple[str, str] | None = None,
) -> Any:
    hosts = (urlsplit(provider.issuer).hostname or "",) if provider.private else ()
    try:
        content, _kept = await fetching.fetch(url, hosts, form, basic)
        return msgspec.convert(json.loads(content), kind)
    except (FetchError, ValueError, msgspec.ValidationError):
        raise FederationError("The provider does not answer as it should. Please try again later.") from None


def _allowed(provider: IdentityProvider, url: str) -> None:
    """Raise FederationError where a browser should not be sent to `url`."""
    if urlsplit(url).scheme != "https" and not provider.private:
        raise FederationError("The provider's sign-in page is not https")


def _browser(cookie: str) -> str:
    """Return what ties a sign-in to the browser that began it."""
    return sessions.form_token(cookie)
