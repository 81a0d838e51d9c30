"""The FHIR endpoint of SMART App State, beside that of the record.

Source: https://hl7.org/fhir/smart-app-launch/STU2.2/app-state.html
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from fhir_server.access.grant import Grant
from fhir_server.auth.app_states import MOST_BYTES, States
from fhir_server.auth.seal import seal
from fhir_server.changes.conditions import entity_tags
from fhir_server.faults import as_fhir_error
from fhir_server.pages.answers import NO_STORE, address, authority
from fhir_server.version import RELEASED
from resources.codec.json import dump_json, parse_json
from resources.outcome import FhirError, operation_outcome

Json = dict[str, Any]
Work = Callable[[Request, States], Awaitable[Response]]

MIME = "application/fhir+json"


def _answer(resource: Json, status: int = 200, **headers: str) -> Response:
    return Response(dump_json(resource), status, {**NO_STORE, **headers}, media_type=MIME)


def _endpoint(interaction: str) -> Callable[[Work], Callable[[Request], Awaitable[Response]]]:
    """Return what makes `Work` an endpoint: with a token only, on record, refusals as OperationOutcomes."""

    def made(work: Work) -> Callable[[Request], Awaitable[Response]]:
        @wraps(work)
        async def endpoint(request: Request) -> Response:
            mine, grant = authority(request), None
            try:
                grant = await mine.bearer.grant(request.headers, address(request))
                answer = await work(request, States(mine, seal(mine.settings), grant))
            except ClientDisconnect:
                raise
            except Exception as error:
                known = as_fhir_error(error, "")
                answer = _answer(operation_outcome(known.issues), known.status)
                answer.headers.update(known.headers)
            if grant is not None:
                await _noted(request, grant, interaction, answer.status_code)
            return answer

        return endpoint

    return made


async def _noted(request: Request, grant: Grant, interaction: str, status: int) -> None:
    id_ = request.path_params.get("id", "")
    query = request.url.query
    trail = authority(request).trail
    detail = {"endpoint": "appstate"}
    await trail.note(
        "rest",
        grant,
        interaction=interaction,
        type="Basic",
        id=id_,
        query=query,
        status=status,
        detail=detail,
    )


async def _body(request: Request) -> Json:
    found = b""
    async for piece in request.stream():
        found += piece
        if len(found) > MOST_BYTES:
            raise FhirError(413, "too-long", f"A state may have {MOST_BYTES // 1024} KB")
    if request.headers.get("content-type", "").partition(";")[0].strip() not in (MIME, "application/json"):
        raise FhirError(415, "not-supported", f"A state is sent as {MIME}")
    return parse_json(found)


def _tags(request: Request) -> tuple[str, ...]:
    wanted = request.headers.get("if-match")
    if wanted is None:
        raise FhirError(412, "required", "If-Match is required")
    return entity_tags("If-Match", wanted)


@_endpoint("create")
async def create(request: Request, states: States) -> Response:
    """Keep a new state."""
    state = await states.create(await _body(request))
    url = authority(request).places.at(f"/appstate/Basic/{state['id']}")
    return _answer(state, 201, Location=url, ETag=f'W/"{state["meta"]["versionId"]}"')


@_endpoint("update")
async def update(request: Request, states: States) -> Response:
    """Change a state."""
    state = await states.update(request.path_params["id"], await _body(request), _tags(request))
    return _answer(state, ETag=f'W/"{state["meta"]["versionId"]}"')


@_endpoint("delete")
async def delete(request: Request, states: States) -> Response:
    """Remove a state."""
    await states.delete(request.path_params["id"], _tags(request))
    return Response(status_code=204, headers=NO_STORE)


@_endpoint("search-type")
async def search(request: Request, states: States) -> Response:
    """Return the states of a code about a subject, or about nobody."""
    said = request.query_params
    if (
        sorted(said.keys()) not in (["code", "subject"], ["code", "subject:missing"])
        or len(said.multi_items()) != 2
    ):
        raise FhirError(
            400, "invalid", "States are searched by code and subject, or by code and subject:missing=true"
        )
    system, bar, code = said["code"].partition("|")
    if not (system and bar and code) or said.get("subject:missing", "true") != "true":
        raise FhirError(400, "value", "code must be system|code, subject:missing may be true")
    subject = states.subject(said["subject"]) if "subject" in said else ""
    found = await states.search(system, code, subject)
    places = authority(request).places
    entries = [
        {"fullUrl": places.at(f"/appstate/Basic/{one['id']}"), "resource": one, "search": {"mode": "match"}}
        for one in found
    ]
    bundle = {"resourceType": "Bundle", "type": "searchset", "total": len(found)}
    return _answer(bundle | ({"entry": entries} if entries else {}))


async def metadata(request: Request) -> Response:
    """Return what this endpoint does."""
    interactions = [{"code": code} for code in ("create", "update", "delete", "search-type")]
    searches = [{"name": "code", "type": "token"}, {"name": "subject", "type": "reference"}]
    basic = {"type": "Basic", "interaction": interactions, "versioning": "versioned", "searchParam": searches}
    return _answer(
        {
            "resourceType": "CapabilityStatement",
            "status": "active",
            "date": RELEASED,
            "kind": "instance",
            "instantiates": [
                "http://hl7.org/fhir/smart-app-launch/CapabilityStatement/smart-app-state-server"
            ],
            "implementation": {
                "description": "SMART App State",
                "url": authority(request).places.at("/appstate"),
            },
            "fhirVersion": "4.0.1",
            "format": ["json"],
            "rest": [{"mode": "server", "resource": [basic]}],
        }
    )


ROUTES = [
    Route("/appstate/metadata", metadata, methods=["GET"]),
    Route("/appstate/Basic", create, methods=["POST"]),
    Route("/appstate/Basic", search, methods=["GET"]),
    Route("/appstate/Basic/{id}", update, methods=["PUT"]),
    Route("/appstate/Basic/{id}", delete, methods=["DELETE"]),
]
