"""Our share of the bare program's throughput: reads by id and inserts, both programs in turn, in one run.

Rounds alternate (bare, ours, bare, ours, …) and the medians are compared, so that a busy machine hurts both alike.

    python -m bench share
    python -m bench.share [--database URL --ours http://127.0.0.1:8000/fhir] [--seconds 3] [--rounds 5]

Without a database it starts a durable one of its own, and a server of ours with one worker.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import aiohttp

from fhir_server.storage.embedded import EmbeddedPostgres
from tests.live import serving

HERE = Path(__file__).resolve().parent
JSON = {
    "Content-Type": "application/fhir+json",
    "Accept": "application/fhir+json",
    "Accept-Encoding": "identity",
}
Call = Callable[[aiohttp.ClientSession], Awaitable[int]]


def observation() -> bytes:
    """Return an Observation of about 2 kB, as a laboratory would send it."""
    note = "Specimen received in good order; measured twice, the second value reported. " * 14
    return json.dumps({
        "resourceType": "Observation",
        "status": "final",
        "category": [{"coding": [{
            "system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "laboratory"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "2339-0", "display": "Glucose"}], "text": "Glucose"},
        "subject": {"reference": "Patient/bench-1"},
        "effectiveDateTime": "2020-09-13T12:26:40Z",
        "issued": "2020-09-13T12:30:00.000Z",
        "valueQuantity": {
            "value": 87.5, "unit": "mg/dL", "system": "http://unitsofmeasure.org", "code": "mg/dL"},
        "note": [{"text": note}],
    }).encode()  # fmt: skip


async def make(session: aiohttp.ClientSession, url: str, body: bytes) -> str:
    """Return the URL of a new row or resource."""
    async with session.post(url, data=body, headers=JSON) as answer:
        answer.raise_for_status()
        await answer.read()
        return answer.headers["Location"].split("/_history/")[0]


def reader(urls: list[str]) -> Call:
    """Return a call that reads the next of `urls`."""
    turn = iter(range(1 << 60))

    async def call(session: aiohttp.ClientSession) -> int:
        async with session.get(urls[next(turn) % len(urls)], headers=JSON) as answer:
            await answer.read()
            return answer.status

    return call


def writer(url: str, body: bytes) -> Call:
    """Return a call that stores `body` once more."""

    async def call(session: aiohttp.ClientSession) -> int:
        async with session.post(url, data=body, headers=JSON) as answer:
            await answer.read()
            return answer.status

    return call


async def rate(session: aiohttp.ClientSession, call: Call, seconds: float, workers: int) -> float:
    """Return answers per second of a closed loop; anything but 2xx ends the run."""
    done, end = 0, time.perf_counter() + seconds

    async def loop() -> None:
        nonlocal done
        while time.perf_counter() < end:
            status = await call(session)
            if status not in (200, 201):
                raise RuntimeError(f"answered {status}")
            done += 1

    started = time.perf_counter()
    await asyncio.gather(*(loop() for _ in range(workers)))
    return done / (time.perf_counter() - started)


async def compare(bare: str, ours: str, given: argparse.Namespace) -> dict[str, Any]:
    """Return the medians of both programs and our share, for read and create."""
    body = observation()
    async with aiohttp.ClientSession() as session:
        await put_patient(session, ours)
        rows = [f"{bare}{await make(session, f'{bare}/rows', body)}" for _ in range(200)]
        resources = [await make(session, f"{ours}/Observation", body) for _ in range(200)]
        pairs = {
            "read": (reader(rows), reader(resources)),
            "create": (writer(f"{bare}/rows", body), writer(f"{ours}/Observation", body)),
        }
        result = {}
        for name, (theirs, mine) in pairs.items():
            await rate(session, theirs, 1, given.concurrency)
            await rate(session, mine, 1, given.concurrency)
            rounds = [
                [await rate(session, call, given.seconds, given.concurrency) for call in (theirs, mine)]
                for _ in range(given.rounds)
            ]
            first, second = (statistics.median(column) for column in zip(*rounds, strict=True))
            share = statistics.median(b / a for a, b in rounds)
            result[name] = {"bare": round(first), "ours": round(second), "share": round(share, 3)}
        return result


async def put_patient(session: aiohttp.ClientSession, ours: str) -> None:
    """Store the patient whom the observations are about."""
    patient = b'{"resourceType":"Patient","id":"bench-1","name":[{"family":"Bench"}]}'
    async with session.put(f"{ours}/Patient/bench-1", data=patient, headers=JSON) as answer:
        answer.raise_for_status()


def wait_for(url: str, patience: float = 20.0) -> None:
    """Return once something answers at `url`."""

    async def ask() -> None:
        async with aiohttp.ClientSession() as session, session.get(url):
            pass

    end = time.monotonic() + patience
    while True:
        try:
            return asyncio.run(ask())
        except aiohttp.ClientError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def main() -> None:
    """Run both programs against each other and print our share as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--database", default="", help="PostgreSQL URL that both programs use")
    parser.add_argument("--ours", default="", help="the running server, with one worker")
    parser.add_argument("--port", type=int, default=8099)
    parser.add_argument("--pool", type=int, default=10)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--concurrency", type=int, default=8)
    given = parser.parse_args()
    if given.database:
        return measure(given)
    with serving(workers="1") as server:
        given.database = EmbeddedPostgres(server.data / "postgres").conninfo()
        given.ours = server.base
        return measure(given)


def measure(given: argparse.Namespace) -> None:
    """Start the bare program beside ours and print the medians and our share."""
    command = [sys.executable, str(HERE / "bare.py"), "--database", given.database, "--port", str(given.port)]
    with subprocess.Popen([*command, "--pool", str(given.pool)]) as program:
        try:
            bare = f"http://127.0.0.1:{given.port}"
            wait_for(f"{bare}/rows/none")
            wait_for(f"{given.ours}/metadata")
            print(json.dumps(asyncio.run(compare(bare, given.ours, given)), indent=2))
        finally:
            program.terminate()


if __name__ == "__main__":
    main()
