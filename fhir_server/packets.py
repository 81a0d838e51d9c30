"""What leaves the server: the head of an answer and its body in one packet, which wakes the client once."""

from __future__ import annotations

import asyncio
from typing import Any


class Joined:
    """A transport that lets what is written wait for what follows it, within one turn of the event loop."""

    __slots__ = ("_held", "_turn", "_under")

    def __init__(self, under: asyncio.Transport) -> None:
        self._under = under
        self._turn = asyncio.get_running_loop().call_soon
        self._held: bytes = b""

    def __getattr__(self, name: str) -> Any:
        """Return what the transport below has."""
        return getattr(self._under, name)

    def write(self, data: bytes) -> None:
        """Send `data`, with what was written before it if there is something, else at the end of this turn."""
        if self._held:
            held, self._held = self._held, b""
            self._under.writelines((held, data))
        else:
            self._held = data
            self._turn(self._flush)

    def close(self) -> None:
        """Send what is held and close."""
        self._flush()
        self._under.close()

    def _flush(self) -> None:
        if self._held:
            held, self._held = self._held, b""
            self._under.write(held)
