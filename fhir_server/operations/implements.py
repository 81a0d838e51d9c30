"""`CapabilityStatement/$implements` and `$subset`: what this server lacks for a statement, and a part of its own.

Source: http://hl7.org/fhir/R4/capabilitystatement-operations.html
"""

from __future__ import annotations

from typing import Any

from fhir_server.access import seen
from fhir_server.concepts.stored import by_canonical
from fhir_server.exchange import Request, Result, Session
from fhir_server.operations import Operation, register
from fhir_server.operations.parameters import Call, read_call
from fhir_server.packages.check import definitions_of, lacks
from fhir_server.routing import route
from fhir_server.storage import read
from resources.codec.json import dump_json, parse_json
from resources.definitions import definitions
from resources.outcome import FhirError, operation_outcome
from resources.validate.explain import errors

Json = dict[str, Any]

TYPE = "CapabilityStatement"
SUBSETTED = {"system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue", "code": "SUBSETTED"}


async def implements(session: Session, request: Request) -> Result:
    """Return the OperationOutcome of a comparison: 200 where the server has all that SHALL be there.

    Shape:  the server is an instance, `server` by canonical, or this server itself
    Errors: 422 with what is missing; 400 without a client's statement; 404 for an unknown canonical
    """
    call = read_call(request, "$implements", {"server", "client", "resource"})
    client = await _client(session, call)
    server = await _server(session, request, call)
    issues = [one.issue for one in lacks(client, server, await _derived(session, client))]
    if any(errors(issues)):
        raise FhirError(422, issues=issues)
    return Result(200, dump_json(operation_outcome(issues)))


async def subset(session: Session, request: Request) -> Result:
    """Return the statement with the REST parts of some resource types alone.

    Errors: 400 without `resource` or for a type that R4 does not have
    """
    call = read_call(request, "$subset", {"server", "resource"})
    wanted = {str(one.value) for one in call.all("resource")}
    unknown = sorted(name for name in wanted if not definitions().is_resource(name))
    if not wanted or unknown:
        text = (
            f"There is no R4 resource type called {unknown[0][:64]}"
            if unknown
            else "$subset needs a 'resource'"
        )
        raise FhirError(400, "required" if not wanted else "value", text, "resource")
    found = await _server(session, request, call)
    rest = [
        {**one, "resource": [each for each in one.get("resource", ()) if each.get("type") in wanted]}
        for one in found.get("rest", ())
    ]
    meta = found.get("meta", {})
    tagged = {**meta, "tag": [*meta.get("tag", ()), SUBSETTED]}
    parts = [{key: value for key, value in one.items() if value} for one in rest]
    return Result(200, dump_json({**found, "meta": tagged, "rest": parts}))


async def _derived(session: Session, client: Json) -> dict[str, str]:
    """Return what the stored search parameters that a statement names are derived from."""
    async with session.connection() as conn:
        found = await by_canonical(conn, "SearchParameter", definitions_of(client))
    return {url: str(one["derivedFrom"]) for url, one in found.items() if "derivedFrom" in one}


async def _client(session: Session, call: Call) -> Json:
    inline, canonical = call.one("resource"), call.text("client")
    if (inline is None) == (canonical is None):
        raise FhirError(400, "required", "$implements needs either 'client' or 'resource'", "client")
    if inline is None:
        return await _by_canonical(session, canonical or "")
    if not isinstance(inline.value, dict) or inline.value.get("resourceType") != TYPE:
        raise FhirError(400, "value", f"'resource' is a {TYPE}", "resource")
    return inline.value


async def _server(session: Session, request: Request, call: Call) -> Json:
    place, canonical = route(request.method, request.path), call.text("server")
    if place.id:
        async with session.connection() as conn:
            row = read.there(await seen.current(conn, TYPE, place.id), f"{TYPE}/{place.id}")
        return parse_json(row.json())
    if canonical is not None and canonical.partition("?")[0] != f"{request.base}/metadata":
        return await _by_canonical(session, canonical)
    own = await session.server.handlers["capabilities"](
        session, Request("GET", "metadata", base=request.base)
    )
    return parse_json(own.body or b"")


async def _by_canonical(session: Session, canonical: str) -> Json:
    async with session.connection() as conn:
        found = await by_canonical(conn, TYPE, [canonical])
    if canonical not in found:
        raise FhirError(404, "not-found", f"The {TYPE} {canonical[:200]} is not known here")
    return found[canonical]


for name, handler in (("implements", implements), ("subset", subset)):
    register(
        Operation(
            f"${name}",
            handler,
            f"http://hl7.org/fhir/OperationDefinition/{TYPE}-{name}",
            frozenset({"type", "instance"}),
            frozenset({TYPE}),
        )
    )
