"""update, update as create, and conditional update. Source: http://hl7.org/fhir/R4/http.html#update"""

from __future__ import annotations

from typing import Any

from fhir_server.changes import single
from fhir_server.changes.conditions import Criteria, criteria, if_match
from fhir_server.changes.ids import new_id
from fhir_server.changes.prepare import parse, prepare
from fhir_server.exchange import Request, Result, Session
from fhir_server.interactions.create import written
from fhir_server.storage.read import Old
from fhir_server.storage.rows import POST
from resources.outcome import FhirError


async def update(session: Session, request: Request) -> Result:
    """Return the resource as updated (200) or created under the client's id (201)."""
    type_name, _, id_ = request.path.partition("/")
    resource = parse(request.body, type_name, request.resource)
    if not id_:
        return await _conditional(session, request, criteria(type_name, request.query), resource)
    if resource.get("id") != id_:
        said = f"'{resource['id']}'" if "id" in resource else "missing"
        raise FhirError(
            400, "invalid", f"The id in the body is {said}, but the URL says '{id_}'", f"{type_name}.id"
        )
    return await _put(session, resource, id_, if_match(request))


async def _put(
    session: Session, resource: dict[str, Any], id_: str, wanted: str | None, seen: Old | None = None
) -> Result:
    row, was_there = await single.put(session, prepare(resource, id_), wanted, seen)
    return written(row, 200 if was_there else 201)


async def _conditional(
    session: Session, request: Request, condition: Criteria, resource: dict[str, Any]
) -> Result:
    given = resource.get("id")
    found = await condition.match(session)
    if found is None and given is not None:
        return await _put(session, resource, str(given), if_match(request))
    if found is None:
        one = await single.draft(session, prepare(resource, new_id()), POST)
        row, is_new = await single.create_unless(session, condition, one)
        if is_new:
            return written(row, 201)
        return await _put(session, resource, row.id, if_match(request))
    if given not in (None, found.id):
        text = f"'{condition}' is {condition.type}/{found.id}, but the body's id is '{given}'"
        raise FhirError(400, "invalid", text, f"{condition.type}.id")
    return await _put(session, resource, found.id, if_match(request), found)
