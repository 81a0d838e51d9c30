"""Rate limits that several machines share: counted together in Redis, and by each machine while that is away."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
from fakeredis import FakeAsyncRedis, FakeServer

from fhir_server.rest.rates import SharedBuckets
from fhir_server.rest.rates_redis import PAUSE_S, RatesError, RedisBuckets, redis_buckets


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def redis() -> FakeServer:
    return FakeServer()


@pytest.fixture
async def machines(clock: Clock, redis: FakeServer) -> AsyncIterator[list[RedisBuckets]]:
    """Two machines that count in one Redis."""
    both = [RedisBuckets(FakeAsyncRedis(server=redis), SharedBuckets(clock, 64), clock) for _ in range(2)]
    yield both
    for one in both:
        await one.close()


async def allowed(buckets: RedisBuckets, key: str, rate: float, burst: float) -> int:
    count = 0
    while not await buckets.take(key, rate, burst):
        count += 1
    return count


async def test_machines_count_together(machines: list[RedisBuckets], clock: Clock) -> None:
    assert await allowed(machines[0], "a", 2, 5) == 10
    assert await machines[1].take("a", 2, 5) > 0
    assert await machines[1].take("b", 2, 5) == 0


async def test_the_wait_that_is_told_suffices(machines: list[RedisBuckets], clock: Clock) -> None:
    await allowed(machines[0], "a", 1, 5)
    wait = await machines[0].take("a", 1, 5)
    assert 0 < wait <= 5
    clock.now += wait
    assert await machines[0].take("a", 1, 5) == 0


async def test_counters_leave_by_themselves_and_name_nobody(
    machines: list[RedisBuckets], redis: FakeServer
) -> None:
    await machines[0].take("from 192.0.2.7", 1, 5)
    client: Any = FakeAsyncRedis(server=redis)
    (name,) = await client.keys("*")
    assert b"192.0.2.7" not in name
    assert 0 < await client.ttl(name) <= 6
    await client.aclose()


async def test_while_redis_is_away_each_machine_counts_by_itself(
    machines: list[RedisBuckets], clock: Clock, redis: FakeServer
) -> None:
    redis.connected = False
    assert await allowed(machines[0], "a", 1, 5) == 5
    assert await allowed(machines[1], "a", 1, 5) == 5
    redis.connected = True
    clock.now += PAUSE_S + 5
    assert await allowed(machines[0], "a", 1, 5) == 5
    assert await machines[1].take("a", 1, 5) > 0


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(RatesError, match=r"healthbuddy\[redis\]"):
        redis_buckets("redis://127.0.0.1:1", SharedBuckets(places=4))
