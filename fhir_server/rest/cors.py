"""Which web pages may call: discovery from anywhere, everything else from the origins of registered apps.

Source: https://fetch.spec.whatwg.org/#http-cors-protocol,
        https://hl7.org/fhir/smart-app-launch/app-launch.html#considerations-for-cross-origin-resource-sharing-cors-support
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from time import monotonic

from starlette.types import Scope

Headers = list[tuple[bytes, bytes]]
Registered = Callable[[], Awaitable[frozenset[str]]]

KNOWN_S = 5.0
"""Seconds for which the registered origins are remembered."""

PUBLIC = re.compile(r"/(?:fhir/)?\.well-known/[a-z.-]+|/auth/(?:jwks|brands|style\.json)|/fhir/metadata")
"""What any page may read: it says how to reach this server and nothing about anybody."""

METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
TAKEN = (
    b"Accept, Authorization, Content-Type, If-Match, If-Modified-Since, If-None-Exist, If-None-Match, Prefer,"
    b" X-Request-Id, X-Security-Context"
)
SHOWN = (
    b"Content-Location, ETag, Last-Modified, Location, Retry-After, WWW-Authenticate, X-Progress, X-Request-Id,"
    b" X-Security-Context"
)


async def nobody() -> frozenset[str]:
    """Return no origins."""
    return frozenset()


class Cors:
    """Answers browsers that ask whether a page of another origin may call."""

    def __init__(self, origins: tuple[str, ...] = (), registered: Registered = nobody) -> None:
        self._fixed = frozenset(origins)
        self.registered = registered
        self._known: frozenset[str] = frozenset()
        self._until = 0.0

    @staticmethod
    def is_preflight(scope: Scope) -> bool:
        """Whether a request with an Origin asks for leave alone."""
        return scope["method"] == "OPTIONS" and any(
            name == b"access-control-request-method" for name, _ in scope["headers"]
        )

    async def of(self, scope: Scope, origin: str) -> Headers:
        """Return the headers for a page of `origin`; a page that may not call gets none, and its browser refuses."""
        vary = (b"vary", b"Origin")
        if PUBLIC.fullmatch(scope["path"]):
            allowed = b"*"
        elif await self._may(origin):
            allowed = origin.encode("latin-1")
        else:
            return [vary]
        headers = [vary, (b"access-control-allow-origin", allowed)]
        if self.is_preflight(scope):
            return [
                *headers,
                (b"access-control-allow-methods", METHODS),
                (b"access-control-allow-headers", TAKEN),
                (b"access-control-max-age", b"600"),
            ]
        return [*headers, (b"access-control-expose-headers", SHOWN)]

    async def _may(self, origin: str) -> bool:
        if origin in self._fixed:
            return True
        now = monotonic()
        if now >= self._until:
            self._known = await self.registered()
            self._until = now + KNOWN_S
        return origin in self._known
