"""`_displays=true`: codes in an answer get the displays that they lack. Not R4, but a parameter of ours.

It works wherever resources are read: read, vread, search, history and operations, in batches too. What is stored is not
touched; links to further pages repeat it. `Accept-Language` says in which language the displays should be.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from fhir_server.concepts import displays
from fhir_server.exchange import Handler, Request, Result, Session
from fhir_server.operations import AROUND
from resources.codec.json import dump_json, parse_json
from resources.outcome import FhirError

NAME = "_displays"
LARGE = 256 * 1024
"""Bytes from which on an answer is read and written beside the event loop."""


def offering(handler: Handler) -> Handler:
    """Return a handler that also understands `_displays`."""
    enriching = around(handler)

    async def answer(session: Session, request: Request) -> Result:
        wanted = request.query and any(name == NAME for name, _ in request.query)
        return await (enriching if wanted else handler)(session, request)

    return answer


def around(handler: Handler) -> Handler:
    """Return a handler whose answers get displays, where the request says so; errors: 400 value."""

    async def answer(session: Session, request: Request) -> Result:
        values = {value for name, value in request.query if name == NAME and value}
        if not values <= {"true", "false"} or len(values) > 1:
            raise FhirError(400, "value", f"'{NAME}' is true or false", NAME)
        rest = [pair for pair in request.query if pair[0] != NAME]
        result = await handler(session, msgspec.structs.replace(request, query=rest))
        if values == {"true"} and result.body is not None and not result.mime:
            result.body = await _enriched(session, request, result.body)
        return result

    return answer


async def _enriched(session: Session, request: Request, body: bytes) -> bytes:
    large = len(body) > LARGE
    resource: dict[str, Any] = await asyncio.to_thread(parse_json, body) if large else parse_json(body)
    async with session.connection() as conn:
        await displays.add(conn, resource, _languages(request.header("accept-language") or ""))
    for link in resource.get("link", ()) if resource["resourceType"] == "Bundle" else ():
        link["url"] += ("&" if "?" in link["url"] else "?") + f"{NAME}=true"
    return await asyncio.to_thread(dump_json, resource) if large else dump_json(resource)


def _languages(header: str) -> list[str]:
    """Return the languages of an Accept-Language header, the most wanted first (RFC 9110, 12.5.4)."""
    weighed = []
    for place, part in enumerate(header.split(",")):
        tag, _, weight = part.partition(";")
        quality = weight.strip().removeprefix("q=")
        wanted = float(quality) if quality.replace(".", "", 1).isdigit() else 1.0
        if tag.strip() not in ("", "*") and wanted > 0:
            weighed.append((-wanted, place, tag.strip()))
    return [tag for _, _, tag in sorted(weighed)]


AROUND[NAME] = around
