"""Status and end of work in the background. Source: http://hl7.org/fhir/R4/async.html"""

from __future__ import annotations

from fhir_server.exchange import Request, Result, Session
from fhir_server.operations import reindex


async def job_status(session: Session, request: Request) -> Result:
    """Return how far the job in the path is; 404 where there is none."""
    return await reindex.status(session, request.segments[1], request.base)


async def job_cancel(session: Session, request: Request) -> Result:
    """Return 202 where the job in the path is cancelled; 404 where there is none, 409 where it has ended."""
    return await reindex.cancel(session, request.segments[1])
