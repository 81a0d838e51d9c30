"""A server that listens, for clients that bring their own HTTP."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn

from fhir_server.app import create_app
from fhir_server.settings import Settings

START_SECONDS = 20


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
