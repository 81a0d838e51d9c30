"""From an HTTP call and its body to the request value that interactions take."""

from __future__ import annotations

import asyncio
from typing import Any

from fhir_server.exchange import Pairs, Request
from fhir_server.rest import rawbinary
from fhir_server.rest.call import Call, parse_pairs
from fhir_server.rest.negotiate import CONTROLS, JSON, MediaType, body_format, content_type, require_utf8
from resources.codec.json import dump_json
from resources.codec.xml import parse_xml
from resources.outcome import FhirError

FORM = "application/x-www-form-urlencoded"
PATCHES = ("application/json-patch+json", "application/xml-patch+xml")
LARGE = 256 * 1024
"""Bytes from which on conversions leave the event loop."""

_SEARCHES = frozenset({"search-type", "search-system"})
_KEEP_CONTROLS = _SEARCHES | {
    "history-instance",
    "history-type",
    "history-system",
    "capabilities",
    "operation",
}


async def request_of(call: Call, body: bytes) -> Request:
    """Return the request value of `call`; XML becomes JSON, a posted search becomes a GET, raw content a Binary.

    Errors: 415 not-supported, 400
    """
    if call.method == "POST" and call.route.interaction in _SEARCHES:
        return _posted_search(call, body)
    resource: dict[str, Any] | None = None
    headers = call.headers
    if call.method in ("POST", "PUT", "PATCH"):
        body, resource, headers = await _content(call, body)
    return Request(
        "GET" if call.method == "HEAD" else call.method,
        call.path.rstrip("/"),
        _selecting(call),
        headers,
        body,
        call.base,
        call.id,
        resource,
    )


def _selecting(call: Call) -> Pairs:
    """Return the query without what only shapes the answer, except where links must repeat it."""
    if not call.query or call.route.interaction in _KEEP_CONTROLS:
        return call.query
    return [pair for pair in call.query if pair[0] not in CONTROLS]


def search_pairs(call: Call, body: bytes) -> Pairs:
    """Return the parameters of a posted search: those of the URL, then those of the form.

    Errors: 415 not-supported, 400 invalid
    """
    if not body:
        return call.query
    media = content_type(call.headers.get("content-type"))
    if media.name != FORM:
        raise FhirError(415, "not-supported", f"A posted search is sent as {FORM}")
    require_utf8(media)
    return [*call.query, *parse_pairs(body, "form")]


def _posted_search(call: Call, body: bytes) -> Request:
    return Request("GET", call.route.type, search_pairs(call, body), call.headers, b"", call.base, call.id)


async def _content(call: Call, body: bytes) -> tuple[bytes, dict[str, Any] | None, dict[str, str]]:
    """Return (JSON bytes, parsed resource where it was parsed, headers) of a body that should hold content."""
    header = call.headers.get("content-type")
    if not body and header is None:
        raise FhirError(400, "structure", "The request has no body")
    media = content_type(header)
    interaction = call.route.interaction
    if interaction == "patch" and media.name in PATCHES:
        require_utf8(media)
        return body, None, call.headers
    if call.route.type == "Binary" and interaction in ("create", "update"):
        return _binary(call, body, media)
    if body_format(media) == "json":
        return body, None, call.headers
    resource = await asyncio.to_thread(parse_xml, body) if len(body) > LARGE else parse_xml(body)
    return dump_json(resource), resource, {**call.headers, "content-type": JSON}


def _binary(call: Call, body: bytes, media: MediaType) -> tuple[bytes, dict[str, Any], dict[str, str]]:
    security = call.headers.get("x-security-context")
    header = call.headers.get("content-type", "")
    resource = rawbinary.resource_of(body, media, header, security, call.route.id)
    return dump_json(resource), resource, {**call.headers, "content-type": JSON}
