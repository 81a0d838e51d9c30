"""delete, and conditional delete of one or several. Source: http://hl7.org/fhir/R4/http.html#delete"""

from __future__ import annotations

from fhir_server.changes.conditions import criteria, if_match
from fhir_server.changes.single import remove
from fhir_server.exchange import Request, Result, Session
from fhir_server.search.match import match_ids
from resources.outcome import FhirError, Issue


async def delete(session: Session, request: Request) -> Result:
    """Return 204, with what was deleted as an issue for those who ask for an OperationOutcome."""
    type_name, _, id_ = request.path.partition("/")
    if not id_:
        return await _conditional(session, request, type_name)
    row = await remove(session, type_name, id_, if_match(request))
    text = f"{type_name}/{id_} is deleted" if row else f"{type_name}/{id_} is not there (any more)"
    issue = Issue("informational", text, severity="information")
    return Result(204, None, row.version if row else None, row.updated if row else None, issues=[issue])


async def _conditional(session: Session, request: Request, type_name: str) -> Result:
    """Delete what matches: all or nothing where several match, in one transaction."""
    condition = criteria(type_name, request.query)
    limit = session.server.settings.conditional_delete_max
    found = await match_ids(session, type_name, list(condition.pairs), limit=limit + 1)
    if len(found) > limit:
        text = f"'{condition}' matches more than the {limit} resources that one request may delete"
        raise FhirError(412, "too-costly", text)
    deleted = 0
    if len(found) == 1:
        deleted = int(await remove(session, type_name, found[0][1], if_match(request)) is not None)
    elif found:
        async with session.store.transaction() as conn:
            inside = Session(session.server, conn)
            for _, id_ in sorted(found, key=lambda one: one[1]):
                deleted += int(await remove(inside, type_name, id_) is not None)
    issue = Issue("informational", f"{deleted} resource(s) deleted", severity="information")
    return Result(204, issues=[issue])
