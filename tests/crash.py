"""Killed servers and databases: what was acknowledged is there, and nothing is there by half.

The ledger lies outside of every process that is killed.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import Any

import httpx

from tests.live import LiveServer

SYSTEM = "http://example.org/crash"
SIZE = 6
WRITERS = 4


class Ledger:
    """Which bundles were sent, and which of them the server said were done."""

    def __init__(self) -> None:
        self.sent: set[str] = set()
        self.acknowledged: set[str] = set()


def bundle(name: str) -> dict[str, Any]:
    """Return a transaction of SIZE resources that can be found by `name` alone."""
    urn = f"urn:uuid:00000000-0000-4000-8000-{int(name):012d}"
    identifier = [{"system": SYSTEM, "value": name}]
    patient = {"resourceType": "Patient", "identifier": identifier, "name": [{"family": f"Crash{name}"}]}
    observation = {
        "resourceType": "Observation",
        "status": "final",
        "identifier": identifier,
        "code": {"coding": [{"system": "http://loinc.org", "code": "8867-4"}]},
        "subject": {"reference": urn},
    }
    entries = [{"fullUrl": urn, "resource": patient, "request": {"method": "POST", "url": "Patient"}}]
    entries += [{"resource": observation, "request": {"method": "POST", "url": "Observation"}}] * (SIZE - 1)
    return {"resourceType": "Bundle", "type": "transaction", "entry": entries}


async def load(base: str, names: itertools.count[int], ledger: Ledger, stop: asyncio.Event) -> None:
    """Send bundles until told to stop; a refusal or a cut connection only means: not acknowledged."""
    async with httpx.AsyncClient(timeout=15) as client:
        while not stop.is_set():
            name = str(next(names))
            ledger.sent.add(name)
            try:
                answer = await client.post(base, json=bundle(name))
            except httpx.HTTPError:
                await asyncio.sleep(0.05)
                continue
            if answer.status_code == 200:
                ledger.acknowledged.add(name)
            else:
                assert answer.status_code in (503, 409), answer.text


async def round_of(
    server: LiveServer, ledger: Ledger, names: itertools.count[int], crash: str, seconds: float
) -> None:
    """Load for some time, crash in the middle of it, and bring the server back."""
    stop = asyncio.Event()
    loaders = [asyncio.create_task(load(server.base, names, ledger, stop)) for _ in range(WRITERS)]
    await asyncio.sleep(seconds)
    if crash == "server":
        server.kill()
        stop.set()
        await asyncio.gather(*loaders)
        await asyncio.to_thread(server.start)
        return
    server.kill_postgres()
    await asyncio.sleep(1.5)
    await asyncio.to_thread(server.wait_ready)
    stop.set()
    await asyncio.gather(*loaders)


async def check(server: LiveServer, ledger: Ledger) -> None:
    """Prove the ledger: all of every acknowledged bundle, all or nothing of every other."""
    found: dict[str, int] = dict.fromkeys(ledger.sent, 0)
    async with httpx.AsyncClient(timeout=30) as client:
        for kind in ("Patient", "Observation"):
            url: str | None = f"{server.base}/{kind}?identifier={SYSTEM}|&_count=1000"
            while url:
                page = (await client.get(url)).json()
                assert page["resourceType"] == "Bundle", page
                for entry in page.get("entry", ()):
                    found[entry["resource"]["identifier"][0]["value"]] += 1
                url = next((link["url"] for link in page["link"] if link["relation"] == "next"), None)
        name = next(iter(ledger.acknowledged))
        by_chain = await client.get(f"{server.base}/Observation?patient.family=Crash{name}&_summary=count")
        assert by_chain.json()["total"] >= SIZE - 1
    assert set(found.values()) <= {0, SIZE}
    lost = {name for name in ledger.acknowledged if found[name] != SIZE}
    assert not lost
