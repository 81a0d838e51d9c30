"""One HTTP exchange: what came in, read once, and what goes out."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

import msgspec
from starlette.types import Scope

from fhir_server.access.grant import Grant
from fhir_server.access.policy import Policy
from fhir_server.exchange import Pairs
from fhir_server.rest.headers import sane_request_id
from fhir_server.rest.negotiate import Answer
from fhir_server.routing import Route
from resources.outcome import FhirError

_HOST = re.compile(r"[A-Za-z0-9.\-]{1,253}(?::\d{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::\d{1,5})?")
_MAX_FIELDS = 2000
_BROKEN = re.compile(rb"%(?![0-9A-Fa-f]{2})")
"""A percent sign that encodes nothing."""
NO_ROUTE = Route("")
NOBODY = Grant("", "")
"""On whose behalf a call comes until that is known."""


class Call:
    """A request on its way.

    Shape:  `path` is relative to the base, without leading slash; `answer` is None until negotiated, `grant` NOBODY
            until the token was looked at, `policy` None until it is known what that grants
    """

    __slots__ = ("answer", "base", "grant", "headers", "id", "method", "path", "policy", "query", "route")

    def __init__(self, scope: Scope, prefix: int, public_base: str) -> None:
        headers: dict[str, str] = {}
        for raw_name, raw_value in scope["headers"]:
            name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        self.headers = headers
        self.method: str = scope["method"]
        self.path: str = scope["path"][prefix:]
        self.id = sane_request_id(headers.get("x-request-id")) or os.urandom(8).hex()
        self.base = public_base or base_url(
            scope.get("scheme", "http"), headers.get("host", ""), _server(scope)
        )
        self.query: Pairs = ()
        self.answer: Answer | None = None
        self.route = NO_ROUTE
        self.grant = NOBODY
        self.policy: Policy | None = None


class Reply(msgspec.Struct):
    """What is sent back."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes = b""


def _server(scope: Scope) -> str:
    server: Any = scope.get("server")
    return f"{server[0]}:{server[1]}" if server and server[1] else "localhost"


@lru_cache(256)
def base_url(scheme: str, host: str, server: str) -> str:
    """Return the FHIR base as this client sees it; a Host header that is none is replaced by the server's address."""
    return f"{scheme}://{host if _HOST.fullmatch(host) else server}/fhir"


def parse_pairs(raw: bytes, what: str) -> Pairs:
    """Return the (name, value) pairs of a query string or form, decoded, in order.

    Errors: 400 invalid
    """
    if not raw:
        return ()
    if _BROKEN.search(raw):
        raise _malformed(what)
    try:
        text = raw.decode("utf-8")
        return parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise _malformed(what) from None


def _malformed(what: str) -> FhirError:
    return FhirError(400, "invalid", f"The {what} is not percent-encoded UTF-8, or has too many fields")
