"""Rate limits: how many requests per second an address, an app or a person may make.

Shape:  a token bucket for each of them, kept as the one moment at which it is full again (GCRA); the buckets lie in
        memory that all forked workers share, so that the rate holds for the machine and not for each worker. Two
        workers that write the same bucket in the same microsecond may count one request instead of two.
Source: RFC 6585 section 4 (429), RFC 9110 section 10.2.3 (Retry-After), https://en.wikipedia.org/wiki/GCRA
"""

from __future__ import annotations

import math
import mmap
from collections.abc import Callable
from time import monotonic
from typing import Protocol

import msgspec

from fhir_server.access.grant import Grant
from resources.outcome import FhirError

WAYS = 4
PLACES = 1 << 16
"""Buckets that are kept; where all of a row are in use, the one that is full again soonest is given away."""


class Limits(msgspec.Struct, frozen=True):
    """What is allowed.

    Units:  requests per second, 0 any number; `burst` in seconds of unused rate
    """

    address: float = 0.0
    client: float = 0.0
    user: float = 0.0
    sign_in: float = 0.0
    burst: float = 10.0


class Buckets(Protocol):
    """Where buckets are kept."""

    async def take(self, key: str, rate: float, burst: float) -> float:
        """Take one request of bucket `key`; return 0, or the seconds to wait where it is empty."""
        ...

    async def close(self) -> None:
        """Let go of what is held."""
        ...


class SharedBuckets:
    """Buckets in memory that processes forked later share."""

    def __init__(self, clock: Callable[[], float] = monotonic, places: int = PLACES) -> None:
        memory = memoryview(mmap.mmap(-1, 16 * places))
        self._keys = memory[: 8 * places].cast("q")
        self._full = memory[8 * places :].cast("d")
        self._rows = places // WAYS
        self._clock = clock

    async def take(self, key: str, rate: float, burst: float) -> float:
        """Take one request of bucket `key`; return 0, or the seconds to wait where it is empty."""
        return self.taken(key, rate, burst)

    async def close(self) -> None:
        """Do nothing: the memory goes with the process."""

    def taken(self, key: str, rate: float, burst: float) -> float:
        """Return 0 having taken one request of bucket `key`, or the seconds to wait where it is empty."""
        now = self._clock()
        place = self._place(hash(key) or 1, now)
        full = max(self._full[place], now) + 1 / rate
        wait = full - now - burst
        if wait > 1e-9:
            return wait
        self._full[place] = full
        return 0.0

    def _place(self, key: int, now: float) -> int:
        """Return the place of a key (Python's hash, which is secret and the same in all forks)."""
        first = key % self._rows * WAYS
        row = range(first, first + WAYS)
        for place in row:
            if self._keys[place] == key:
                return place
        place = min(row, key=self._full.__getitem__)
        self._keys[place], self._full[place] = key, now
        return place


class Rates:
    """The limits of a server."""

    def __init__(self, limits: Limits, buckets: Buckets) -> None:
        self.limits = limits
        self._buckets = buckets
        self.refused = 0

    async def arrived(self, address: str, *, signing_in: bool) -> None:
        """Count a request from an address; raises FhirError 429."""
        limits = self.limits
        if signing_in and limits.sign_in:
            await self._spend(f"auth {address}", limits.sign_in, "This address asks too often")
        elif limits.address:
            await self._spend(f"from {address}", limits.address, "This address asks too often")

    async def spend(self, grant: Grant) -> None:
        """Count a request of an app and of who uses it; raises FhirError 429."""
        if grant.unbounded:
            return
        limits = self.limits
        if limits.client:
            await self._spend(f"app {grant.client}", limits.client, "This app asks too often")
        if limits.user and grant.user:
            await self._spend(f"who {grant.subject}", limits.user, "This account asks too often")

    async def close(self) -> None:
        """Let go of what is held."""
        await self._buckets.close()

    async def _spend(self, key: str, rate: float, text: str) -> None:
        wait = await self._buckets.take(key, rate, max(self.limits.burst, 1 / rate))
        if wait:
            self.refused += 1
            after = max(1, math.ceil(wait))
            raise FhirError(
                429,
                "throttled",
                f"{text}; try again in {after} seconds",
                headers={"Retry-After": str(after)},
            )
