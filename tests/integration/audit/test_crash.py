"""Whatever is killed, no request was answered without its entry in the trail, and the trail stays whole.

Shape:  the ledger of answered requests lies outside of every process that is killed; entries are found by request id
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest
from typer.testing import CliRunner

from fhir_server import cli
from fhir_server.audit.entry import unpacked
from tests.live import SMALL, LiveServer, eventually, serving

READERS = 6
WARM = 60
"""Requests that must be answered in a round before the crash."""


class Ledger:
    """The ids of requests that were answered; 503 says that there was no answer."""

    def __init__(self) -> None:
        self.answered: set[str] = set()
        self._numbers = itertools.count(1)

    def next(self) -> str:
        """Return the id of a request that is about to be sent."""
        return f"crash-{next(self._numbers)}"


@pytest.fixture(scope="module")
def audited() -> Iterator[LiveServer]:
    with serving(**SMALL, audit="on") as server:
        body = {"resourceType": "Patient", "id": "one", "name": [{"family": "Kept"}]}
        assert httpx.put(f"{server.base}/Patient/one", json=body, timeout=20).status_code == 201
        yield server


async def ask(server: LiveServer, ledger: Ledger, stop: asyncio.Event) -> None:
    paths = itertools.cycle(["Patient/one", "Patient?family=Kept", "Patient/none", "Patient/one/_history"])
    async with httpx.AsyncClient(base_url=f"{server.base}/", timeout=15) as client:
        while not stop.is_set():
            name = ledger.next()
            try:
                answer = await client.get(next(paths), headers={"X-Request-Id": name})
            except httpx.HTTPError:
                await asyncio.sleep(0.05)
                continue
            if answer.status_code != 503:
                assert answer.headers["x-request-id"] == name
                ledger.answered.add(name)


def kill_a_worker(server: LiveServer) -> None:
    os.kill(min(server.children()), signal.SIGKILL)  # the oldest: each time another one


def kill_all(server: LiveServer) -> None:
    server.kill()
    server.start()


def kill_database(server: LiveServer) -> None:
    killed = server.kill_postgres()
    assert eventually(lambda: server.postgres.status().pid not in (None, killed))


async def round_of(server: LiveServer, ledger: Ledger, crash: Callable[[LiveServer], None]) -> None:
    stop, enough = asyncio.Event(), len(ledger.answered) + WARM
    readers = [asyncio.create_task(ask(server, ledger, stop)) for _ in range(READERS)]
    assert await asyncio.to_thread(eventually, lambda: len(ledger.answered) >= enough)
    await asyncio.to_thread(crash, server)
    again = len(ledger.answered) + WARM
    assert await asyncio.to_thread(eventually, lambda: len(ledger.answered) >= again, 30)
    stop.set()
    await asyncio.gather(*readers)


def written(server: LiveServer) -> set[str]:
    with psycopg.connect(server.postgres.conninfo()) as conn:
        return {unpacked(bytes(row[0])).request for row in conn.execute("SELECT record FROM audit_entry")}


@pytest.mark.slow
@pytest.mark.parametrize("crash", [kill_a_worker, kill_all, kill_database])
async def test_no_answered_request_is_missing_from_the_trail(
    audited: LiveServer, crash: Callable[[LiveServer], None]
) -> None:
    ledger = Ledger()
    for _ in range(3):
        await round_of(audited, ledger, crash)
    found = await asyncio.to_thread(written, audited)
    assert len(ledger.answered) >= 3 * 2 * WARM
    assert ledger.answered - found == set()


@pytest.mark.slow
def test_the_trail_is_whole_after_all_crashes(audited: LiveServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in audited.settings.items():
        monkeypatch.setenv(f"HEALTHBUDDY_{name.upper()}", value)
    done = CliRunner().invoke(cli.app, ["audit", "verify"])
    assert done.exit_code == 0, done.output
    assert "Nothing was removed" in done.output
    assert Path(audited.data / "audit-checkpoints.jsonl").stat().st_size > 0
