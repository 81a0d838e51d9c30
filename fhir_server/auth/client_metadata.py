"""What a client says of itself when it registers, checked.

Source: RFC 7591 section 2, RFC 8252 sections 7 and 8 (redirect URIs), SMART App Launch 2.2 (keys, scopes)
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from fhir_server.access import scopes
from fhir_server.auth.client_keys import checked_set
from fhir_server.auth.clients import CODE, CREDENTIALS, REFRESH, Client, Kind
from fhir_server.auth.errors import OAuthError
from fhir_server.auth.words import KNOWN

Json = Mapping[str, Any]

METHODS: dict[str, Kind] = {
    "none": "public",
    "client_secret_basic": "secret",
    "client_secret_post": "secret",
    "private_key_jwt": "key",
}
SHOWN = ("client_uri", "logo_uri", "tos_uri", "policy_uri", "contacts", "software_id", "software_version")
DEFAULT_SCOPE = (
    "openid fhirUser profile launch launch/patient launch/encounter offline_access online_access "
    "patient/*.rs user/*.rs"
)
"""What a client may ask for that does not say so."""

_PRIVATE_SCHEME = re.compile(r"[a-z][a-z0-9+\-]*(\.[a-z0-9+\-]+)+")
_CONTROL = re.compile(r"[\x00-\x20\x7f\\<>\"^`{|}]|[^\x00-\x7f]")
_LONGEST, _MOST = 2000, 20


def bad(text: str) -> OAuthError:
    """Return the refusal of metadata."""
    return OAuthError("invalid_client_metadata", text)


def client_of(said: Json, client_id: str) -> Client:
    """Return the client that `said` describes, active.

    Errors: OAuthError invalid_client_metadata, invalid_redirect_uri
    """
    if "software_statement" in said:
        raise OAuthError("unapproved_software_statement", "Software statements are not trusted here")
    method = _text(said, "token_endpoint_auth_method") or "client_secret_basic"
    if method not in METHODS:
        raise bad(f"token_endpoint_auth_method must be one of {', '.join(METHODS)}")
    kind = METHODS[method]
    jwks, jwks_uri = _keys(said, kind)
    grants = _grants(said, kind)
    redirects = [redirect_uri(one, kind) for one in _texts(said, "redirect_uris")]
    if CODE in grants and not redirects:
        raise OAuthError("invalid_redirect_uri", "redirect_uris are required for authorization_code")
    launch = _text(said, "initiate_login_uri") or _text(said, "launch_uri")
    return Client(
        id=client_id,
        name=_text(said, "client_name")[:200] or client_id,
        kind=kind,
        jwks=jwks,
        jwks_uri=jwks_uri,
        redirect_uris=redirects,
        launch_uri=web_url(launch, "initiate_login_uri") if launch else "",
        grants=grants,
        scopes=_scopes(said, grants),
        metadata=_shown(said),
    )


def _keys(said: Json, kind: Kind) -> tuple[dict[str, Any] | None, str]:
    jwks, jwks_uri = said.get("jwks"), _text(said, "jwks_uri")
    if kind != "key":
        return None, ""
    if (jwks is None) == (not jwks_uri):
        raise bad("private_key_jwt needs either jwks or jwks_uri")
    if jwks_uri:
        return None, web_url(jwks_uri, "jwks_uri")
    return checked_set(jwks, bad), ""


def _grants(said: Json, kind: Kind) -> list[str]:
    grants = list(dict.fromkeys(_texts(said, "grant_types"))) or [CODE]
    if unknown := sorted({*grants} - {CODE, REFRESH, CREDENTIALS}):
        raise bad(f"The grant type {unknown[0][:50]} is not supported")
    if CREDENTIALS in grants and kind != "key":
        raise bad("client_credentials is for clients with private_key_jwt")
    if any(one != "code" for one in _texts(said, "response_types")):
        raise bad("The only response type is code")
    return grants


def _scopes(said: Json, grants: list[str]) -> list[str]:
    try:
        asked = scopes.normalized(_text(said, "scope") or ("" if CODE not in grants else DEFAULT_SCOPE))
    except scopes.BadScopeError as error:
        raise bad(str(error)) from None
    kept = [one for one in asked if one in KNOWN or scopes.scope(one) is not None]
    if any(one.level == "system" for one in scopes.clinical(kept)) and CREDENTIALS not in grants:
        raise bad("system scopes need the grant type client_credentials")
    return kept


def redirect_uri(uri: str, kind: Kind) -> str:
    """Return `uri` where it may be redirected to; it is matched character by character.

    Errors: OAuthError invalid_redirect_uri
    """
    parts = urlsplit(uri)
    if not uri or len(uri) > _LONGEST or _CONTROL.search(uri) or "#" in uri or parts.username is not None:
        raise OAuthError("invalid_redirect_uri", "A redirect URI is absolute, without fragment and user")
    if parts.scheme == "https" and parts.hostname:
        return uri
    if parts.scheme == "http" and _loopback(parts.hostname or ""):
        return uri
    if kind == "public" and _PRIVATE_SCHEME.fullmatch(parts.scheme):
        return uri
    raise OAuthError(
        "invalid_redirect_uri",
        "A redirect URI is https, http on a loopback address, or for public clients of a scheme like com.example.app",
    )


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def web_url(url: str, what: str, error: Callable[[str], OAuthError] = bad) -> str:
    """Return `url` where it is an https URL (http on loopback); raises what `error` makes."""
    parts = urlsplit(url)
    good = parts.scheme == "https" or (parts.scheme == "http" and _loopback(parts.hostname or ""))
    if (
        not good
        or not parts.hostname
        or len(url) > _LONGEST
        or _CONTROL.search(url)
        or parts.username is not None
    ):
        raise error(f"{what} must be an https URL")
    return url


def _shown(said: Json) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in SHOWN:
        if name == "contacts":
            found |= {name: _texts(said, name)} if name in said else {}
        elif value := _text(said, name):
            found[name] = web_url(value, name) if name.endswith("_uri") else value[:200]
    return found


def _text(said: Json, name: str) -> str:
    value = said.get(name, "")
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > scopes.LONGEST or "\0" in value:
        raise bad(f"{name} must be a string")
    return value


def _texts(said: Json, name: str) -> list[str]:
    value = said.get(name) or []
    if not isinstance(value, list) or len(value) > _MOST:
        raise bad(f"{name} must be a list of at most {_MOST} strings")
    if not all(isinstance(one, str) and len(one) <= _LONGEST and "\0" not in one for one in value):
        raise bad(f"{name} must be a list of strings")
    return value
