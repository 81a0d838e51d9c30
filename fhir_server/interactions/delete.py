"""delete, and conditional delete of one or several. Source: http://hl7.org/fhir/R4/http.html#delete"""

from __future__ import annotations

from fhir_server.changes import single
from fhir_server.changes.conditions import criteria, expect, precondition
from fhir_server.exchange import Request, Result, Session
from fhir_server.search.match import match_rows
from resources.outcome import FhirError, Issue


async def delete(session: Session, request: Request) -> Result:
    """Return 204, with what was deleted as an issue for those who ask for an OperationOutcome."""
    type_name, _, id_ = request.path.partition("/")
    if not id_:
        return await _conditional(session, request, type_name)
    row = await single.remove(session, type_name, id_, precondition(request))
    text = f"{type_name}/{id_} is deleted" if row else f"{type_name}/{id_} is not there (any more)"
    issue = Issue("informational", text, severity="information")
    return Result(204, None, row.version if row else None, row.updated if row else None, issues=[issue])


async def _conditional(session: Session, request: Request, type_name: str) -> Result:
    """Delete what matches: all or nothing where several match, in one transaction."""
    condition, wanted = criteria(type_name, request.query), precondition(request)
    limit = session.server.settings.conditional_delete_max
    async for _ in single.attempts():
        found = await match_rows(session, type_name, list(condition.pairs), limit=limit + 1)
        if len(found) > limit:
            text = f"'{condition}' matches more than the {limit} resources that one request may delete"
            raise FhirError(412, "too-costly", text)
        for old in found:
            expect(wanted, old.version, f"{type_name}/{old.id}")
        if await single.remove_all(session, found):
            break
    issue = Issue("informational", f"{len(found)} resource(s) deleted", severity="information")
    return Result(204, issues=[issue])
