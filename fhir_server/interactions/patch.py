"""patch: JSON Patch, XML Patch and FHIRPath Patch, also conditional. Source: http://hl7.org/fhir/R4/http.html#patch"""

from __future__ import annotations

from fhir_server.changes import single
from fhir_server.changes.conditions import criteria, expect, precondition
from fhir_server.changes.patching import patched
from fhir_server.changes.prepare import prepare
from fhir_server.conformance.policy import judged
from fhir_server.exchange import Request, Result, Session
from fhir_server.interactions.create import written
from fhir_server.search.custom import before_writing
from fhir_server.storage.read import there
from fhir_server.storage.rows import PATCH


async def patch(session: Session, request: Request) -> Result:
    """Return the resource as patched; 404 where there is none, 412 where If-Match does not hold."""
    type_name, _, id_ = request.path.partition("/")
    condition = None if id_ else criteria(type_name, request.query)
    what = str(condition) if condition is not None else request.path
    wanted = precondition(request)
    await before_writing(session, (type_name,))
    async for _ in single.attempts():
        if condition is not None:
            old = await condition.match(session)
        else:
            old = await single.look(session, type_name, id_)
        stored = there(old, what)
        expect(wanted, stored.version, what)
        resource = await patched(stored.json(), request, type_name)
        issues = await judged(session, resource, size=len(stored.tail or b""), base=request.base)
        prepared = prepare(resource, stored.id)
        row = await single.apply(session, await single.draft(session, prepared, PATCH, stored))
        if row is not None:
            return written(row, 200, issues)
    raise AssertionError("attempts() ends by raising")
