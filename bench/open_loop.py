"""Latency at a fixed arrival rate: requests start on time whether or not earlier ones have been answered.

    python bench/open_loop.py [--rate 300] [--seconds 10]

A closed loop hides waiting (a slow answer delays the next question); here each latency counts from the moment at which
the request was due. The mix is 70% reads, 20% searches by patient and code, 10% creates.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time

import aiohttp

from tests.live import serving

JSON = {"Content-Type": "application/fhir+json", "Accept": "application/fhir+json"}
PATIENTS, OBSERVATIONS = 50, 20
CODE = "http://loinc.org|8867-4"


def observation(patient: str, number: int) -> bytes:
    """Return a heart rate of `patient`."""
    return json.dumps({
        "resourceType": "Observation",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        "subject": {"reference": patient},
        "effectiveDateTime": f"20{number % 20 + 1:02d}-01-01T10:00:00Z",
        "valueQuantity": {"value": 72, "unit": "/min", "system": "http://unitsofmeasure.org", "code": "/min"},
    }).encode()  # fmt: skip


async def fill(session: aiohttp.ClientSession, base: str) -> tuple[list[str], list[str]]:
    """Return (patients, observations) that were made to be asked for."""
    patients, observations = [], []
    for number in range(PATIENTS):
        body = json.dumps({"resourceType": "Patient", "name": [{"family": f"Open{number}"}]}).encode()
        async with session.post(f"{base}/Patient", data=body, headers=JSON) as answer:
            patients.append("Patient/" + (await answer.json(content_type=None))["id"])
        for each in range(OBSERVATIONS):
            async with session.post(
                f"{base}/Observation", data=observation(patients[-1], each), headers=JSON
            ) as answer:
                observations.append("Observation/" + (await answer.json(content_type=None))["id"])
    return patients, observations


async def one(
    session: aiohttp.ClientSession, base: str, known: tuple[list[str], list[str]], due: float
) -> tuple[str, float, int]:
    """Return (kind, seconds since `due`, status) of one request of the mix."""
    draw, patient = random.random(), random.choice(known[0])
    if draw < 0.7:
        kind, method, url, body = "read", "GET", f"{base}/{random.choice(known[1])}", None
    elif draw < 0.9:
        query = f"patient={patient}&code={CODE}&_sort=-date&_count=20"
        kind, method, url, body = "search", "GET", f"{base}/Observation?{query}", None
    else:
        kind, method, url, body = "create", "POST", f"{base}/Observation", observation(patient, 1)
    async with session.request(method, url, data=body, headers=JSON) as answer:
        await answer.read()
        return kind, time.perf_counter() - due, answer.status


async def run(base: str, rate: float, seconds: float) -> None:
    """Print p50, p95 and p99 of each kind at `rate` requests a second."""
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        known = await fill(session, base)
        start = time.perf_counter()
        tasks = []
        for number in range(int(rate * seconds)):
            due = start + number / rate
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            tasks.append(asyncio.create_task(one(session, base, known, due)))
        answers = await asyncio.gather(*tasks)
    refused = sum(status >= 400 for _, _, status in answers)
    print(f"{rate:.0f} requests/s for {seconds:.0f} s, {refused} refused")
    print("| kind | n | p50 ms | p95 ms | p99 ms |\n|---|---|---|---|---|")
    for kind in ("read", "search", "create"):
        times = sorted(t * 1000 for k, t, _ in answers if k == kind)
        marks = [times[min(len(times) - 1, int(len(times) * share))] for share in (0.5, 0.95, 0.99)]
        print(f"| {kind} | {len(times)} | " + " | ".join(f"{mark:.1f}" for mark in marks) + " |")


def main() -> None:
    """Start a server and drive it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rate", type=float, default=300)
    options.add_argument("--seconds", type=float, default=10)
    given = options.parse_args()
    with serving() as server:
        asyncio.run(run(server.base, given.rate, given.seconds))


if __name__ == "__main__":
    main()
