"""history of a resource, a type or everything. Source: http://hl7.org/fhir/R4/http.html#history"""

from __future__ import annotations

import binascii
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import urlencode

from psycopg import AsyncConnection

from fhir_server.access import current, seen
from fhir_server.bundle.answer import status_line
from fhir_server.exchange import Pairs, Request, Result, Session, only
from fhir_server.interactions.read import shown
from fhir_server.search.cursor import Cursor, decode, encode
from fhir_server.search.order import Place
from fhir_server.search.params.date import span
from fhir_server.storage import history as storage
from fhir_server.storage import read
from fhir_server.storage.history import Slice
from fhir_server.storage.rows import METHODS, POST, Row, instant, type_number
from resources.codec.json import dump_json, parse_json
from resources.outcome import FhirError
from resources.references import parse_reference

T = TypeVar("T")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PARAMETERS = {"_since", "_at", "_list", "_count", "_cursor"}
_RENDERING = {"_format", "_pretty", "_summary", "_elements"}


async def history(session: Session, request: Request) -> Result:
    """Return a page of versions, newest first, with the instant to ask from next time in `meta.lastUpdated`.

    Errors: 400 for unknown, repeated or malformed parameters; 404 for a resource that never was
    """
    kind, id_ = _scope(request)
    query = _parameters(request.query)
    count = _count(query.get("_count"), session)
    async with session.connection() as conn:
        row = await _resource(conn, kind, id_) if kind is not None and id_ is not None else None
        # versions of one resource follow each other, so that its newest is safe
        safe = await storage.safe_instant(conn) if row is None else row.updated
        wanted = await _slice(conn, kind, row, query)
        rows = await storage.page(conn, wanted, count + 1) if count else []
        total = await _total(conn, wanted, rows, count)
    current.note(rows)
    return _bundle(request, query, rows, count, total, safe)


async def _total(conn: AsyncConnection[Any], wanted: Slice, rows: list[Row], count: int) -> int | None:
    """Return the number of all versions, None where telling would mean counting a whole table."""
    if count and wanted.after is None and len(rows) <= count:
        return len(rows)
    return await storage.total(conn, wanted) if wanted.rid is not None or not count else None


def _scope(request: Request) -> tuple[str | None, str | None]:
    """Return (type, id) that the path names before `_history`."""
    names: list[str | None] = [*request.segments[:-1], None, None]
    return names[0], names[1]


def _parameters(pairs: Pairs) -> dict[str, str]:
    query: dict[str, str] = {}
    for name in dict.fromkeys(name for name, _ in pairs):
        if name not in _PARAMETERS | _RENDERING:
            raise FhirError(400, "not-supported", f"History has no parameter '{name}'")
        query[name] = only(pairs, name) or ""
    return {name: value for name, value in query.items() if value and name in _PARAMETERS}


def _count(text: str | None, session: Session) -> int:
    settings = session.server.settings
    if text is None:
        return settings.page_size
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise FhirError(400, "value", f"_count must be a whole number, not '{text[:40]}'")
    return min(int(text), settings.page_size_max)


async def _resource(conn: AsyncConnection[Any], kind: str, id_: str) -> Row:
    row = await seen.current(conn, kind, id_)
    if row is None:
        raise FhirError(404, "not-found", f"{kind}/{id_} is not known here")
    return row


async def _slice(
    conn: AsyncConnection[Any], kind: str | None, row: Row | None, query: dict[str, str]
) -> Slice:
    policy = current.policy()
    return Slice(
        type=None if kind is None else type_number(kind),
        rid=None if row is None else row.rid,
        versions=await _listed(conn, query["_list"]) if "_list" in query else None,
        since=_parsed("_since", query, lambda text: _moment(span(text)[0])),
        during=_parsed("_at", query, _during),
        after=_parsed("_cursor", query, _position),
        seen=policy.where(None, kind or "", "r"),
        kept=policy.where(None, kind or "", "v", kept=True),
    )


def _parsed(name: str, query: dict[str, str], parse: Callable[[str], T]) -> T | None:
    if name not in query:
        return None
    try:
        return parse(query[name])
    except (ValueError, OverflowError, binascii.Error):
        raise FhirError(400, "value", f"{name} has no valid value: '{query[name][:60]}'") from None


def _moment(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)


def _during(text: str) -> tuple[datetime, datetime]:
    first, last = span(text)
    return _moment(first), _moment(last) + timedelta(microseconds=1)


def _position(text: str) -> tuple[datetime, int, int]:
    place = decode(text, _CURSOR).place
    micros, version = place.values
    return _moment(int(micros or 0)), place.rid, int(version or 0)


_CURSOR = "_history"
"""What cursors of histories are bound to, beside whom they were given to: the place of a version in all histories."""


def _cursor(row: Row) -> str:
    micros = (row.updated - _EPOCH) // timedelta(microseconds=1)
    return encode(Cursor(_CURSOR, Place((str(micros), str(row.version)), row.rid), False), _CURSOR)


async def _listed(conn: AsyncConnection[Any], list_id: str) -> tuple[tuple[int, int | None], ...]:
    """Return (row number, version) of everything that a List holds."""
    list_id = list_id.removeprefix("List/")
    row = await seen.current(conn, "List", list_id)
    shown(row, f"List/{list_id}")
    assert row is not None
    texts = [entry.get("item", {}).get("reference", "") for entry in parse_json(row.json()).get("entry", ())]
    found = [reference for reference in map(parse_reference, texts) if reference.local]
    keys = {(reference.type or "", reference.id or "") for reference in found}
    rows = await seen.several(conn, keys)
    versions: list[tuple[int, int | None]] = []
    for reference in found:
        known = rows.get((reference.type or "", reference.id or ""))
        if known is not None and (reference.version is None or read.VERSION.fullmatch(reference.version)):
            versions.append((known.rid, int(reference.version) if reference.version else None))
    return tuple(versions)


def _bundle(
    request: Request, query: dict[str, str], rows: list[Row], count: int, total: int | None, safe: datetime
) -> Result:
    query |= {name: value for name, value in request.query if name in _RENDERING}
    links = [("self", query)]
    if count and len(rows) > count:
        rows = rows[:count]
        links.append(("next", query | {"_cursor": _cursor(rows[-1])}))
    head: dict[str, Any] = {
        "resourceType": "Bundle",
        "meta": {"lastUpdated": instant(safe)},
        "type": "history",
    }
    if total is not None:
        head["total"] = total
    where = f"{request.base}/{request.path}"
    head["link"] = [{"relation": name, "url": where + ("?" + urlencode(q) if q else "")} for name, q in links]
    entries = b",".join(_entry(row, request.base) for row in rows)
    body = dump_json(head)[:-1] + (b',"entry":[' + entries + b"]" if entries else b"") + b"}"
    return Result(200, body, kind="bundle")


def _entry(row: Row, base: str) -> bytes:
    path = f"{row.type_name}/{row.id}"
    status = 204 if not row.live else 201 if row.version == 1 else 200
    asked = {"method": METHODS[row.method], "url": row.type_name if row.method == POST else path}
    answered = {
        "status": status_line(status),
        "etag": f'W/"{row.version}"',
        "lastModified": instant(row.updated),
    }
    parts = [dump_json({"fullUrl": f"{base}/{path}"})[:-1]]
    if row.live:
        parts.append(b',"resource":' + row.json())
    parts.append(b"," + dump_json({"request": asked, "response": answered})[1:])
    return b"".join(parts)
