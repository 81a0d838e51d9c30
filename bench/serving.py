"""A server of our own for a benchmark: fresh data folder, durable embedded PostgreSQL, no demo data."""

from __future__ import annotations

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
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]


class Serving(NamedTuple):
    """A running server: its FHIR base, its process and its data folder."""

    base: str
    pid: int
    data: Path

    def postgres_pid(self) -> int:
        """Return the postmaster's process id."""
        found = next(self.data.rglob("postmaster.pid"))
        return int(found.read_text().split("\n", 1)[0])


def free_port() -> int:
    """Return a TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def serving(**settings: str) -> Iterator[Serving]:
    """Yield a server that answers; `settings` are environment settings without prefix, in lower case."""
    with tempfile.TemporaryDirectory(prefix="hb-bench-") as folder:
        port = free_port()
        wanted = {"port": str(port), "data_dir": folder, "demo_patients": "0", "workers": "2"} | settings
        env = os.environ | {f"HEALTHBUDDY_{name.upper()}": value for name, value in wanted.items()}
        log = Path(folder) / "server.log"
        with log.open("wb") as out:
            process = subprocess.Popen(
                [sys.executable, "-m", "fhir_server", "serve"], cwd=ROOT, env=env, stdout=out, stderr=out
            )
            try:
                _wait(f"http://127.0.0.1:{port}/health/ready", process, log)
                yield Serving(f"http://127.0.0.1:{port}/fhir", process.pid, Path(wanted["data_dir"]))
            finally:
                process.send_signal(signal.SIGINT)
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    process.kill()


def _wait(url: str, process: subprocess.Popen[bytes], log: Path, seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if process.poll() is not None:
            raise SystemExit(f"the server ended with {process.returncode}:\n{log.read_text()[-3000:]}")
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise SystemExit(f"no answer from {url}:\n{log.read_text()[-3000:]}")
