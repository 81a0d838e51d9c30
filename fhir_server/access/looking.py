"""One look for many: requests that come while another looks share the next look, which begins after all of them came.

So each gets what was in force after it had come, and under load a look costs each of them a part of one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable


class Looking:
    """Looks something up in the database, for one or for all who wait."""

    def __init__(self, look: Callable[[], Awaitable[int]]) -> None:
        self._look = look
        self._busy = False
        self._next: asyncio.Future[int] | None = None
        self._task: asyncio.Task[None] | None = None

    async def now(self) -> int:
        """Return what a look that began after this call has found; raises what the look raises."""
        if self._busy:
            if self._next is None:
                self._next = asyncio.get_running_loop().create_future()
            return await asyncio.shield(self._next)
        self._busy = True
        try:
            return await self._look()
        finally:
            self._hand_over()

    def _hand_over(self) -> None:
        if self._next is None:
            self._busy = False
        else:
            self._task = asyncio.create_task(self._for_those_who_wait())

    async def _for_those_who_wait(self) -> None:
        waiting, self._next = self._next, None
        assert waiting is not None
        try:
            waiting.set_result(await self._look())
        except BaseException as error:
            waiting.set_exception(error if isinstance(error, Exception) else asyncio.CancelledError())
            waiting.exception()  # whoever still waits hears it; nobody may be left
            if not isinstance(error, Exception):
                raise
        finally:
            self._hand_over()
