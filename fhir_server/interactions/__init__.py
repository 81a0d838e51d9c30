"""The interactions, one file each, and the table that names them."""

from __future__ import annotations

from fhir_server.access import current
from fhir_server.exchange import Handler, Request, Result, Session
from fhir_server.gate import require
from fhir_server.interactions.audit_events import guarding
from fhir_server.interactions.capabilities import capabilities
from fhir_server.interactions.create import create
from fhir_server.interactions.delete import delete
from fhir_server.interactions.displays import offering
from fhir_server.interactions.history import history
from fhir_server.interactions.job import job_cancel, job_status
from fhir_server.interactions.patch import patch
from fhir_server.interactions.read import read
from fhir_server.interactions.search import search
from fhir_server.interactions.transaction import bundle_handler
from fhir_server.interactions.update import update
from fhir_server.interactions.vread import vread
from fhir_server.operations import handler as handler_of
from fhir_server.operations import registered
from fhir_server.routing import route
from resources.outcome import FhirError

__all__ = ["HANDLERS", "dispatch", "registered"]


async def dispatch(session: Session, request: Request) -> Result:
    """Answer `request` by the interaction that its method and path name; raises FhirError."""
    found = route(request.method, request.path)
    require(current.policy(), found, request.path)
    if found.interaction == "operation":
        return await handler_of(found, request.method, request.query)(session, request)
    handler = HANDLERS.get(found.interaction)
    if handler is None:
        raise FhirError(404, "not-supported", f"The interaction {found.interaction} is not supported")
    return await handler(session, request)


_PLAIN: dict[str, Handler] = {
    "capabilities": capabilities,
    "create": create,
    "delete": delete,
    "job-cancel": job_cancel,
    "job-status": job_status,
    "history-instance": offering(history),
    "history-system": offering(history),
    "history-type": offering(history),
    "patch": patch,
    "read": offering(read),
    "search-compartment": offering(search),
    "search-system": offering(search),
    "search-type": offering(search),
    "transaction": bundle_handler(dispatch),
    "update": update,
    "vread": offering(vread),
}

HANDLERS: dict[str, Handler] = {name: guarding(name, handler) for name, handler in _PLAIN.items()}
