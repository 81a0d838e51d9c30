"""Pages of the audit trail as searchsets of AuditEvents, newest first.

Source: http://hl7.org/fhir/R4/auditevent.html
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any

import msgspec
from psycopg import AsyncConnection

from fhir_server.audit import reading
from fhir_server.audit.event import Names, rendered
from fhir_server.audit.reading import Kept, Place, Wanted
from fhir_server.exchange import Request, Result, Session, only
from fhir_server.search.page import url
from resources.codec.json import dump_json
from resources.outcome import FhirError

Json = dict[str, Any]
TYPE = "AuditEvent"
RENDERING = frozenset({"_format", "_pretty", "_summary", "_elements", "_total"})


async def answered(session: Session, conn: AsyncConnection[Any], request: Request, wanted: Wanted) -> Result:
    """Return a page of AuditEvents as a searchset.

    Errors: 400 for a `_count`, `_total` or `_cursor` that is none
    """
    count = _count(session, only(request.query, "_count"))
    wanted.after = _place(only(request.query, "_cursor"))
    told = only(request.query, "_total")
    if told not in (None, "none", "estimate", "accurate"):
        raise FhirError(400, "value", f"_total is none, estimate or accurate, not '{told[:40]}'")
    found = await reading.page(conn, wanted, count + 1) if count else []
    number = await reading.total(conn, wanted) if told in ("accurate", "estimate") or not count else None
    names = await reading.names(conn, found[:count], people=True)
    bundle = {
        "resourceType": "Bundle",
        "type": "searchset",
        **({} if number is None else {"total": number}),
        "link": _links(request, found, count),
    }
    entries = [_entry(kept, request.base, names) for kept in found[:count]]
    return Result(200, dump_json(bundle | ({"entry": entries} if entries else {})), kind="bundle")


def _entry(kept: Kept, base: str, names: Names) -> Json:
    return {
        "fullUrl": f"{base}/{TYPE}/{kept.id}",
        "resource": rendered(kept.entry, kept.id, base, names),
        "search": {"mode": "match"},
    }


def _links(request: Request, found: Sequence[Kept], count: int) -> list[Json]:
    pairs = [pair for pair in request.query if pair[0] != "_cursor"]
    path = request.path.removesuffix("/_search")
    links = [("self", url(request.base, path, request.query)), ("first", url(request.base, path, pairs))]
    if count and len(found) > count:
        place = base64.urlsafe_b64encode(msgspec.json.encode(found[count - 1].place)).decode().rstrip("=")
        links.append(("next", url(request.base, path, [*pairs, ("_cursor", place)])))
    return [{"relation": relation, "url": address} for relation, address in links]


def _place(text: str | None) -> Place | None:
    if text is None:
        return None
    try:
        raw = base64.urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
        place: Place = msgspec.json.decode(raw, type=Place)
    except (ValueError, binascii.Error, msgspec.DecodeError):
        raise FhirError(400, "invalid", "'_cursor' is not a page of this search") from None
    return place


def _count(session: Session, text: str | None) -> int:
    settings = session.server.settings
    if text is None:
        return settings.page_size
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise FhirError(400, "value", f"_count must be a whole number, not '{text[:40]}'")
    return min(int(text), settings.page_size_max)
