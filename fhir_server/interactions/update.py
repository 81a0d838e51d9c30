"""update, update as create, and conditional update. Source: http://hl7.org/fhir/R4/http.html#update"""

from __future__ import annotations

from typing import Any

from fhir_server.changes import single
from fhir_server.changes.conditions import Criteria, criteria, expect, precondition
from fhir_server.changes.ids import new_id
from fhir_server.changes.prepare import own_id, parse, prepare
from fhir_server.conformance.policy import judged
from fhir_server.exchange import Request, Result, Session
from fhir_server.interactions.create import written
from fhir_server.search.custom import before_writing
from fhir_server.storage.rows import POST, PUT
from resources.outcome import FhirError


async def update(session: Session, request: Request) -> Result:
    """Return the resource as updated (200) or created under the client's id (201)."""
    type_name, _, id_ = request.path.partition("/")
    resource = parse(request.body, type_name, request.resource)
    await before_writing(session, (type_name,))
    if not id_:
        return await _conditional(session, request, criteria(type_name, request.query), resource)
    if resource.get("id") != id_:
        said = f"'{resource['id']}'" if "id" in resource else "missing"
        raise FhirError(
            400, "invalid", f"The id in the body is {said}, but the URL says '{id_}'", f"{type_name}.id"
        )
    issues = await judged(session, resource, size=len(request.body), base=request.base)
    row, was_there = await single.put(session, prepare(resource, id_), precondition(request))
    return written(row, 200 if was_there else 201, issues)


async def _conditional(
    session: Session, request: Request, condition: Criteria, resource: dict[str, Any]
) -> Result:
    """Update what matches; create where nothing does, under the resource's own id where it has one."""
    given, wanted = own_id(resource), precondition(request)
    async for _ in single.attempts():
        old = await condition.match(session)
        matched = old is not None
        if old is not None and given not in (None, old.id):
            text = f"'{condition}' is {condition.type}/{old.id}, but the body's id is '{given}'"
            raise FhirError(400, "invalid", text, f"{condition.type}.id")
        if old is None and given is not None:
            old = await single.look(session, condition.type, given)
        there = old is not None and old.live
        expect(wanted, old.version if old is not None and there else None, f"What '{condition}' names")
        issues = await judged(session, resource, size=len(request.body), base=request.base)
        prepared = prepare(resource, old.id if old is not None else given or new_id())
        one = await single.draft(session, prepared, PUT if given or matched else POST, old)
        row = await (single.apply(session, one) if matched else single.apply_unless(session, condition, one))
        if row is not None:
            return written(row, 200 if there else 201, issues)
    raise AssertionError("attempts() ends by raising")
