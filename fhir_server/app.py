"""The ASGI application: `/fhir` straight to the FHIR endpoint, everything else through FastAPI."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import sys
from collections.abc import AsyncIterator

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from fhir_server import background, keys
from fhir_server.audit.checkpoint import key_of, new_key
from fhir_server.audit.signer import signing
from fhir_server.audit.trail import ChainedTrail
from fhir_server.auth import authority, sessions
from fhir_server.changes.ids import new_id
from fhir_server.concepts import searching
from fhir_server.crypto.files import secret_file
from fhir_server.interactions import HANDLERS
from fhir_server.logs import AccessLog
from fhir_server.operations import lookup
from fhir_server.pages import app_state, discovered, oauth, people
from fhir_server.rest.config import RestConfig
from fhir_server.rest.cors import Cors
from fhir_server.rest.door import Door
from fhir_server.rest.health import figures, live, ready
from fhir_server.rest.page import elsewhere, home
from fhir_server.rest.server import FhirServer, sample
from fhir_server.search import granular
from fhir_server.search.context import configure, protect
from fhir_server.settings import Settings
from fhir_server.storage import jobs
from fhir_server.storage.store import Store
from fhir_server.version import NAME, VERSION
from resources import fhirpath
from resources.definitions import definitions
from resources.validate.narrative import div_problem
from terminology import ucum

ABOUT = "What lies beside FHIR. The FHIR interface under /fhir describes itself at /fhir/metadata."
"""The description in /openapi.json. There is no page that shows it: such pages load scripts from elsewhere."""


class App(FastAPI):
    """FastAPI for the app's own routes and OpenAPI; FHIR requests pass by its middleware and router.

    Mounted inside FastAPI a read costs 29 µs of ours instead of 15 (database and uvicorn left out).
    """

    fhir: FhirServer
    door: Door
    beside: tuple[str, ...] = ()
    """Paths below the FHIR base that are none of FHIR's."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request or run the lifespan."""
        if scope["type"] == "http":
            await self.door(self._inside, scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    async def _inside(self, scope: Scope, receive: Receive, send: Send) -> None:
        path: str = scope["path"]
        if (path.startswith("/fhir/") or path == "/fhir") and not path.startswith(self.beside):
            await self.fhir(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


def create_app(settings: Settings) -> App:
    """Return the ASGI app; its lifespan opens and closes the storage."""
    fhirpath.register(canonical=ucum.canonical, html_problem=div_problem)
    lookup.connect()
    searching.connect()
    app = App(
        title=NAME, version=VERSION, description=ABOUT, lifespan=_lifespan, docs_url=None, redoc_url=None
    )
    access = AccessLog(sys.stderr.buffer if settings.access_log else None)
    app.fhir = FhirServer(settings, rest_config(settings), HANDLERS, access)
    app.state.fhir = app.fhir
    tls = settings.tls_certificate is not None
    cors = app.state.cors = Cors(settings.cors_origins)
    app.door = Door(settings.proxies, app.fhir.rates, cors, tls=tls)
    app.add_exception_handler(HTTPException, elsewhere)
    if settings.authorization == "smart":
        app.beside = ("/fhir/.well-known/",)
        app.router.routes.extend([*discovered.ROUTES, *oauth.ROUTES, *app_state.ROUTES])
        people.mounted(app)
    app.add_route("/", home, methods=["GET"], include_in_schema=False)
    for path, endpoint, summary in (
        ("/health/live", live, "Whether the process turns"),
        ("/health/ready", ready, "Whether database, schema and definitions are there"),
        ("/metrics", figures, "Figures for Prometheus"),
    ):
        app.add_api_route(path, endpoint, methods=["GET"], summary=summary, response_model=None)
        app.add_api_route(path, endpoint, methods=["HEAD"], include_in_schema=False, response_model=None)
    return app


def rest_config(settings: Settings) -> RestConfig:
    """Return the HTTP side's limits as `settings` has them."""
    return RestConfig(
        public_base=settings.base_url,
        max_body=settings.max_body_bytes,
        body_budget=settings.body_budget_bytes,
        in_flight=settings.in_flight,
        queue=settings.queue,
        queue_seconds=settings.queue_seconds,
    )


async def _open(settings: Settings) -> Store:
    sealer = keys.sealer(settings)
    await keys.ready(settings, sealer)
    return await Store.open(
        settings.database_url,
        pool_size=settings.pool_size,
        timeout_s=settings.pool_timeout_s,
        statement_timeout_s=settings.statement_timeout_s,
        sealer=sealer,
    )


def _configure_search(settings: Settings, store: Store) -> None:
    configure(
        token_key=store.keys["token-hash"],
        cursor_key=store.keys["cursor-signature"],
        zone=settings.time_zone,
        bases=(settings.own_base,),
        page_size=settings.page_size,
        page_size_max=settings.page_size_max,
        codes_max=settings.value_set_codes_max,
        explain=settings.search_explain,
    )
    protect(settings.search_in_clear, sealed=settings.encryption == "on")


async def _signing(server: FhirServer) -> None:
    settings = server.settings
    key = key_of(secret_file(settings.data_dir / "keys" / "audit-signing", new_key))
    await signing(server.store, key, settings.audit_copy or settings.data_dir / "audit-checkpoints.jsonl")


@contextlib.asynccontextmanager
async def _authority(app: FastAPI, server: FhirServer) -> AsyncIterator[None]:
    """Have the authorization server at work, where there is one."""
    if server.settings.authorization == "open":
        yield
        return
    async with authority.running(server.settings, server.store) as one:
        one.people, one.trail, one.granular = sessions, server.trail, granular.problem
        app.state.authority = one
        server.authenticate = one.bearer.grant
        app.state.cors.registered = one.origins
        async with people.at_work(app.state.desk):
            yield


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    server: FhirServer = app.state.fhir
    definitions()
    server.store = await _open(server.settings)
    _configure_search(server.settings, server.store)
    async with server.store.transaction() as conn:
        await jobs.in_zone(conn, new_id(), server.settings.time_zone)
    gc.freeze()
    sides = [asyncio.create_task(sample(server))]
    if server.settings.audited:
        server.trail = ChainedTrail(server.settings.database_url)
        sides.append(asyncio.create_task(_signing(server)))
    try:
        # a web worker leaves reindexing to its lane
        async with (
            background.running(server.settings, reindexes=server.lane is None),
            _authority(app, server),
        ):
            yield
    finally:
        await background.cancelled(sides)
        await server.trail.close()
        await server.rates.close()
        server.access.flush()
        await server.store.close()
