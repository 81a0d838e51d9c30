"""Back-pressure: bounded places, bounded queue, 503 with Retry-After beyond."""

from __future__ import annotations

import asyncio

import pytest

from fhir_server.rest.limits import Gate
from resources.outcome import FhirError


async def test_requests_beyond_places_and_queue_are_refused_at_once() -> None:
    gate = Gate(places=1, queue=1, patience=5)
    await gate.enter()
    waiting = asyncio.create_task(gate.enter())
    await asyncio.sleep(0)
    with pytest.raises(FhirError) as caught:
        await gate.enter()
    assert (caught.value.status, caught.value.headers) == (503, {"Retry-After": "1"})
    gate.leave()
    await waiting
    gate.leave()
    assert gate.busy == 0


async def test_whoever_waits_too_long_is_refused_and_leaves_no_trace() -> None:
    gate = Gate(places=1, queue=5, patience=0.01)
    await gate.enter()
    with pytest.raises(FhirError):
        await gate.enter()
    gate.leave()
    assert (gate.busy, len(gate.waiting), gate.refused) == (0, 0, 1)


async def test_a_cancelled_waiter_passes_its_place_on() -> None:
    gate = Gate(places=1, queue=5, patience=5)
    await gate.enter()
    first, second = asyncio.create_task(gate.enter()), asyncio.create_task(gate.enter())
    await asyncio.sleep(0)
    gate.leave()
    first.cancel()
    await asyncio.wait([first])
    await asyncio.wait_for(second, 1)
    gate.leave()
    assert gate.busy == 0


async def test_places_are_given_first_come_first_served() -> None:
    gate, order = Gate(places=2, queue=50, patience=5), []

    async def work(number: int) -> None:
        await gate.enter()
        order.append(number)
        await asyncio.sleep(0)
        gate.leave()

    await asyncio.gather(*map(work, range(20)))
    assert order == sorted(order)
    assert gate.busy == 0
