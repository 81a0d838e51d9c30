"""What a heavy lane does with a request: the same as the web worker, in its own process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fhir_server.access import current
from fhir_server.exchange import Handler, Request, Result, Server, Session
from fhir_server.faults import as_fhir_error
from fhir_server.rest.incoming import understood
from fhir_server.routing import route


def lane_handler(server: Server, dispatch: Handler) -> Callable[[Request], Awaitable[Result]]:
    """Return the function that answers a lane's requests; whatever fails leaves it as FhirError."""

    async def handle(request: Request) -> Result:
        try:
            converted = await understood(request, route(request.method, request.path))
            session = Session(server)
            async with session.connection() as conn:
                policy = await server.policies.of(conn, request.grant)
            with current.touching() as touched, current.entered(policy):
                result = await dispatch(session, converted)
        except Exception as error:
            raise as_fhir_error(error, request.id) from None
        result.touched = tuple(touched)
        return result

    return handle
