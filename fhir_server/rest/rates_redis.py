"""Rate limits that several machines share, counted in Redis.

Shape:  requests are counted in windows as long as the burst: INCR and EXPIRE, one round trip. Where Redis does not
        answer in time, the machine counts by itself until it does: limits get looser, the server stays.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections.abc import Callable
from hashlib import blake2b
from importlib import import_module
from typing import Any

from fhir_server.rest.rates import Buckets

_log = logging.getLogger("fhir_server.rates")

PATIENCE_S = 0.1
PAUSE_S = 5.0
"""Seconds for which Redis is left alone after it did not answer."""

MISSING = "rate_redis_url is set, but the extra is not installed: pip install 'healthbuddy[redis]'"


class RatesError(Exception):
    """Requests cannot be counted as the settings say; the text says why."""


class RedisBuckets:
    """Buckets in Redis, and in this machine's memory while that does not answer."""

    def __init__(self, client: Any, local: Buckets, clock: Callable[[], float] = time.time) -> None:
        self._client, self._local, self._clock = client, local, clock
        self._back = 0.0

    async def take(self, key: str, rate: float, burst: float) -> float:
        """Take one request of bucket `key`; return 0, or the seconds to wait where it is empty."""
        now = self._clock()
        if now < self._back:
            return await self._local.take(key, rate, burst)
        window = math.floor(now / burst)
        try:
            count = await self._counted(key, window, burst)
        except Exception as error:  # whatever the client library raises
            _log.warning("Redis does not count: %s; this machine counts by itself", type(error).__name__)
            self._back = now + PAUSE_S
            return await self._local.take(key, rate, burst)
        return 0.0 if count <= max(1, int(rate * burst)) else (window + 1) * burst - now

    async def _counted(self, key: str, window: int, burst: float) -> int:
        name = f"healthbuddy:rate:{window}:{blake2b(key.encode(), digest_size=12).hexdigest()}"
        async with asyncio.timeout(PATIENCE_S), self._client.pipeline(transaction=True) as pipe:
            pipe.incr(name)
            pipe.expire(name, math.ceil(burst) + 1)
            return int((await pipe.execute())[0])

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()


def redis_buckets(url: str, local: Buckets) -> RedisBuckets:
    """Return buckets in the Redis at `url`; raises RatesError where its library is not installed."""
    try:
        library = import_module("redis.asyncio")
    except ModuleNotFoundError:
        raise RatesError(MISSING) from None
    return RedisBuckets(library.from_url(url, socket_connect_timeout=PATIENCE_S), local)
