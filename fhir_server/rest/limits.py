"""Back-pressure: at most so many requests at work, so many waiting, and the rest are told when to come back."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque

from resources.outcome import FhirError


def overloaded(text: str = "The server is busy; try again shortly", after: int = 1) -> FhirError:
    """Return the 503 'throttled' that carries Retry-After (seconds)."""
    return FhirError(503, "throttled", text, headers={"Retry-After": str(after)})


class Gate:
    """A bounded number of places and a bounded queue before them, first come first served.

    Units:  `patience` in seconds
    """

    __slots__ = ("busy", "patience", "places", "queue", "refused", "waiting")

    def __init__(self, places: int, queue: int, patience: float) -> None:
        self.places, self.queue, self.patience = places, queue, patience
        self.busy = 0
        self.refused = 0
        self.waiting: deque[asyncio.Future[None]] = deque()

    async def enter(self) -> None:
        """Take a place, waiting for one if need be; raises FhirError 503 where the queue is full or slow."""
        if self.busy < self.places:
            self.busy += 1
            return
        if len(self.waiting) >= self.queue:
            self.refused += 1
            raise overloaded()
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.waiting.append(turn)
        try:
            async with asyncio.timeout(self.patience):
                await turn
        except BaseException as error:
            self._give_up(turn)
            if isinstance(error, TimeoutError):
                self.refused += 1
                raise overloaded() from None
            raise

    def leave(self) -> None:
        """Give the place to the next in the queue, or back."""
        while self.waiting:
            turn = self.waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self.busy -= 1

    def _give_up(self, turn: asyncio.Future[None]) -> None:
        if turn.done() and not turn.cancelled():
            self.leave()
            return
        with contextlib.suppress(ValueError):
            self.waiting.remove(turn)


class Budget:
    """How many bytes of request bodies this worker may hold at once."""

    __slots__ = ("limit", "used")

    def __init__(self, limit: int) -> None:
        self.limit, self.used = limit, 0

    def take(self, size: int) -> None:
        """Count `size` more bytes; raises FhirError 503 where that is too many (a lone body always fits)."""
        if self.used and self.used + size > self.limit:
            raise overloaded("Too many large requests at once; try again shortly", 2)
        self.used += size

    def give(self, size: int) -> None:
        """Count `size` bytes less."""
        self.used -= size
