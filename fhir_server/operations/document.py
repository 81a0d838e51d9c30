"""`Composition/$document`: the document Bundle of a composition and of all that it refers to.

Source: http://hl7.org/fhir/R4/composition-operation-document.html, http://hl7.org/fhir/R4/documents.html
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from fhir_server.access import seen
from fhir_server.changes import single
from fhir_server.exchange import Request, Result, Session
from fhir_server.operations import Operation, register
from fhir_server.operations.parameters import Call, read_call
from fhir_server.routing import route
from fhir_server.search.context import Context
from fhir_server.storage.rows import Row, instant
from resources.codec.json import dump_json, parse_json
from resources.links import reference_holders
from resources.outcome import FhirError
from resources.references import Reference, parse_reference

NAME = "$document"
MOST = 1_000
"""The most resources of one document."""
Key = tuple[str, str]


async def document(session: Session, request: Request) -> Result:
    """Return the Bundle of type document; with `persist` it is stored, and Location says where.

    Shape:  the composition first, then what it refers to, and what that refers to, each once; references to other
            servers stay as they are
    Errors: 404 where there is no such composition, or a resource that it refers to; 400 for more than MOST resources
    """
    call = read_call(request, NAME, {"id", "persist", "graph"})
    if call.one("graph") is not None:
        raise FhirError(
            400, "not-supported", f"{NAME} follows no 'graph': it takes all that is referred to", "graph"
        )
    rows = await _closure(session, ("Composition", _id(request, call)))
    bundle = _bundle(rows, request.base)
    if not call.flag("persist"):
        return Result(200, dump_json(bundle), kind="bundle")
    stored = await single.create(session, bundle)
    location = f"Bundle/{stored.id}/_history/{stored.version}"
    return Result(200, stored.json(), stored.version, stored.updated, location, kind="bundle")


def _id(request: Request, call: Call) -> str:
    place = route(request.method, request.path)
    given = call.text("id")
    if place.id and given:
        raise FhirError(400, "invalid", f"{NAME} on a composition takes no 'id'", "id")
    if place.id:
        return place.id
    if not given:
        raise FhirError(400, "required", f"{NAME} needs the 'id' of a composition", "id")
    named = _seen_from_here(given if "/" in given else f"Composition/{given}")
    if named.type != "Composition" or named.id is None or named.absolute:
        raise FhirError(400, "not-supported", f"'{given[:200]}' is no composition of this server", "id")
    return named.id


async def _closure(session: Session, start: Key) -> list[Row]:
    """Return the row of `start` and of everything it leads to, in the order in which it is met."""
    found: dict[Key, Row] = {}
    wanted = needed = [start]
    while wanted:
        async with session.connection() as conn:
            rows = await seen.several(conn, wanted)
        there = {key: rows[key] for key in wanted if key in rows and rows[key].live}
        missing = next((key for key in needed if key not in there), None)
        if missing is not None:
            raise FhirError(404, "not-found", f"There is no {'/'.join(missing)}, which the document needs")
        found.update(there)
        if len(found) > MOST:
            raise FhirError(400, "too-costly", f"The document would hold more than {MOST} resources")
        needed = _content(there[start]) if start in there else []
        wanted = _next(found, list(there))
    return list(found.values())


def _content(composition: Row) -> list[Key]:
    """Return what the document must hold beside the composition: what it refers to, except other documents."""
    resource = parse_json(composition.json())
    return _local({key: value for key, value in resource.items() if key != "relatesTo"})


def _next(found: dict[Key, Row], last: list[Key]) -> list[Key]:
    """Return what the resources of the last round refer to and nobody has asked for yet."""
    keys = [one for key in last for one in _local(parse_json(found[key].json()))]
    return [key for key in dict.fromkeys(keys) if key not in found]


def _local(resource: dict[str, Any]) -> list[Key]:
    """Return the resources of this server that a resource refers to."""
    named = [_seen_from_here(holder["reference"]) for holder in reference_holders(resource)]
    return [(one.type, one.id) for one in named if one.type is not None and one.id is not None and one.local]


def _seen_from_here(text: str) -> Reference:
    """Return what a reference says, without any of our own addresses."""
    root = next((base for base in Context.bases if text.startswith(base)), "")
    return parse_reference(text.removeprefix(root))


def _bundle(rows: list[Row], base: str) -> dict[str, Any]:
    now = instant(datetime.now(UTC))
    entries = [
        {"fullUrl": f"{base}/{row.type_name}/{row.id}", "resource": parse_json(row.json())} for row in rows
    ]
    return {
        "resourceType": "Bundle",
        "identifier": {"system": "urn:ietf:rfc:3986", "value": uuid.uuid4().urn},
        "type": "document",
        "timestamp": now,
        "entry": entries,
    }


register(
    Operation(
        NAME,
        document,
        "http://hl7.org/fhir/OperationDefinition/Composition-document",
        frozenset({"type", "instance"}),
        frozenset({"Composition"}),
    )
)
