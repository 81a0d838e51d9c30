"""create, and conditional create. Source: http://hl7.org/fhir/R4/http.html#create"""

from __future__ import annotations

from fhir_server.access.seen import shown
from fhir_server.changes.conditions import if_none_exist
from fhir_server.changes.ids import new_id
from fhir_server.changes.prepare import parse, prepare
from fhir_server.changes.single import apply_unless, attempts, draft
from fhir_server.changes.single import create as create_new
from fhir_server.conformance.policy import judged
from fhir_server.exchange import Request, Result, Session
from fhir_server.search.custom import before_writing
from fhir_server.storage.rows import POST, Row
from resources.outcome import Issue


async def create(session: Session, request: Request) -> Result:
    """Return the new resource (201), or the one that matches If-None-Exist already (200)."""
    type_name = request.path.split("/")[0]
    resource = parse(request.body, type_name, request.resource)
    await before_writing(session, (type_name,))
    condition = if_none_exist(request, type_name)
    size = len(request.body)
    if condition is None:
        issues = await judged(session, resource, size=size, base=request.base)
        return written(await create_new(session, resource), 201, issues)
    async for _ in attempts():
        found = await condition.match(session)
        if found is not None:
            return written(found, 200)
        issues = await judged(session, resource, size=size, base=request.base)
        row = await apply_unless(session, condition, await draft(session, prepare(resource, new_id()), POST))
        if row is not None:
            return written(row, 201, issues)
    raise AssertionError("attempts() ends by raising")


def written(row: Row, status: int, issues: list[Issue] | None = None) -> Result:
    """Return the answer to a write: the row, where it lies, its version, and what there was to say of it."""
    location = f"{row.type_name}/{row.id}/_history/{row.version}"
    return Result(status, shown(row), row.version, row.updated, location, issues or [])
