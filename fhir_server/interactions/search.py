"""search of a type, of several or all types, within a compartment. Source: http://hl7.org/fhir/R4/http.html#search"""

from __future__ import annotations

from fhir_server.exchange import Request, Result, Session
from fhir_server.search.bundle import searchset
from fhir_server.search.find import find


async def search(session: Session, request: Request) -> Result:
    """Return the searchset Bundle of what the path names; a posted search arrives with the same pairs."""
    page = await find(session, request.path, request.query, base=request.base, strict=request.strict)
    return Result(200, searchset(page, request.base), kind="bundle")
