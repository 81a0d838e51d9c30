"""A server that listens and a Chromium that looks at it; skipped where there is none."""

from __future__ import annotations

import shutil
import socket
import threading
import time
from collections.abc import Iterator

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, sync_playwright

from fhir_server.app import App, create_app
from fhir_server.settings import Settings

START_SECONDS = 30


class Site:
    """A running server."""

    def __init__(self, app: App, base: str, database_url: str) -> None:
        self.app, self.base, self.database_url = app, base, database_url


@pytest.fixture(scope="module")
def site(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Yield a server with authorization on a port of its own."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        base = f"http://localhost:{listener.getsockname()[1]}"
        settings = Settings(
            database_url=database_url,
            pool_size=4,
            base_url=f"{base}/fhir",
            authorization="smart",
            data_dir=tmp_path_factory.mktemp("data"),
        )
        app = create_app(settings)
        server = uvicorn.Server(uvicorn.Config(app, ws="none", log_config=None, access_log=False))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + START_SECONDS
        while not server.started and thread.is_alive() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert server.started
        try:
            yield Site(app, base, database_url)
        finally:
            server.should_exit = True
            thread.join(START_SECONDS)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Yield the Chromium of this machine; not for longer: while it is there, no other event loop can run."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("there is no Chromium on this machine")
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=found, args=["--no-sandbox"])
        try:
            yield browser
        finally:
            browser.close()


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """Yield a window in which every complaint of the browser is an error."""
    context = chromium.new_context(viewport={"width": 1000, "height": 800})
    one = context.new_page()
    complaints: list[str] = []
    one.on(
        "console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None
    )
    one.on("pageerror", lambda error: complaints.append(str(error)))
    yield one
    context.close()
    assert [text for text in complaints if "401" not in text and "400" not in text] == []
