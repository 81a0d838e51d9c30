"""$graphql: by GET, by POST of the query itself, of JSON or of Parameters; at system and instance level.

Source: http://hl7.org/fhir/R4/graphql.html#invoking, http://hl7.org/fhir/R4/resource-operation-graphql.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from fhir_server.access import seen
from fhir_server.exchange import Handler, Request, Result, Session, only
from fhir_server.faults import as_fhir_error
from fhir_server.operations.graphql import document
from fhir_server.operations.graphql.compiler import Compiler
from fhir_server.operations.graphql.fields import QUERY
from fhir_server.operations.graphql.gather import Gatherer
from fhir_server.operations.graphql.introspection import introspected, introspects
from fhir_server.operations.graphql.limits import LIMITS, Budget, Limits, too_costly
from fhir_server.operations.graphql.plan import Home, Json, Obj
from fhir_server.operations.graphql.problems import rendered
from fhir_server.operations.graphql.reading import Reader
from fhir_server.operations.graphql.shape import shaped
from fhir_server.operations.graphql.values import coerced
from fhir_server.search import custom
from fhir_server.storage import read as storage
from resources.codec.json import dump_json, parse_json
from resources.outcome import FhirError

MIME = "application/json"
TEXT = "application/graphql"
_MEMBERS = ("query", "operationName", "variables", "extensions")
_PARAMETERS = ("query", "operationName", "variables", "_format", "_pretty")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request asks for."""

    query: str
    operation_name: str | None = None
    variables: Mapping[str, Any] = field(default_factory=dict)


async def graphql(session: Session, request: Request) -> Result:
    """Return `{"data": …}`, or `{"data": null, "errors": […]}` with the status of the failure."""

    async def data() -> Json:
        return await answered(session, request, asked(request), LIMITS)

    return await _told(request, data)


def onward(handler: Handler) -> Handler:
    """Return the handler of an operation with the query `_graphql` run on the resource that it answers.

    Source: http://hl7.org/fhir/R4/graphql.html#operations
    """

    async def run(session: Session, request: Request) -> Result:
        query = only(request.query, "_graphql") or ""
        others = [pair for pair in request.query if pair[0] != "_graphql"]
        result = await handler(session, msgspec.structs.replace(request, query=others))
        if result.body is None or result.mime:
            raise FhirError(400, "invalid", "_graphql: this operation answers no resource")
        resource = parse_json(result.body)

        async def data() -> Json:
            root = Obj(resource["resourceType"], resource, Home(resource, None))
            return await _run(session, request, _checked({"query": query}), LIMITS, root)

        return await _told(request, data)

    return run


async def _told(request: Request, data: Callable[[], Awaitable[Json]]) -> Result:
    """Return the answer that shows `data`, or why there is none."""
    pretty = any(name == "_pretty" and value == "true" for name, value in request.query)
    try:
        async with asyncio.timeout(LIMITS.seconds):
            found = await data()
        return Result(200, _dumped({"data": found}, pretty, LIMITS), kind="metadata", mime=MIME)
    except Exception as problem:  # the answer to a failure is GraphQL, too
        error = as_fhir_error(problem, request.id)
        body = dump_json({"data": None, "errors": rendered(error)}, pretty)
        return Result(error.status, body, kind="metadata", mime=MIME, headers=dict(error.headers))


def _dumped(answer: Json, pretty: bool, limits: Limits) -> bytes:
    body = dump_json(answer, pretty)
    if len(body) > limits.answer:
        raise FhirError(
            400, "too-costly", f"GraphQL: the answer has more than {limits.answer} bytes: ask for less"
        )
    return body


async def answered(session: Session, request: Request, wanted: Asked, limits: Limits) -> Json:
    """Return the data that a query asks for; raises FhirError."""
    parts = request.segments
    if len(parts) > 2:
        return await _run(session, request, wanted, limits, await _focus(session, parts[0], parts[1]))
    return await _run(session, request, wanted, limits, Obj(QUERY, {}, Home({}, None)))


async def _run(session: Session, request: Request, wanted: Asked, limits: Limits, root: Obj) -> Json:
    """Return the data that a query finds from `root` on."""
    budget = Budget(limits)
    found = document.read(wanted.query, wanted.operation_name, limits)
    variables = coerced(found.operation, wanted.variables)
    if introspects(found):
        async with session.connection() as conn:
            await custom.refresh(conn)
        return await introspected(found, variables, root.type, limits)
    compiler = Compiler(found, variables, budget)
    fields = compiler.root(root.type)
    reader = Reader(session, request.base, budget)
    gatherer = Gatherer(reader, budget, request.base, threaded=compiler.uses_paths)
    return shaped(await gatherer.gathered(root, fields))


async def _focus(session: Session, type_name: str, id_: str) -> Obj:
    """Return the resource that an instance-level query starts from.

    Errors: 404 not-found, 410 deleted
    """
    async with session.connection() as conn:
        row = storage.there(await seen.current(conn, type_name, id_), f"{type_name}/{id_}")
    resource = parse_json(row.json())
    own = (type_name, id_)
    return Obj(type_name, resource, Home(resource, own), own)


def asked(request: Request) -> Asked:
    """Return the query, the operation's name and the variables of a request.

    Errors: 400 required, invalid; 406 for another form of answer than JSON
    """
    for name, _ in request.query:
        if name not in _PARAMETERS:
            raise FhirError(400, "invalid", f"$graphql has no parameter '{name[:100]}'")
    form = only(request.query, "_format") or "json"
    if "json" not in form:
        raise FhirError(406, "not-supported", f"$graphql answers {MIME} only")
    given: dict[str, Any] = {
        name: value for name in _MEMBERS if (value := only(request.query, name)) is not None
    }
    if "variables" in given:
        given["variables"] = parse_json(given["variables"].encode()) if given["variables"] else None
    for name, value in (_body(request) if request.method == "POST" else {}).items():
        if given.get(name) is not None:
            raise FhirError(400, "invalid", f"$graphql: '{name}' stands both in the URL and in the body")
        given[name] = value
    return _checked(given)


def _body(request: Request) -> Json:
    if request.resource is None and not request.body.strip():
        return {}
    if len(request.body) > LIMITS.body:
        raise too_costly(f"a body of more than {LIMITS.body} bytes")
    media = (request.header("content-type") or "").partition(";")[0].strip().lower()
    if media == TEXT:
        return {"query": request.body.decode("utf-8")}
    found = request.resource if request.resource is not None else parse_json(request.body)
    if found.get("resourceType") == "Parameters":
        return _from_parameters(found)
    for name in found:
        if name not in _MEMBERS:
            raise FhirError(400, "invalid", f"$graphql: the body has an unknown member '{name[:100]}'")
    return found


def _from_parameters(parameters: Json) -> Json:
    found: Json = {}
    for one in parameters.get("parameter") or ():
        name = one.get("name")
        if name != "query" or name in found:
            raise FhirError(400, "invalid", f"$graphql takes one parameter 'query', not '{str(name)[:100]}'")
        found[name] = one.get("valueString")
    return found


def _checked(given: Json) -> Asked:
    query, name, variables = given.get("query"), given.get("operationName"), given.get("variables")
    if query is None or query == "":
        raise FhirError(400, "required", "$graphql needs a 'query'")
    if not isinstance(query, str) or not isinstance(name, str | None):
        raise FhirError(400, "value", "$graphql: 'query' and 'operationName' are texts")
    if not isinstance(variables, dict | None):
        raise FhirError(400, "value", "$graphql: 'variables' is a JSON object")
    return Asked(query, name or None, variables or {})
