"""Clients on the app in this process, and a server that listens, for clients that bring their own HTTP."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
import uvicorn

from fhir_server.app import create_app
from fhir_server.settings import Settings
from tests.integration.web import client as web_client

START_SECONDS = 20


@pytest.fixture
async def web(database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client on this module's database."""
    async with web_client(database_url) as one:
        yield one


@pytest.fixture(scope="module")
def live_server(database_url: str) -> Iterator[str]:
    """Yield the FHIR base of a server on a port of its own, with this module's database behind it."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{listener.getsockname()[1]}/fhir"
        app = create_app(Settings(database_url=database_url, pool_size=4, base_url=base))
        server = uvicorn.Server(
            uvicorn.Config(app, ws="none", lifespan="on", log_config=None, access_log=False)
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            _wait_for(server, thread)
            yield base
        finally:
            server.should_exit = True
            thread.join(START_SECONDS)


def _wait_for(server: uvicorn.Server, thread: threading.Thread) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not server.started:
        if not thread.is_alive() or time.monotonic() > deadline:
            pytest.fail("the server does not start")
        time.sleep(0.02)
