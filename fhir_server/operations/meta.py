"""`$meta`, `$meta-add`, `$meta-delete`: profiles, tags and security labels, apart from the content they say it of.

Source: http://hl7.org/fhir/R4/resource-operation-meta.html, resource-operation-meta-add.html,
        resource-operation-meta-delete.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from psycopg import AsyncRawCursor

from fhir_server.access import seen
from fhir_server.changes import single
from fhir_server.changes.conditions import expect, precondition
from fhir_server.changes.prepare import prepare
from fhir_server.exchange import Request, Result, Session
from fhir_server.operations import Operation, register
from fhir_server.operations.parameters import read_call
from fhir_server.routing import route
from fhir_server.search import plan
from fhir_server.search.context import Context
from fhir_server.search.stored import document, unsealed
from fhir_server.storage import read
from fhir_server.storage.rows import PATCH, Row, type_number
from resources.codec.json import dump_json, parse_json
from resources.outcome import FhirError

Json = dict[str, Any]
PARTS = ("profile", "security", "tag")


async def meta(session: Session, request: Request) -> Result:
    """Return the meta of a resource, or the union of all of a type or of the server.

    Errors: 404, 410; 400 not-supported for a type or the server where codes are not kept in clear
    """
    read_call(request, "$meta", ())
    place = route(request.method, request.path)
    if not place.id:
        return _answer(await _union(session, place.type))
    async with session.connection() as conn:
        row = await seen.current(conn, place.type, place.id)
    return _answer(_meta_of(read.there(row, f"{place.type}/{place.id}")))


def _meta_of(row: Row) -> Json:
    found: Json = parse_json(row.json())["meta"]
    return found


async def _union(session: Session, type_name: str) -> Json:
    """Return every profile, security label and tag in use, each once, in order."""
    if "code" not in Context.in_clear:
        why = "$meta of a type or of the server: this server keeps no code values in clear (search_in_clear)"
        raise FhirError(400, "not-supported", why)
    seen = [
        plan.visible(type_name, "r"),
        f"r.type = {type_number(type_name)}" if type_name else "",
        plan.LIVE,
    ]
    content = unsealed("r")
    where = " AND ".join(part for part in (*seen, f"get_byte({content}, 0) = {ord(',')}") if part)
    text = f"SELECT DISTINCT {document('r')} -> 'meta' FROM resource r WHERE {where}"
    async with session.connection() as conn:
        cursor = AsyncRawCursor(conn)
        await cursor.execute(text)
        rows = await cursor.fetchall()
    found: Json = {}
    for (one,) in rows:
        found = _with(found, one)
    return {part: sorted(found[part], key=dump_json) for part in PARTS if part in found}


def _answer(found: Json) -> Result:
    return Result(
        200,
        dump_json({"resourceType": "Parameters", "parameter": [{"name": "return", "valueMeta": found}]}),
    )


def _identity(part: str, value: Any) -> Any:
    return value if part == "profile" else (value.get("system"), value.get("code"))


def _with(old: Json, given: Json) -> Json:
    """Return `old` with the profiles, labels and tags of `given` that it lacks."""
    merged = dict(old)
    for part in PARTS:
        there = {_identity(part, value) for value in old.get(part, ())}
        new = [value for value in given.get(part, ()) if _identity(part, value) not in there]
        if new:
            merged[part] = [*old.get(part, ()), *new]
    return merged


def _without(old: Json, given: Json) -> Json:
    """Return `old` without the profiles, labels and tags of `given`."""
    kept = dict(old)
    for part in PARTS:
        gone = {_identity(part, value) for value in given.get(part, ())}
        left = [value for value in old.get(part, ()) if _identity(part, value) not in gone]
        if left:
            kept[part] = left
        else:
            kept.pop(part, None)
    return kept


async def meta_add(session: Session, request: Request) -> Result:
    """Return the meta after profiles, labels and tags were added; a new version where anything changed."""
    return await _change(session, request, "$meta-add", _with)


async def meta_delete(session: Session, request: Request) -> Result:
    """Return the meta after profiles, labels and tags were removed; a new version where anything changed."""
    return await _change(session, request, "$meta-delete", _without)


async def _change(
    session: Session, request: Request, name: str, change: Callable[[Json, Json], Json]
) -> Result:
    given = read_call(request, name, {"meta"}).one("meta")
    if given is None or given.type != "Meta":
        raise FhirError(400, "required", f"{name} needs a 'meta' with a valueMeta", "meta")
    place = route(request.method, request.path)
    what = f"{place.type}/{place.id}"
    wanted = precondition(request)
    async for _ in single.attempts():
        old = read.there(await single.look(session, place.type, place.id), what)
        expect(wanted, old.version, what)
        resource = parse_json(old.json())
        before = resource["meta"]
        resource["meta"] = change(before, given.value)
        if resource["meta"] == before:
            return _answer(before)
        row = await single.apply(session, await single.draft(session, prepare(resource, old.id), PATCH, old))
        if row is not None:
            return _answer(_meta_of(row))
    raise AssertionError("attempts() ends by raising")


_DEFINED = "http://hl7.org/fhir/OperationDefinition/Resource-"
register(Operation("$meta", meta, _DEFINED + "meta", frozenset({"system", "type", "instance"})))
for _name, _handler in (("$meta-add", meta_add), ("$meta-delete", meta_delete)):
    register(Operation(_name, _handler, _DEFINED + _name[1:], frozenset({"instance"}), affects_state=True))
