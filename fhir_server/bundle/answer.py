"""The response Bundle: one entry for each of the request, in its order."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fhir_server.exchange import Result
from fhir_server.storage.rows import instant
from resources.codec.json import dump_json
from resources.outcome import FhirError, operation_outcome

Json = dict[str, Any]


def response_bundle(kind: str, results: Sequence[Result | FhirError], base: str, bodies: bool) -> Result:
    """Return the Bundle of type `kind`.

    Shape:  `bodies` whether writes answer with their resource (reads always do)
    """
    parts = [b'{"resourceType":"Bundle","type":"' + kind.encode() + b'"']
    if results:
        parts.append(b',"entry":[' + b",".join(_entry(result, base, bodies) for result in results) + b"]")
    parts.append(b"}")
    return Result(200, b"".join(parts), kind="bundle")


def _entry(result: Result | FhirError, base: str, bodies: bool) -> bytes:
    if isinstance(result, FhirError):
        response: Json = {"status": status_line(result.status), "outcome": operation_outcome(result.issues)}
        return b'{"response":' + dump_json(response) + b"}"
    response = {"status": status_line(result.status)}
    if result.location is not None:
        response["location"] = f"{base}/{result.location}"
    if result.version is not None:
        response["etag"] = f'W/"{result.version}"'
    if result.updated is not None:
        response["lastModified"] = instant(result.updated)
    if result.issues:
        response["outcome"] = operation_outcome(result.issues)
    shown = result.body is not None and (bodies or result.location is None)
    resource = b'"resource":' + _resource(result) + b"," if shown and result.body else b""
    full_url = b""
    if result.location is not None:
        full_url = dump_json({"fullUrl": f"{base}/{result.location.split('/_history/')[0]}"})[1:-1] + b","
    return b"{" + full_url + resource + b'"response":' + dump_json(response) + b"}"


def _resource(result: Result) -> bytes:
    """Return the resource that an entry shows: a body of another type than FHIR's is a Binary."""
    body = result.body or b""
    if not result.mime:
        return body
    data = base64.b64encode(body).decode("ascii")
    return dump_json({"resourceType": "Binary", "contentType": result.mime, "data": data})


def status_line(status: int) -> str:
    """Return '201 Created' and the like."""
    return f"{status} {HTTPStatus(status).phrase}"
