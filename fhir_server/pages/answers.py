"""What the endpoints for apps have in common: forms and JSON in, JSON that nobody keeps out, refusals in OAuth's words.

Source: RFC 6749 sections 5.1 and 5.2
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from fhir_server.auth.errors import OAuthError
from fhir_server.faults import as_fhir_error

if TYPE_CHECKING:
    from fhir_server.auth.authority import Authority

NO_STORE = {"Cache-Control": "no-store", "Pragma": "no-cache"}
MOST_BYTES = 64 * 1024
MOST_FIELDS = 100
FORM = "application/x-www-form-urlencoded"

Endpoint = Callable[[Request], Awaitable[Response]]
Pairs = list[tuple[str, str]]


def authority(request: Request) -> Authority:
    """Return the authorization server of the app that a request came to."""
    found: Authority = request.app.state.authority
    return found


def told(content: Any, status: int = 200, **headers: str) -> Response:
    """Return JSON that nobody keeps; `headers` in Python's spelling replace those of NO_STORE."""
    said = {name.replace("_", "-"): value for name, value in headers.items()}
    body = json.dumps(content, ensure_ascii=False).encode()
    return Response(body, status, {**NO_STORE, **said}, media_type="application/json")


def oauth(endpoint: Endpoint) -> Endpoint:
    """Return an endpoint whose refusals are OAuth's JSON, whatever went wrong."""

    @wraps(endpoint)
    async def answering(request: Request) -> Response:
        try:
            return await endpoint(request)
        except ClientDisconnect:
            raise
        except OAuthError as error:
            return _refusal(error)
        except Exception as error:
            known = as_fhir_error(error, "")
            code = "temporarily_unavailable" if known.status == 503 else "server_error"
            if known.status < 500:
                code = "invalid_token" if known.status == 401 else "invalid_request"
            return _refusal(OAuthError(code, known.issues[0].text, known.status, known.headers))

    return answering


def _refusal(error: OAuthError) -> Response:
    answer = told(error.body(), error.status)
    answer.headers.update(error.headers)
    return answer


async def body(request: Request) -> bytes:
    """Return the body; raises OAuthError where it is too large."""
    found = b""
    async for piece in request.stream():
        found += piece
        if len(found) > MOST_BYTES:
            raise OAuthError("invalid_request", f"The body is larger than {MOST_BYTES} bytes", 413)
    return found


async def pairs(request: Request) -> Pairs:
    """Return the fields of a form, in order; raises OAuthError for what is no form."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != FORM:
        raise OAuthError("invalid_request", f"The body must be {FORM}", 415)
    return parsed(await body(request))


def parsed(raw: bytes) -> Pairs:
    """Return the pairs of a form or query; raises OAuthError."""
    try:
        found = parse_qsl(
            raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS
        )
    except ValueError:
        raise OAuthError(
            "invalid_request", "The parameters are not percent-encoded UTF-8, or too many"
        ) from None
    if any("\0" in name or "\0" in value for name, value in found):
        raise OAuthError("invalid_request", "The parameters have a character that none may have")
    return found


async def form(request: Request) -> dict[str, str]:
    """Return the fields of a form, each of which may be sent once (RFC 6749, section 3.2); empty ones are left out."""
    found = await pairs(request)
    for name, times in Counter(name for name, _ in found).items():
        if times > 1:
            raise OAuthError("invalid_request", f"{name[:50]} is repeated")
    return {name: value for name, value in found if value}


async def document(request: Request) -> dict[str, Any]:
    """Return the JSON object that was sent; raises OAuthError."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise OAuthError("invalid_request", "The body must be application/json", 415)
    try:
        found = json.loads(await body(request))
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise OAuthError("invalid_request", "The body must be one JSON object")
    return found


def address(request: Request) -> str:
    """Return the network address that a request comes from."""
    return request.client.host if request.client else ""
