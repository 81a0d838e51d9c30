"""`$fhirpath`: evaluate an expression on a resource, within the limits for expressions of clients.

Input and output follow the shape that the FHIRPath tools of the community share: a `Parameters` with `expression`,
`context`, `variables` and `resource`; each context gives one `result` whose parts are the values found.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from fhir_server.access import seen
from fhir_server.exchange import Request, Result, Session
from fhir_server.operations import Operation, register
from fhir_server.operations.lookup import asking
from fhir_server.operations.parameters import Call, Given, read_call
from fhir_server.operations.published import Parameter, describe
from fhir_server.routing import route
from fhir_server.storage import read
from fhir_server.version import CANONICAL
from resources import fhirpath
from resources.codec.json import dump_json, parse_json
from resources.definitions import definitions
from resources.fhirpath import USER, Typed
from resources.outcome import FhirError

NAME = "$fhirpath"
KNOWN = frozenset({"expression", "context", "resource", "variables"})
MOST_CONTEXTS = 1_000


async def evaluate(session: Session, request: Request) -> Result:
    """Return the Parameters with what the expression finds.

    Errors: 400 for a call without expression or resource, or an expression that cannot be evaluated; 404 or 410
            where the resource is not there
    """
    call = read_call(request, NAME, KNOWN, checked=False)
    expression = call.text("expression")
    if not expression:
        raise FhirError(400, "required", f"{NAME} needs an 'expression'", "expression")
    resource = await _resource(session, request, call)
    variables = {one.name: one.value for one in _variables(call)}
    with asking(session) as ask:
        results = await asyncio.to_thread(
            _evaluate, expression, call.text("context"), resource, variables, ask.resource
        )
    said = [{"name": "expression", "valueString": expression}, {"name": "resource", "resource": resource}]
    parameters = {
        "resourceType": "Parameters",
        "id": "fhirpath",
        "parameter": [{"name": "parameters", "part": said}, *results],
    }
    return Result(200, dump_json(parameters))


async def _resource(session: Session, request: Request, call: Call) -> dict[str, Any]:
    place = route(request.method, request.path)
    given = call.one("resource")
    if place.id:
        if given is not None:
            raise FhirError(400, "invalid", f"{NAME} on an instance takes no 'resource'", "resource")
        async with session.connection() as conn:
            row = read.there(await seen.current(conn, place.type, place.id), f"{place.type}/{place.id}")
        return parse_json(row.json())
    resource = given.value if given is not None else None
    if not isinstance(resource, dict) or not definitions().is_resource(resource.get("resourceType")):
        raise FhirError(400, "required", f"{NAME} needs a 'resource'", "resource")
    return resource


def _variables(call: Call) -> tuple[Given, ...]:
    found = call.one("variables")
    return found.parts if found is not None else ()


def _evaluate(
    expression: str, context: str | None, resource: dict[str, Any], variables: Mapping[str, Any], resolve: Any
) -> list[dict[str, Any]]:
    """Return a `result` for each context (the resource where none is asked for)."""
    compiled = fhirpath.compile(expression)
    options: dict[str, Any] = {"variables": variables, "resolve": resolve, "limits": USER}
    if not context:
        return [_result("", compiled.nodes(resource, **options))]
    places = fhirpath.compile(context).nodes(resource, **options)
    if len(places) > MOST_CONTEXTS:
        raise FhirError(
            400, "too-costly", f"'context' finds {len(places)} places; {MOST_CONTEXTS} are allowed"
        )
    results = []
    for place in places:
        if not isinstance(place.value, dict):
            raise FhirError(
                400, "not-supported", f"The context {place.path or context} is no complex element"
            )
        named = {"resource": resource, "rootResource": resource} | dict(variables)
        found = compiled.nodes(place.value, type_name=place.type_name, **(options | {"variables": named}))
        results.append(_result(place.path, found))
    return results


def _result(context: str, found: list[Typed]) -> dict[str, Any]:
    parts = [_part(one) for one in found]
    result: dict[str, Any] = {"name": "result"}
    if context:
        result["valueString"] = context
    return result | ({"part": parts} if parts else {})


def _part(one: Typed) -> dict[str, Any]:
    """Return a value under its type; what Parameters cannot carry goes as JSON into an extension."""
    value, name = one.value, one.type_name
    if isinstance(value, dict) and definitions().is_resource(value.get("resourceType")):
        return {"name": name, "resource": value}
    key = "value" + name[:1].upper() + name[1:]
    if value is not None and key in definitions().type("Parameters.parameter").by_json:
        return {"name": name, key: value}
    text = dump_json(value).decode() if not isinstance(value, Decimal | str | None) else str(value or "")
    return {"name": name, "extension": [{"url": JSON_VALUE, "valueString": text}]}


JSON_VALUE = f"{CANONICAL}/StructureDefinition/json-value"
"""The extension that carries values of types which `Parameters` does not have, as JSON."""

register(
    Operation(
        NAME,
        evaluate,
        f"{CANONICAL}/OperationDefinition/fhirpath",
        frozenset({"system", "instance"}),
    )
)

describe(
    NAME,
    "Evaluate a FHIRPath expression on a resource that is sent, or on the one that the URL names.",
    (
        Parameter("expression", "in", 1, "1", "string", "The expression"),
        Parameter(
            "context", "in", 0, "1", "string", "An expression whose every result is evaluated on by itself"
        ),
        Parameter("resource", "in", 0, "1", "Resource", "The resource; not on an instance"),
        Parameter(
            "variables", "in", 0, "1", "Element", "Parts with a name and a value: %name in the expression"
        ),
        Parameter("result", "out", 0, "*", "Element", "The values found in a context, each under its type"),
    ),
)
