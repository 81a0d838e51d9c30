"""From an HTTP call and its body to the request value that interactions take."""

from __future__ import annotations

import asyncio

import msgspec

from fhir_server import operations
from fhir_server.exchange import Pairs, Request
from fhir_server.rest import rawbinary
from fhir_server.rest.call import Call, parse_pairs
from fhir_server.rest.negotiate import CONTROLS, JSON, OFFERED, body_format, content_type, require_utf8
from fhir_server.routing import Route
from resources.codec.json import dump_json
from resources.codec.xml import parse_xml
from resources.outcome import FhirError

FORM = "application/x-www-form-urlencoded"
PATCHES = frozenset({"application/json-patch+json", "application/xml-patch+xml"})
LARGE = 256 * 1024
"""Bytes from which on conversions leave the event loop."""

_SEARCHES = frozenset({"search-type", "search-system", "search-compartment"})
_KEEP_CONTROLS = _SEARCHES | {
    "history-instance",
    "history-type",
    "history-system",
    "capabilities",
    "operation",
}
_WITH_BODY = frozenset({"POST", "PUT", "PATCH"})


def request_of(call: Call, body: bytes) -> Request:
    """Return the request value of `call`, its body as it came; a posted search becomes a GET.

    Errors: 415 not-supported, 400
    """
    if call.method == "POST" and call.route.interaction in _SEARCHES:
        query = search_pairs(call, body)
        path = call.path.rstrip("/").removesuffix("_search").rstrip("/")
        return Request("GET", path, query, call.headers, b"", call.base, call.id)
    method = "GET" if call.method == "HEAD" else call.method
    path = call.path.rstrip("/")
    return Request(method, path, _selecting(call), call.headers, body, call.base, call.id)


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


def _taken_as_they_are(request: Request, route: Route) -> frozenset[str]:
    """Return the media types of bodies that are no resources, which the interaction reads itself."""
    if route.interaction == "operation":
        return operations.find(route, request.method).bodies
    return PATCHES if route.interaction == "patch" else frozenset()


async def understood(request: Request, route: Route) -> Request:
    """Return `request` with its body as interactions take it, off the event loop where it is large."""
    if request.method not in _WITH_BODY:
        return request
    if len(request.body) > LARGE:
        return await asyncio.to_thread(converted, request, route)
    return converted(request, route)


def converted(request: Request, route: Route) -> Request:
    """Return `request` with XML turned to JSON and content under its own type turned to a Binary.

    Errors: 415 not-supported, 400 for a body that is missing or malformed
    """
    header = request.header("content-type")
    if not request.body and route.interaction == "operation":
        return request  # an operation may need nothing; the one that does says so
    if not request.body and header is None:
        raise FhirError(400, "required", "The request has no body")
    media = content_type(header)
    taken = _taken_as_they_are(request, route)
    if media.name in taken:
        if media.name in OFFERED:
            body_format(media)  # refuses other encodings and FHIR versions
        require_utf8(media)
        return request
    if route.type == "Binary" and route.interaction in ("create", "update"):
        security = request.header("x-security-context")
        resource = rawbinary.resource_of(request.body, media, header or "", security, route.id)
    elif body_format(media, tuple(sorted(taken))) == "json":
        return request
    else:
        resource = parse_xml(request.body)
    headers = {**request.headers, "content-type": JSON}
    return msgspec.structs.replace(request, body=dump_json(resource), resource=resource, headers=headers)
