"""A running `healthbuddy serve` for tests, in processes of its own and with a durable database."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import psutil

from fhir_server.storage.embedded import EmbeddedPostgres

ROOT = Path(__file__).parents[1]


class Served:
    """A running `healthbuddy serve`."""

    def __init__(self, folder: Path, *options: str) -> None:
        read, write = os.pipe()
        environment = {**os.environ, "HEALTHBUDDY_DATA_DIR": str(folder), "HEALTHBUDDY_SHUTDOWN_S": "5"}
        environment["HEALTHBUDDY_POSTGRES_OPTIONS"] = '{"shared_buffers": "64MB"}'
        command = [
            sys.executable,
            "-m",
            "fhir_server.cli",
            "serve",
            "--port=0",
            "--no-demo",
            f"--ready-fd={write}",
        ]
        self.process = subprocess.Popen(
            [*command, *options],
            env=environment,
            pass_fds=(write,),
            stderr=subprocess.PIPE,
            cwd=ROOT,
        )
        os.close(write)
        with os.fdopen(read) as ready:
            self.base = ready.readline().strip()
        assert self.base, self.process.communicate()[1].decode()
        self.postgres = EmbeddedPostgres(folder / "postgres")

    def children(self) -> list[int]:
        return sorted(child.pid for child in psutil.Process(self.process.pid).children())

    def connections(self) -> dict[int, int]:
        """How many connections each child has to a client."""
        established = {
            pid: [c for c in psutil.Process(pid).net_connections("tcp") if c.status == "ESTABLISHED"]
            for pid in self.children()
        }
        return {pid: len(found) for pid, found in established.items() if found}

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"{self.base}/{path}", timeout=20)

    def end(self) -> int:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self.process.communicate(timeout=30)
        return self.process.returncode


def eventually(check: Callable[[], bool], seconds: float = 15) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            if check():
                return True
        except (httpx.HTTPError, psutil.Error):
            pass
        time.sleep(0.05)
    return False
