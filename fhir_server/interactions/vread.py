"""vread: one version. Source: http://hl7.org/fhir/R4/http.html#vread"""

from __future__ import annotations

from fhir_server.access import seen
from fhir_server.exchange import Request, Result, Session
from fhir_server.interactions.read import shown
from fhir_server.storage import read as storage


async def vread(session: Session, request: Request) -> Result:
    """Return the version asked for; 404 where there is none, 410 where it is a deletion."""
    type_name, id_, _, version = request.segments
    row = None
    if storage.VERSION.fullmatch(version):
        async with session.connection() as conn:
            row = await seen.version(conn, type_name, id_, int(version))
    return shown(row, request.path)
