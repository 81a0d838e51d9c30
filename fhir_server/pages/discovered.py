"""What anybody may read: how to reach the authorization server, its public keys, its brands.

Source: SMART App Launch 2.2 (conformance, brands), RFC 8414 section 3, OpenID Connect Discovery 1.0 section 4
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fhir_server.auth import brands, discovery
from fhir_server.pages.answers import authority, oauth, told

if TYPE_CHECKING:
    from fhir_server.auth.authority import Authority

SHORT = "public, max-age=300"
"""Less than a new signing key is announced before it signs."""


def _document(said: Callable[[Authority], dict[str, Any]]) -> Callable[[Request], Any]:
    @oauth
    async def endpoint(request: Request) -> Response:
        answer = told(said(authority(request)), Cache_Control=SHORT)
        del answer.headers["pragma"]
        return answer

    return endpoint


@oauth
async def brands_bundle(request: Request) -> Response:
    """Return the Bundle of user-access brands."""
    body, tag = await asyncio.to_thread(brands.bundle, authority(request))
    headers = {"ETag": tag, "Cache-Control": SHORT}
    if tag in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type="application/fhir+json")


_KEYS = _document(lambda mine: mine.keys.jwks())
_SERVER = _document(discovery.authorization_server)

ROUTES = [
    Route("/fhir/.well-known/smart-configuration", _document(discovery.smart_configuration), methods=["GET"]),
    Route("/.well-known/smart-configuration", _document(discovery.smart_configuration), methods=["GET"]),
    Route("/.well-known/openid-configuration", _document(discovery.openid_configuration), methods=["GET"]),
    Route("/.well-known/oauth-authorization-server", _SERVER, methods=["GET"]),
    Route("/auth/jwks", _KEYS, methods=["GET"]),
    Route("/.well-known/jwks.json", _KEYS, methods=["GET"]),
    Route("/auth/brands", brands_bundle, methods=["GET"]),
]
