"""A real server in processes of its own, for tests and benchmarks: embedded PostgreSQL, data folder, port."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

ROOT = Path(__file__).resolve().parents[1]
START_S = 120.0


def free_port() -> int:
    """Return a TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class LiveServer:
    """`healthbuddy serve` on a data folder: started, stopped or killed as often as wanted.

    Shape:  `settings` are names without prefix, in lower case; no demo data unless asked for
    """

    def __init__(self, data: Path, **settings: str) -> None:
        self.data = data
        self.port = free_port()
        self.settings = {
            "port": str(self.port), "data_dir": str(data), "demo_patients": "0", "workers": "2",
        } | settings  # fmt: skip
        self.process: subprocess.Popen[bytes] | None = None
        self.log = data / "server.log"

    @property
    def base(self) -> str:
        """The FHIR base."""
        return f"http://127.0.0.1:{self.port}/fhir"

    @property
    def pid(self) -> int:
        """The supervisor's process id."""
        assert self.process is not None
        return self.process.pid

    def postgres_pid(self) -> int:
        """Return the postmaster's process id."""
        found = next(self.data.rglob("postmaster.pid"))
        return int(found.read_text().split("\n", 1)[0])

    def __enter__(self) -> LiveServer:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start it and wait until it is ready; raises RuntimeError with the log where it is not."""
        env = os.environ | {f"HEALTHBUDDY_{name.upper()}": value for name, value in self.settings.items()}
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "fhir_server.cli", "serve"], cwd=ROOT, env=env, stdout=out, stderr=out,
                start_new_session=True,
            )  # fmt: skip
        self.wait_ready()

    def wait_ready(self) -> None:
        """Wait until `/health/ready` answers."""
        end = time.monotonic() + START_S
        while time.monotonic() < end:
            if self.process is None or self.process.poll() is not None:
                break
            if self._answers():
                return
            time.sleep(0.1)
        raise RuntimeError(f"the server is not ready:\n{self.log.read_text()[-4000:]}")

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health/ready", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def stop(self) -> None:
        """Stop it as Ctrl-C would."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(40)
            except subprocess.TimeoutExpired:
                self.kill()
        self.process = None

    def kill(self) -> None:
        """Kill supervisor, workers and lanes at once, as a power cut would; the database lives on."""
        assert self.process is not None
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        postgres = str(self.postgres_pid())
        for pid in (str(self.process.pid), *children):
            if pid != postgres:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(int(pid), signal.SIGKILL)
        self.process.wait(10)

    def kill_postgres(self) -> None:
        """Kill the postmaster; its children notice and end."""
        os.kill(self.postgres_pid(), signal.SIGKILL)


@contextlib.contextmanager
def serving(**settings: str) -> Iterator[LiveServer]:
    """Yield a running server on a fresh data folder that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="hb-live-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        with LiveServer(Path(folder), **settings) as server:
            yield server
