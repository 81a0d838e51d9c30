"""FHIR requests that the pages make for whoever is signed in: under that person's own policy, and audited as such."""

from __future__ import annotations

import json
from time import time_ns
from typing import Any

import msgspec

from fhir_server.access import current
from fhir_server.access.grant import Grant
from fhir_server.audit.entry import Entry
from fhir_server.auth.sessions import SignedIn
from fhir_server.exchange import Request, Result, Session
from fhir_server.interactions import dispatch
from fhir_server.pages.desk import Desk
from resources.codec.json import parse_json
from resources.outcome import FhirError

_PATCH = "application/json-patch+json"


async def read(desk: Desk, who: SignedIn, address: str, name: str) -> dict[str, Any] | None:
    """Return the resource 'Patient/1', None where `who` does not see one."""
    return await _body(desk, who, address, Request("GET", name, base=desk.places.base), "read")


async def search(
    desk: Desk, who: SignedIn, address: str, type_name: str, query: list[tuple[str, str]]
) -> list[dict[str, Any]]:
    """Return the resources that a search finds, those of its first page."""
    request = Request("GET", type_name, tuple(query), base=desk.places.base)
    found = await _body(desk, who, address, request, "search-type")
    entries = found.get("entry", []) if found else []
    return [one["resource"] for one in entries if one.get("search", {}).get("mode") == "match"]


async def change(desk: Desk, who: SignedIn, address: str, name: str, steps: list[dict[str, Any]]) -> bool:
    """Whether a resource was changed by a JSON Patch."""
    body, base = json.dumps(steps).encode(), desk.places.base
    request = Request("PATCH", name, headers={"content-type": _PATCH}, body=body, base=base)
    return await _answer(desk, who, address, request, "patch") is not None


async def _body(
    desk: Desk, who: SignedIn, address: str, request: Request, interaction: str
) -> dict[str, Any] | None:
    result = await _answer(desk, who, address, request, interaction)
    return parse_json(result.body) if result is not None and result.body else None


async def _answer(
    desk: Desk, who: SignedIn, address: str, request: Request, interaction: str
) -> Result | None:
    """Return what a request answers, None where it is refused."""
    server = desk.server
    type_name, _, id_ = request.path.partition("/")
    grant = Grant(
        subject=who.account,
        client="pages",
        scopes=(f"user/{type_name}.rus",),
        user=who.user,
        roles=who.roles,
        acting_for=who.acting_for,
        session=who.session,
        address=address,
    )
    async with server.store.pool.connection() as conn:
        policy = await server.policies.of(conn, grant)
    result, status = None, 200
    with current.touching() as touched, current.entered(policy):
        try:
            policy.require(interaction, type_name)
            result = await dispatch(Session(server), msgspec.structs.replace(request, grant=grant))
        except FhirError as error:
            status = error.status
    await server.trail.record(
        Entry(
            at=time_ns() // 1000,
            kind="rest",
            subject=who.account,
            client="pages",
            user=who.user,
            roles=who.roles,
            session=who.session,
            acting_for=who.acting_for,
            address=address,
            interaction=interaction,
            type=type_name,
            id=id_,
            query="&".join(f"{name}={value}" for name, value in request.query),
            status=status,
            patients=tuple(sorted(touched)),
        )
    )
    return result
