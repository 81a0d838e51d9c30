"""The FHIR endpoint as one raw ASGI application: read the call, run the interaction, send the reply."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from time import perf_counter
from typing import TYPE_CHECKING

import msgspec
from starlette.types import Receive, Scope, Send

from fhir_server import metrics, operations
from fhir_server.access import current
from fhir_server.audit.trail import NoTrail, Trail
from fhir_server.changes.conditions import entity_tags
from fhir_server.exchange import Handler, Request, Result, Session
from fhir_server.faults import as_fhir_error
from fhir_server.lanes import HeavyLane
from fhir_server.logs import AccessLog
from fhir_server.rest.admission import Authenticate, answered, epoch_of, granted, policies_of
from fhir_server.rest.audited import of_call
from fhir_server.rest.body import DisconnectedError, read_body
from fhir_server.rest.call import Call, Reply, parse_pairs
from fhir_server.rest.config import RestConfig
from fhir_server.rest.incoming import request_of, understood
from fhir_server.rest.limited import rates_of
from fhir_server.rest.limits import Budget, Gate
from fhir_server.rest.negotiate import Answer, accepted, negotiate
from fhir_server.rest.outgoing import error_reply, reply_of
from fhir_server.routing import allowed, route
from resources.outcome import FhirError

if TYPE_CHECKING:
    from fhir_server.settings import Settings
    from fhir_server.storage.store import Store

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BODIES = frozenset({"POST", "PUT", "PATCH"})


class FhirServer:
    """What serves `/fhir`: the table of interactions, the store, and the limits of this worker.

    Shape:  `store` and `trail` are set while the app's lifespan runs; `lane`, where there is one, by whoever starts
            the worker
    """

    store: Store
    trail: Trail = NoTrail()

    def __init__(
        self, settings: Settings, config: RestConfig, handlers: Mapping[str, Handler], access: AccessLog
    ) -> None:
        self.settings = settings
        self.config = config
        self.handlers = handlers
        self.access = access
        self.gate = Gate(config.in_flight, config.queue, config.queue_seconds)
        self.budget = Budget(config.body_budget)
        self.rates = rates_of(settings)
        self.lane: HeavyLane | None = None
        self.heavy_from = settings.heavy_lane_bytes
        self.prefix = len("/fhir/")
        self.schema_known = False
        self.policies = policies_of(self)
        self.epoch = epoch_of(self)
        self.authenticate: Authenticate | None = None
        self.database = ""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request; whatever goes wrong becomes an OperationOutcome."""
        started = perf_counter()
        call = Call(scope, self.prefix, self.config.public_base)
        try:
            reply = await self._answered(call, scope, receive)
        except DisconnectedError:
            return
        except Exception as error:
            reply = await error_reply(call, as_fhir_error(error, call.id))
        await send({"type": "http.response.start", "status": reply.status, "headers": reply.headers})
        await send({"type": "http.response.body", "body": reply.body})
        self._note(call, reply, perf_counter() - started)

    def _note(self, call: Call, reply: Reply, seconds: float) -> None:
        interaction = call.route.interaction or "unrouted"
        method = call.method if call.method in _METHODS else "OTHER"
        metrics.observe(interaction, call.route.type, reply.status, seconds)
        self.access.add(call.id, method, interaction, call.route.type, reply.status, seconds, len(reply.body))

    async def _answered(self, call: Call, scope: Scope, receive: Receive) -> Reply:
        """Return what is answered, once the trail has it."""
        if not self.settings.audited:
            return await self._answer(call, scope, receive)
        with current.touching() as touched:
            try:
                reply = await self._answer(call, scope, receive)
            except DisconnectedError:
                raise
            except Exception as error:
                reply = await error_reply(call, as_fhir_error(error, call.id))
        one = of_call(call, call.grant, reply, touched)
        if one is not None:
            await self.trail.record(one)
        return reply

    async def _answer(self, call: Call, scope: Scope, receive: Receive) -> Reply:
        raw_query: bytes = scope.get("query_string", b"")
        self._check_sizes(call, raw_query)
        if raw_query:
            call.query = parse_pairs(raw_query, "query string")
        if call.method == "OPTIONS":
            return _options(call)
        call.route = route(call.method, call.path)
        handler = self._handler(call)
        call.grant = await granted(call, scope, self.settings, self.authenticate)
        await self.rates.spend(call.grant)
        answer = call.answer = _negotiated(call)
        for name in ("if-match", "if-none-match"):
            if name in call.headers:
                entity_tags(name.title(), call.headers[name])
        if call.method not in _BODIES:
            return await self._run(call, b"", handler, answer)
        config = self.config
        body = await read_body(receive, call.headers, config.max_body, config.body_seconds, self.budget)
        try:
            return await self._run(call, body, handler, answer)
        finally:
            self.budget.give(len(body))

    async def _run(self, call: Call, body: bytes, handler: Handler, answer: Answer) -> Reply:
        await self.gate.enter()
        try:
            request = request_of(call, body)
            if request.query is not call.query and request.method != call.method:
                answer = call.answer = negotiate(call.headers.get("accept"), request.query)
            request = msgspec.structs.replace(request, grant=call.grant)
            result = await answered(
                self, self.epoch, call, lambda: self._result(call, request, handler), request.path
            )
            return await reply_of(call, result, answer)
        finally:
            self.gate.leave()

    async def _result(self, call: Call, request: Request, handler: Handler) -> Result:
        if self.lane is not None and len(request.body) > self.heavy_from:
            result = await self.lane.submit(request)
            current.touched(result.touched)
            return result
        return await handler(Session(self), await understood(request, call.route))

    def _handler(self, call: Call) -> Handler:
        if call.route.interaction == "operation":
            return operations.handler(call.route, call.method, call.query)
        found = self.handlers.get(call.route.interaction)
        if found is None:
            raise FhirError(
                404, "not-supported", f"The interaction {call.route.interaction} is not supported"
            )
        return found

    def _check_sizes(self, call: Call, raw_query: bytes) -> None:
        if len(raw_query) + len(call.path) > self.config.max_url:
            text = (
                f"The URL is longer than {self.config.max_url} bytes; a search can be sent by POST to _search"
            )
            raise FhirError(414, "too-long", text)
        headers = call.headers
        if len(headers) > 100 or sum(map(len, headers.values())) > self.config.max_headers:
            raise FhirError(431, "too-long", "The request's headers are too large")


def _negotiated(call: Call) -> Answer:
    """Return the form of the answer; a Binary may be asked for in its own type, which is weighed when it is read."""
    accept = call.headers.get("accept")
    if accept and call.route.type == "Binary" and accepted(accept) is None:
        accept = None
    return negotiate(accept, call.query)


def _options(call: Call) -> Reply:
    methods = ", ".join(allowed(call.path))
    return Reply(204, [(b"allow", methods.encode("ascii")), (b"x-request-id", call.id.encode("ascii"))])


async def sample(server: FhirServer, every: float = 1.0) -> None:
    """Refresh the gauges and write the access log out, again and again until cancelled."""
    refused = 0
    while True:
        await asyncio.sleep(every)
        metrics.IN_FLIGHT.set(server.gate.busy)
        metrics.QUEUED.set(len(server.gate.waiting))
        metrics.REFUSED.inc(server.gate.refused - refused)
        refused = server.gate.refused
        if server.lane is not None:
            metrics.HEAVY.labels("in_flight").set(server.lane.in_flight)
        stats = server.store.pool.get_stats()
        for figure in metrics.POOL_FIGURES:
            metrics.POOL.labels(figure).set(stats.get(figure, 0))
        server.access.flush()
