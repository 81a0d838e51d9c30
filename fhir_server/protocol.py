"""HTTP as workers speak it: an answer's head and body leave together, and nobody takes for ever over a request's head.

Bodies have their own limits (rest/body.py); an idle connection ends after uvicorn's keep-alive time.

Source: RFC 9110 sections 15.5.9 and 15.5.13, RFC 6585 section 5
"""

from __future__ import annotations

import asyncio
from typing import cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from fhir_server.packets import Joined

HEAD_S = 20.0
"""Seconds for a request's line and headers, and for a new connection to begin with them."""
HEAD_MOST = 64 * 1024
"""Bytes of an incomplete head; a complete one is weighed in rest/server.py."""

_CLOSING = b"connection: close\r\ncontent-length: 0\r\n\r\n"
SLOW = b"HTTP/1.1 408 Request Timeout\r\n" + _CLOSING
LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\n" + _CLOSING


class Protocol(HttpToolsProtocol):
    """One connection."""

    _heading = False
    _taken = 0
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start to serve a connection."""
        super().connection_made(cast("asyncio.Transport", Joined(transport)))
        self._timer = self.loop.call_later(HEAD_S, self._too_slow)

    def connection_lost(self, exc: Exception | None) -> None:
        """Let go of a connection."""
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Take what arrived."""
        super().data_received(data)
        if not self._heading:
            if self._timer is not None:
                self._stop_timer()
            return
        self._taken += len(data)
        if self._taken > HEAD_MOST:
            self._end(LARGE)
        elif self._timer is None:
            self._timer = self.loop.call_later(HEAD_S, self._too_slow)

    def on_message_begin(self) -> None:
        """Begin a request."""
        self._heading, self._taken = True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Have a request's head."""
        self._heading = False
        super().on_headers_complete()

    def _too_slow(self) -> None:
        self._timer = None
        self._end(SLOW if self._heading else b"")

    def _end(self, answer: bytes) -> None:
        self._stop_timer()
        if not self.transport.is_closing():
            if answer:
                self.transport.write(answer)
            self.transport.close()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
