"""From an interaction's result, or its failure, to the reply that HTTP sends.

Source: http://hl7.org/fhir/R4/http.html#ops, #cread, #mime-type
"""

from __future__ import annotations

import asyncio
import re
import zlib
from functools import lru_cache

from fhir_server.exchange import Result
from fhir_server.rest import rawbinary
from fhir_server.rest.call import Call, Reply
from fhir_server.rest.headers import http_date, not_modified, prefer
from fhir_server.rest.incoming import LARGE
from fhir_server.rest.negotiate import PLAIN, Answer, accepted, negotiate
from fhir_server.rest.represent import outcome, represent
from resources.codec.json import parse_json
from resources.outcome import FhirError

ONE_PACKET = 1400
"""Bytes below which packing an answer saves nothing: it travels in one packet either way."""

_NOSNIFF = (b"x-content-type-options", b"nosniff")
_SAFE = (_NOSNIFF, (b"cache-control", b"private, no-store"))
"""What somebody was shown is kept nowhere on the way, a browser's disk included. Source: OWASP ASVS 4.0, 8.2.1"""
_PUBLIC = (_NOSNIFF, (b"cache-control", b"private, no-cache"))
_VARY = (b"vary", b"Accept, Accept-Encoding, Prefer")
_WRITES = frozenset({"create", "update", "patch"})
_READS = frozenset({"read", "vread"})


async def reply_of(call: Call, result: Result, answer: Answer) -> Reply:
    """Return the reply for a success."""
    headers = _headers(call)
    version, interaction = result.version, call.route.interaction
    if version is not None:
        headers.append((b"etag", b'W/"%d"' % version))
    if result.updated is not None:
        headers.append((b"last-modified", http_date(result.updated).encode("ascii")))
    if interaction in _READS and not_modified(call.headers, version, result.updated):
        return Reply(304, headers)
    if result.location is not None:
        _locate(call, result, headers)
    for name, value in result.headers.items():
        headers.append((name.lower().encode("latin-1"), value.encode("latin-1", "replace")))
    if result.mime:
        return await _finish(
            call, result.status, headers, result.body, f"{result.mime};charset=utf-8".encode()
        )
    if call.route.type == "Binary" and interaction in _READS and result.body is not None:
        return await _binary(call, result, answer, headers)
    status, body = _preferred(call, result, answer)
    if body is None and status != 204 and result.body is not None and not _minimal(call):
        heavy = len(result.body) > LARGE and (answer.xml or answer.pretty or answer.subset.cuts)
        body = await asyncio.to_thread(represent, result, answer) if heavy else represent(result, answer)
    return await _finish(call, status, headers, body, _mime(answer))


async def error_reply(call: Call, error: FhirError) -> Reply:
    """Return the reply for a failure: an OperationOutcome in the form the client asked for, JSON where unknown."""
    headers = _headers(call)
    for name, value in error.headers.items():
        headers.append((name.lower().encode("latin-1"), value.encode("latin-1", "replace")))
    answer = call.answer or _form_for_errors(call)
    return await _finish(call, error.status, headers, outcome(error.issues, answer), _mime(answer))


def _form_for_errors(call: Call) -> Answer:
    for pairs in ([pair for pair in call.query if pair[0] == "_format"], ()):
        try:
            return negotiate(call.headers.get("accept"), pairs)
        except FhirError:
            continue
    return PLAIN


def _headers(call: Call) -> list[tuple[bytes, bytes]]:
    kept = _PUBLIC if call.route.interaction == "capabilities" else _SAFE
    return [*kept, _VARY, (b"x-request-id", call.id.encode("ascii"))]


def _locate(call: Call, result: Result, headers: list[tuple[bytes, bytes]]) -> None:
    """Add Location to what was created (or found by If-None-Exist), Content-Location to what is shown."""
    url = f"{call.base}/{result.location}".encode("latin-1", "replace")
    if result.status == 201 or call.method == "POST":
        headers.append((b"location", url))
    else:
        headers.append((b"content-location", url))


def _minimal(call: Call) -> bool:
    wanted = call.headers.get("prefer")
    return wanted is not None and call.route.interaction in _WRITES and prefer(wanted).content == "minimal"


def _preferred(call: Call, result: Result, answer: Answer) -> tuple[int, bytes | None]:
    """Return (status, body) where issues are asked for, or are all there is; (status, None) otherwise."""
    wanted = call.headers.get("prefer")
    asked = wanted is not None and prefer(wanted).content == "operationoutcome"
    interaction = call.route.interaction
    if interaction in _WRITES and asked:
        return result.status, outcome(result.issues, answer)
    if (
        interaction == "delete"
        and result.body is None
        and (asked or (result.issues and result.status != 204))
    ):
        return 200, outcome(result.issues, answer)
    return result.status, None


async def _binary(call: Call, result: Result, answer: Answer, headers: list[tuple[bytes, bytes]]) -> Reply:
    """Return a Binary as its content or as a resource, whichever Accept asks for."""
    resource = parse_json(result.body or b"")
    accept = call.headers.get("accept")
    formatted = any(name == "_format" and value for name, value in call.query)
    mime = rawbinary.native_type(resource)
    if rawbinary.wants_native(accept, formatted, mime):
        body, mime = rawbinary.content(resource)
        extra = rawbinary.guard_headers(resource, mime)
        headers += [
            (name.lower().encode(), value.encode("latin-1", "replace")) for name, value in extra.items()
        ]
        return await _finish(call, result.status, headers, body, mime.encode("latin-1"), pack=False)
    if accept and not formatted and accepted(accept) is None:
        text = f"Accept takes neither the content's type {mime} nor a FHIR format"
        raise FhirError(406, "not-supported", text)
    extra = rawbinary.security_context(resource)
    headers += [(name.lower().encode(), value.encode("latin-1", "replace")) for name, value in extra.items()]
    return await _finish(call, result.status, headers, represent(result, answer), _mime(answer))


async def _finish(
    call: Call,
    status: int,
    headers: list[tuple[bytes, bytes]],
    body: bytes | None,
    mime: bytes,
    pack: bool = True,
) -> Reply:
    """Return the reply with its body packed where that pays; a HEAD keeps the length and loses the body."""
    if body is None:
        if status != 204:
            headers.append((b"content-length", b"0"))
        return Reply(status, headers)
    headers.append((b"content-type", mime))
    if pack and len(body) > ONE_PACKET and takes_gzip(call.headers.get("accept-encoding", "")):
        headers.append((b"content-encoding", b"gzip"))
        if call.route.interaction == "capabilities":
            body = _packed_once(body)
        else:
            body = await asyncio.to_thread(_packed, body) if len(body) > LARGE else _packed(body)
    headers.append((b"content-length", b"%d" % len(body)))
    return Reply(status, headers, b"" if call.method == "HEAD" else body)


@lru_cache(32)
def _mime(answer: Answer) -> bytes:
    return f"{answer.mime};charset=utf-8".encode("ascii")


@lru_cache(256)
def takes_gzip(accept_encoding: str) -> bool:
    """Whether an Accept-Encoding header takes gzip."""
    for item in accept_encoding.lower().split(","):
        name, _, params = item.partition(";")
        if name.strip() in ("gzip", "x-gzip", "*"):
            return not re.fullmatch(r"\s*q\s*=\s*0(?:\.0*)?\s*", params)
    return False


def _packed(body: bytes) -> bytes:
    packer = zlib.compressobj(1, zlib.DEFLATED, 31)
    return packer.compress(body) + packer.flush()


_packed_once = lru_cache(8)(_packed)
