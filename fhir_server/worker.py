"""What the supervisor's children do: serve HTTP, or work in a heavy lane. Both end when the supervisor does."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
from collections.abc import Callable, Coroutine
from typing import Any

import uvicorn
import uvloop

from fhir_server import logs
from fhir_server.app import App, create_app
from fhir_server.interactions import dispatch
from fhir_server.lanes import HeavyLane, LaneSocket, serve_lane
from fhir_server.protocol import Protocol
from fhir_server.rest.heavy import lane_handler
from fhir_server.settings import Settings
from fhir_server.tls import Certificate, certificate_of

KEEP_ALIVE_S = 75
HANDSHAKE_S = 10


def web_app(settings: Settings) -> App:
    """Return the app of the web workers."""
    return create_app(settings)


def lane_app(settings: Settings) -> App:
    """Return the app of the lanes, which work on few requests at a time and need few connections."""
    return create_app(settings.model_copy(update={"pool_size": settings.heavy_lane_in_flight + 1}))


class _Server(uvicorn.Server):
    """Serves connections that arrive as file descriptors on `channel`, one byte with each."""

    def __init__(
        self,
        config: uvicorn.Config,
        channel: socket.socket,
        ready: Callable[[], None],
        certificate: Certificate | None,
    ) -> None:
        super().__init__(config)
        self._channel = channel
        self._tell = ready
        self._certificate = certificate
        self._adopting: set[asyncio.Task[None]] = set()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to serve, and tell."""
        await super().startup(sockets)
        if self.started:
            self._channel.setblocking(False)
            asyncio.get_running_loop().add_reader(self._channel, self._receive)
            self._tell()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more connections, and let running requests finish."""
        asyncio.get_running_loop().remove_reader(self._channel)
        await super().shutdown(sockets)

    def _receive(self) -> None:
        try:
            data, descriptors, _, _ = socket.recv_fds(self._channel, 1, 1)
        except BlockingIOError:
            return
        if not data:  # the supervisor is gone; the lifeline ends us
            asyncio.get_running_loop().remove_reader(self._channel)
        for descriptor in descriptors:
            task = asyncio.create_task(self._adopt(socket.socket(fileno=descriptor)))
            self._adopting.add(task)
            task.add_done_callback(self._adopting.discard)

    async def _adopt(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        accept = asyncio.get_running_loop().connect_accepted_socket
        try:
            if self._certificate is None:
                await accept(self._protocol, connection)
            else:
                context = self._certificate.context()
                await accept(self._protocol, connection, ssl=context, ssl_handshake_timeout=HANDSHAKE_S)
        except OSError:  # the client left already, or speaks no TLS
            connection.close()

    def _protocol(self) -> asyncio.Protocol:
        return Protocol(config=self.config, server_state=self.server_state, app_state=self.lifespan.state)


def _configure_logs(settings: Settings) -> None:
    logs.configure(settings.log_level)
    logging.getLogger("uvicorn.error").setLevel(max(logging.WARNING, logging.getLogger().level))


def run_worker(
    app: App, channel: socket.socket, lane: LaneSocket, lifeline: int, ready: Callable[[], None]
) -> None:
    """Serve the connections that the supervisor hands over, until SIGTERM or until it is gone."""
    settings = app.fhir.settings
    _configure_logs(settings)
    config = uvicorn.Config(
        app,
        http="httptools",
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=int(settings.shutdown_s) or 1,
        backlog=2048,
    )
    server = _Server(config, channel, ready, certificate_of(settings))

    async def main() -> None:
        app.fhir.lane = HeavyLane(lane.path)

        def orphaned() -> None:
            server.should_exit = server.force_exit = True

        asyncio.get_running_loop().add_reader(lifeline, orphaned)
        await server.serve(sockets=[])
        await app.fhir.lane.close()

    _run(main())
    if not server.started:
        raise RuntimeError("the web worker could not start")


def run_lane(app: App, lane: LaneSocket, lifeline: int) -> None:
    """Work on the lane's requests until SIGTERM, or until the supervisor is gone."""
    settings = app.fhir.settings
    _configure_logs(settings)

    handle = lane_handler(app.fhir, dispatch)

    async def main() -> None:
        stop, loop = asyncio.Event(), asyncio.get_running_loop()
        loop.add_reader(lifeline, os._exit, 0)
        loop.add_signal_handler(signal.SIGTERM, stop.set)
        async with app.router.lifespan_context(app):
            await serve_lane(lane.socket, handle, at_once=settings.heavy_lane_in_flight, until=stop)

    _run(main())


def _run(main: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)
