"""`$diff`: what changed between two versions, or two resources, as a FHIRPath Patch. An operation of our own."""

from __future__ import annotations

from typing import Any

from fhir_server.access import seen
from fhir_server.exchange import Request, Result, Session
from fhir_server.operations import Operation, register
from fhir_server.operations.parameters import Call, read_call
from fhir_server.operations.published import Parameter, describe
from fhir_server.routing import route
from fhir_server.storage.read import VERSION
from fhir_server.storage.rows import Row
from fhir_server.version import CANONICAL
from resources.codec.json import dump_json, parse_json
from resources.outcome import FhirError
from resources.patch.diff import diff
from resources.references import parse_reference

NAME = "$diff"
Json = dict[str, Any]


async def difference(session: Session, request: Request) -> Result:
    """Return the Parameters of the patch that makes `to` of `from`.

    Shape:  on an instance both are version ids: the current one and the one before it where they are not given; on the
            system both are references, `Type/id` or `Type/id/_history/version`; version and time of `meta` do not count
    Errors: 400 for wrong parameters or different types, 404 for what is not there
    """
    call = read_call(request, NAME, {"from", "to"})
    place = route(request.method, request.path)
    if place.id:
        before, after = await _versions(session, place.type, place.id, call)
    else:
        before, after = await _referred(session, call, "from"), await _referred(session, call, "to")
    if before.type != after.type:
        text = f"A {before.type_name} and a {after.type_name} have no difference that a patch could say"
        raise FhirError(400, "invalid", text)
    return Result(200, dump_json(diff(_content(before), _content(after))))


async def _versions(session: Session, type_name: str, id_: str, call: Call) -> tuple[Row, Row]:
    async with session.connection() as conn:
        latest = await seen.current(conn, type_name, id_)
    if latest is None:
        raise FhirError(404, "not-found", f"{type_name}/{id_} is not known here")
    to = _number(call, "to") or latest.version
    since = _number(call, "from") or to - 1
    if since < 1:
        raise FhirError(400, "invalid", f"{type_name}/{id_} has no version before {to}", "from")
    return await _version(session, type_name, id_, since), await _version(session, type_name, id_, to)


def _number(call: Call, name: str) -> int | None:
    text = call.text(name)
    if text is None:
        return None
    if not VERSION.fullmatch(text):
        raise FhirError(400, "value", f"'{text[:80]}' is no version id of this server", name)
    return int(text)


async def _version(session: Session, type_name: str, id_: str, number: int) -> Row:
    async with session.connection() as conn:
        row = await seen.version(conn, type_name, id_, number)
    return _with_content(row, f"{type_name}/{id_}/_history/{number}")


def _with_content(row: Row | None, what: str) -> Row:
    if row is None:
        raise FhirError(404, "not-found", f"{what} is not known here")
    if not row.live:
        raise FhirError(404, "deleted", f"{what} is a deletion and has no content")
    return row


async def _referred(session: Session, call: Call, name: str) -> Row:
    text = call.text(name)
    if text is None:
        raise FhirError(400, "required", f"{NAME} on the system needs '{name}'", name)
    found = parse_reference(text)
    if found.type is None or found.id is None or found.absolute or found.fragment:
        raise FhirError(400, "value", f"'{text[:100]}' is no reference to a resource of this server", name)
    if found.version is not None:
        if not VERSION.fullmatch(found.version):
            raise FhirError(404, "not-found", f"{text[:200]} is not known here")
        return await _version(session, found.type, found.id, int(found.version))
    async with session.connection() as conn:
        return _with_content(await seen.current(conn, found.type, found.id), text)


def _content(row: Row) -> Json:
    """Return a version without what differs between all versions."""
    resource = parse_json(row.json())
    resource["meta"] = {k: v for k, v in resource["meta"].items() if k not in ("versionId", "lastUpdated")}
    return {key: value for key, value in resource.items() if key != "meta" or value}


register(
    Operation(NAME, difference, f"{CANONICAL}/OperationDefinition/diff", frozenset({"system", "instance"}))
)

describe(
    NAME,
    "What changed between two versions of a resource, or between two resources, as the FHIRPath Patch that makes one of"
    " the other. Each operation also has a part previousValue; meta.versionId and meta.lastUpdated do not count.",
    (
        Parameter(
            "from", "in", 0, "1", "string", "A version id (the one before `to`); on the system a reference"
        ),
        Parameter("to", "in", 0, "1", "string", "A version id (the current one); on the system a reference"),
        Parameter("operation", "out", 0, "*", "Element", "As in a FHIRPath Patch, with previousValue"),
    ),
)
