"""A real server in processes of its own, for tests and benchmarks: embedded PostgreSQL, data folder, port."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psutil

from fhir_server.storage.embedded import EmbeddedPostgres

ROOT = Path(__file__).resolve().parents[1]
START_S = 120.0
SMALL = {"shutdown_s": "5", "postgres_options": '{"shared_buffers": "64MB"}'}
"""Settings for tests: several such servers fit beside each other."""


class LiveServer:
    """`healthbuddy serve` on a data folder: started, stopped or killed as often as wanted.

    Shape:  `settings` are names without prefix, in lower case; no demo data unless asked for
    """

    def __init__(self, data: Path, **settings: str) -> None:
        self.data = data
        self.port = free_port()
        self.settings = {
            "port": str(self.port), "data_dir": str(data), "demo_patients": "0", "workers": "2",
            "authorization": "open",
        } | settings  # fmt: skip
        self.scheme = "https" if "tls_certificate" in settings else "http"
        self.trusted: ssl.SSLContext | bool = True
        self.log = data / "server.log"
        self.postgres = EmbeddedPostgres(data / "postgres")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def root(self) -> str:
        """Where everything of it lies."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    @property
    def base(self) -> str:
        """The FHIR base."""
        return f"{self.root}/fhir"

    @property
    def pid(self) -> int:
        """The supervisor's process id."""
        assert self._process is not None
        return self._process.pid

    def postgres_pid(self) -> int:
        """Return the postmaster's process id."""
        pid = self.postgres.status().pid
        assert pid is not None
        return pid

    def children(self) -> list[int]:
        """Return the process ids of its workers and lanes."""
        postgres = self.postgres.status().pid
        return sorted(child.pid for child in psutil.Process(self.pid).children() if child.pid != postgres)

    def connections(self) -> dict[int, int]:
        """Return how many clients are connected to each child that has any."""
        established = {
            pid: [c for c in psutil.Process(pid).net_connections("tcp") if c.status == "ESTABLISHED"]
            for pid in self.children()
        }
        return {pid: len(found) for pid, found in established.items() if found}

    def get(self, path: str) -> httpx.Response:
        """Return the answer to a GET below the FHIR base."""
        return httpx.get(f"{self.base}/{path}", timeout=20, verify=self.trusted)

    def start(self) -> None:
        """Start it and wait until it is ready; raises RuntimeError with the log where it is not."""
        env = os.environ | {f"HEALTHBUDDY_{name.upper()}": value for name, value in self.settings.items()}
        command = (sys.executable, "-m", "fhir_server.cli", "serve")
        with self.log.open("ab") as out:
            self._process = subprocess.Popen(
                command, cwd=ROOT, env=env, stdout=out, stderr=out, start_new_session=True
            )
        self.wait_ready()

    def wait_ready(self) -> None:
        """Wait until `/health/ready` says so; raises RuntimeError with the log where it never does."""

        def is_ready() -> bool:
            return httpx.get(f"{self.root}/health/ready", timeout=5, verify=self.trusted).status_code == 200

        if not eventually(lambda: not self._runs() or is_ready(), START_S) or not self._runs():
            raise RuntimeError(f"the server is not ready:\n{self.log.read_text()[-4000:]}")

    def _runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send `number` to the supervisor."""
        os.kill(self.pid, number)

    def stop(self) -> int:
        """Return the exit code after SIGTERM; one that has ended already is only asked for its code."""
        if self._process is None:
            return 0
        if self._runs():
            self.signal(signal.SIGTERM)
        return self._process.wait(40)

    def kill_supervisor(self) -> None:
        """Kill the supervisor alone; what it started has to notice."""
        self.signal(signal.SIGKILL)
        assert self._process is not None
        self._process.wait(10)

    def kill(self) -> None:
        """Kill supervisor, workers and lanes at once, as a power cut would; the database lives on."""
        children = self.children()
        self.kill_supervisor()
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def kill_postgres(self) -> int:
        """Return the id of the postmaster that was killed; its children notice and end."""
        pid = self.postgres_pid()
        os.kill(pid, signal.SIGKILL)
        return pid


@contextlib.contextmanager
def serving(**settings: str) -> Iterator[LiveServer]:
    """Yield a running server on a fresh data folder; whatever still runs afterwards is ended, the folder removed."""
    with tempfile.TemporaryDirectory(prefix="hb-live-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o711)  # PostgreSQL may run as another user, below it
        server = LiveServer(Path(folder), **settings)
        try:
            server.start()
            yield server
        finally:
            server.stop()
            server.postgres.stop(force=True)


def free_port() -> int:
    """Return a TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def eventually(check: Callable[[], bool], seconds: float = 15) -> bool:
    """Return whether `check` held within `seconds`; a server or process that is not there means: not yet."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.HTTPError, psutil.Error):
            if check():
                return True
        time.sleep(0.05)
    return False
