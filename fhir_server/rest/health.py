"""What operators ask: is it alive, is it ready, what are its figures."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from ipaddress import ip_address, ip_network

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from fhir_server import metrics
from fhir_server.faults import describe
from fhir_server.rest.server import FhirServer
from fhir_server.storage.schema import schema
from fhir_server.storage.store import identity
from resources.definitions import definitions

_log = logging.getLogger("fhir_server.health")
_PATIENCE_S = 3.0
_NO_STORE = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}

Check = Callable[[FhirServer], Awaitable[None]]


async def live() -> Response:
    """Return 200 as long as the event loop turns."""
    return JSONResponse({"status": "ok"}, headers=_NO_STORE)


async def ready(request: Request) -> Response:
    """Return 200 where every check passes, else 503 with the names of those that fail."""
    server: FhirServer = request.app.state.fhir
    checks = {name: await _passes(name, check, server) for name, check in CHECKS.items()}
    told: dict[str, str] = {"authorization": server.settings.authorization}
    if server.database:
        told["database"] = server.database
    good = all(checks.values())
    status = {name: "ok" if passed else "failed" for name, passed in checks.items()}
    headers = _NO_STORE if good else _NO_STORE | {"Retry-After": "2"}
    body = {"status": "ok" if good else "unavailable", "checks": status, **told}
    return JSONResponse(body, 200 if good else 503, headers)


async def figures(request: Request) -> Response:
    """Return the Prometheus exposition of all workers, to this machine and to whom `metrics_for` names."""
    server: FhirServer = request.app.state.fhir
    if not _may_see_figures(request.client.host if request.client else "", server.settings.metrics_for):
        return JSONResponse({"status": "forbidden"}, 403, _NO_STORE)
    text, content_type = await asyncio.to_thread(metrics.exposition)
    return Response(text, headers={**_NO_STORE, "Content-Type": content_type})


def _may_see_figures(address: str, networks: tuple[str, ...]) -> bool:
    try:
        found = ip_address(address)
    except ValueError:  # no network between us
        return True
    return found.is_loopback or any(found in ip_network(network) for network in networks)


async def _passes(name: str, check: Check, server: FhirServer) -> bool:
    try:
        async with asyncio.timeout(_PATIENCE_S):
            await check(server)
    except Exception as error:
        _log.warning("readiness check failed: %s", name, extra={"error": describe(error)})
        return False
    return True


async def _database(server: FhirServer) -> None:
    """Raise unless the database answers: which one it is."""
    async with server.store.pool.connection(timeout=_PATIENCE_S) as conn:
        server.database = await identity(conn)


async def _migrations(server: FhirServer) -> None:
    """Raise unless the schema is the one this program needs; asked once, since only a newer program changes it."""
    if not server.schema_known:
        state = await asyncio.to_thread(schema, str(server.store.pool.conninfo))
        if not state.ready:
            raise RuntimeError("the database is not at the schema of this program")
        server.schema_known = True


async def _definitions(_server: FhirServer) -> None:
    if not definitions().resource_types:
        raise RuntimeError("no definitions")


CHECKS: dict[str, Check] = {"database": _database, "migrations": _migrations, "definitions": _definitions}
