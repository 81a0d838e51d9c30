"""patch: JSON Patch, XML Patch and FHIRPath Patch, also conditional. Source: http://hl7.org/fhir/R4/http.html#patch"""

from __future__ import annotations

from fhir_server.changes import single
from fhir_server.changes.conditions import criteria, expect, if_match
from fhir_server.changes.patching import current, patched
from fhir_server.changes.prepare import prepare
from fhir_server.exchange import Request, Result, Session
from fhir_server.interactions.create import written
from fhir_server.storage.rows import PATCH
from resources.outcome import FhirError


async def patch(session: Session, request: Request) -> Result:
    """Return the resource as patched; 404 where there is none, 412 where If-Match does not hold."""
    type_name, _, id_ = request.path.partition("/")
    seen = None
    if not id_:
        condition = criteria(type_name, request.query)
        seen = await condition.match(session)
        if seen is None:
            raise FhirError(404, "not-found", f"Nothing matches '{condition}'")
        id_ = seen.id
    wanted = if_match(request)
    async for attempt in single.attempts():
        old = seen if attempt == 0 and seen is not None else await single.look(session, type_name, id_)
        there = current(old, f"{type_name}/{id_}")
        expect(wanted, there.version, f"{type_name}/{id_}")
        prepared = prepare(await patched(there.json(), request, type_name), id_)
        row = await single.apply(session, await single.draft(session, prepared, PATCH, there))
        if row is not None:
            return written(row, 200)
    raise AssertionError("attempts() ends by raising")
