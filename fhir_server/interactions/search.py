"""search by type. Source: http://hl7.org/fhir/R4/http.html#search"""

from __future__ import annotations

from fhir_server.exchange import Request, Result, Session
from fhir_server.search.bundle import searchset
from fhir_server.search.find import find
from fhir_server.search.parse import require_type
from resources.outcome import FhirError


async def search_type(session: Session, request: Request) -> Result:
    """Return the searchset Bundle of `GET /Type?…`; a posted search arrives with the same pairs."""
    type_name = require_type(request.segments[0] if request.segments else "")
    page = await find(session, type_name, request.query, base=request.base, strict=request.strict)
    return Result(200, searchset(page, request.base), kind="bundle")


async def search_system(_session: Session, _request: Request) -> Result:
    """Refuse a search of all types by name: none is answered yet."""
    raise FhirError(
        400,
        "not-supported",
        "A search across resource types (GET [base]?…) is not supported yet: search one type",
    )
