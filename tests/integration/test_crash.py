"""Kill -9 of the database or the server in the middle of a load: what was acknowledged stays, nothing is half there."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from fhir_server.storage.embedded import EmbeddedPostgres
from tests.served import Served

SIZE = 20
ROUNDS = 3


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="hb-crash-"))
    path.chmod(0o711)
    yield path
    EmbeddedPostgres(path / "postgres").stop(force=True)
    shutil.rmtree(path)


def bundle(number: int) -> bytes:
    entries = [
        {
            "resource": {"resourceType": "Basic", "id": f"b{number}-{n}", "code": {"text": "crash"}},
            "request": {"method": "PUT", "url": f"Basic/b{number}-{n}"},
        }
        for n in range(SIZE)
    ]
    return json.dumps({"resourceType": "Bundle", "type": "transaction", "entry": entries}).encode()


class Writers:
    """Threads that write one bundle after the other and remember which were acknowledged."""

    def __init__(self, first: int) -> None:
        self.acknowledged: list[int] = []
        self.sent = first
        self.base = ""
        self._lock = threading.Lock()
        self._stop = threading.Event()

    def write(self) -> None:
        with httpx.Client(timeout=20, headers={"Content-Type": "application/fhir+json"}) as client:
            while not self._stop.is_set():
                with self._lock:
                    self.sent += 1
                    number = self.sent
                try:
                    if client.post(self.base, content=bundle(number)).status_code == 200:
                        self.acknowledged.append(number)
                except httpx.HTTPError:
                    time.sleep(0.01)

    def during(self, base: str, crash: int) -> None:
        """Write to `base` from four threads, and kill process `crash` in the middle."""
        self.base = base
        self._stop.clear()
        threads = [threading.Thread(target=self.write) for _ in range(4)]
        for thread in threads:
            thread.start()
        enough = len(self.acknowledged) + 20
        while len(self.acknowledged) < enough:
            time.sleep(0.005)
        os.kill(crash, signal.SIGKILL)
        self._stop.set()
        for thread in threads:
            thread.join()


def stored(postgres: EmbeddedPostgres) -> Counter[int]:
    with psycopg.connect(postgres.conninfo()) as conn:
        rows = conn.execute("SELECT id FROM resource WHERE live AND id LIKE 'b%-%'").fetchall()
    return Counter(int(row[0][1:].split("-")[0]) for row in rows)


@pytest.mark.slow
@pytest.mark.parametrize("victim", ["database", "server"])
def test_nothing_acknowledged_is_lost_and_nothing_is_half_there(folder: Path, victim: str) -> None:
    writers = Writers(0)
    for _ in range(ROUNDS):
        served = Served(folder, "--workers=2")
        try:
            crash = served.postgres.status().pid if victim == "database" else served.process.pid
            assert crash is not None
            writers.during(served.base, crash)
        finally:
            served.process.kill()
            served.process.communicate()
    with EmbeddedPostgres(folder / "postgres") as postgres:
        found = stored(postgres)
    assert len(writers.acknowledged) >= 20 * ROUNDS
    assert [number for number in writers.acknowledged if found[number] != SIZE] == []
    assert {number: count for number, count in found.items() if count != SIZE} == {}
