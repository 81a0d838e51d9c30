"""Killed servers and databases: what was acknowledged is there, and nothing is there by half.

The ledger lies outside of every process that is killed.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import Any, Literal

import httpx

from tests.live import LiveServer, eventually

Victim = Literal["server", "database"]
SYSTEM = "http://example.org/crash"
SIZE = 6
WRITERS = 4
WARM = 20
"""Bundles that must be acknowledged in a round before the crash."""


class Ledger:
    """Which bundles were sent, and which of them the server said were done."""

    def __init__(self) -> None:
        self.sent: set[str] = set()
        self.acknowledged: set[str] = set()
        self._numbers = itertools.count(1)

    def next(self) -> str:
        """Return the name of a bundle that is about to be sent."""
        name = str(next(self._numbers))
        self.sent.add(name)
        return name


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


async def load(base: str, ledger: Ledger, stop: asyncio.Event) -> None:
    """Send bundles until told to stop; 503 and a cut connection only mean: not acknowledged."""
    async with httpx.AsyncClient(timeout=15) as client:
        while not stop.is_set():
            name = ledger.next()
            try:
                answer = await client.post(base, json=bundle(name))
            except httpx.HTTPError:
                await asyncio.sleep(0.05)
                continue
            if answer.status_code == 200:
                ledger.acknowledged.add(name)
            else:
                assert answer.status_code == 503, answer.text


async def round_of(server: LiveServer, ledger: Ledger, victim: Victim, seconds: float) -> None:
    """Load, kill `victim` in the middle of it `seconds` after the load got through, and wait until all is well."""
    stop, enough = asyncio.Event(), len(ledger.acknowledged) + WARM
    loaders = [asyncio.create_task(load(server.base, ledger, stop)) for _ in range(WRITERS)]
    assert await asyncio.to_thread(eventually, lambda: len(ledger.acknowledged) >= enough), (
        "no load gets through"
    )
    await asyncio.sleep(seconds)
    if victim == "server":
        server.kill()
        stop.set()
        await asyncio.gather(*loaders)
        await asyncio.to_thread(server.start)
        return
    killed = server.kill_postgres()
    assert await asyncio.to_thread(eventually, lambda: server.postgres.status().pid not in (None, killed))
    await asyncio.to_thread(server.wait_ready)
    stop.set()
    await asyncio.gather(*loaders)


async def check(server: LiveServer, ledger: Ledger) -> None:
    """Prove the ledger: all of every acknowledged bundle, all or nothing of every other."""
    found: dict[str, int] = dict.fromkeys(ledger.sent, 0)
    async with httpx.AsyncClient(timeout=30, base_url=f"{server.base}/") as client:
        for kind, each in (("Patient", 1), ("Observation", SIZE - 1)):
            before = sum(found.values())
            for name in await names(client, f"{kind}?identifier={SYSTEM}|&_count=1000"):
                found[name] += 1
            counted = await total(client, f"{kind}?identifier={SYSTEM}|")
            assert counted == sum(found.values()) - before == each * sum(map(bool, found.values()))
        some = next(iter(ledger.acknowledged))
        assert await total(client, f"Observation?patient.family:exact=Crash{some}") == SIZE - 1
    assert set(found.values()) <= {0, SIZE}
    assert {name for name in ledger.acknowledged if found[name] != SIZE} == set()


async def names(client: httpx.AsyncClient, query: str) -> list[str]:
    """Return the bundle of every resource that a search finds, over all its pages."""
    found, url = [], query
    while url:
        page = (await client.get(url)).raise_for_status().json()
        found += [entry["resource"]["identifier"][0]["value"] for entry in page.get("entry", ())]
        url = next((link["url"] for link in page["link"] if link["relation"] == "next"), "")
    return found


async def total(client: httpx.AsyncClient, query: str) -> int:
    """Return the number of matches of a search."""
    page = (await client.get(f"{query}&_summary=count")).raise_for_status().json()
    number: int = page["total"]
    return number
