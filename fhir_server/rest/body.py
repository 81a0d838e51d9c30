"""Request bodies: read as they stream in, unpacked, never more than the limit."""

from __future__ import annotations

import asyncio
import zlib
from typing import Any

from starlette.types import Receive

from fhir_server.rest.limits import Budget
from resources.outcome import FhirError

_STEP = 1 << 20


class DisconnectedError(Exception):
    """The client went away before its request was complete: nobody is there to answer."""


def too_large(limit: int) -> FhirError:
    """Return the 413 that names the limit (bytes)."""
    text = f"The request body is larger than {limit} bytes"
    return FhirError(413, "too-long", text, headers={"Connection": "close"})


async def read_body(
    receive: Receive, headers: dict[str, str], limit: int, patience: float, budget: Budget
) -> bytes:
    """Return the whole body, unpacked where Content-Encoding says gzip.

    Units:  `limit` in bytes, packed and unpacked alike; `patience` in seconds for the whole body. The caller gives
            the bytes back to `budget`.
    Errors: 413 too-long, 415 not-supported encoding, 400 structure, 408 timeout, 503 throttled; DisconnectedError
    """
    announced = headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced[:18]) > limit:
        raise too_large(limit)
    encoding = headers.get("content-encoding", "identity").strip().lower()
    if encoding not in ("identity", "gzip", "x-gzip"):
        text = f"Content-Encoding '{encoding[:40]}' is not supported; send gzip or none"
        raise FhirError(415, "not-supported", text, headers={"Accept-Encoding": "gzip, identity"})
    message = await receive()
    if encoding == "identity" and message["type"] == "http.request" and not message.get("more_body"):
        body: bytes = message.get("body", b"")
        if len(body) > limit:
            raise too_large(limit)
        budget.take(len(body))
        return body
    return await _stream(receive, message, encoding != "identity", limit, patience, budget)


async def _stream(
    receive: Receive, message: Any, packed: bool, limit: int, patience: float, budget: Budget
) -> bytes:
    sink = _Gunzip(limit) if packed else _Plain(limit)
    taken = 0
    try:
        async with asyncio.timeout(patience):
            while True:
                added = sink.feed(_chunk(message))
                budget.take(added)
                taken += added
                if not message.get("more_body"):
                    return sink.finish()
                message = await receive()
    except BaseException as error:
        budget.give(taken)
        if isinstance(error, TimeoutError):
            text = "The request body did not arrive in time"
            raise FhirError(408, "timeout", text, headers={"Connection": "close"}) from None
        raise


def _chunk(message: Any) -> bytes:
    if message["type"] == "http.disconnect":
        raise DisconnectedError
    chunk: bytes = message.get("body", b"")
    return chunk


class _Plain:
    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.data = bytearray()

    def feed(self, chunk: bytes) -> int:
        if len(self.data) + len(chunk) > self.limit:
            raise too_large(self.limit)
        self.data += chunk
        return len(chunk)

    def finish(self) -> bytes:
        return bytes(self.data)


class _Gunzip(_Plain):
    """Unpacks step by step, so that a bomb meets the limit before it meets memory."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.unpacker = zlib.decompressobj(31)
        self.started = False

    def feed(self, chunk: bytes) -> int:
        before = len(self.data)
        self.started = self.started or bool(chunk)
        while chunk:
            if self.unpacker.eof:
                self.unpacker = zlib.decompressobj(31)
            try:
                super().feed(self.unpacker.decompress(chunk, min(_STEP, self.limit + 1)))
            except zlib.error as error:
                raise FhirError(
                    400, "structure", "The body is not gzip although Content-Encoding says so"
                ) from error
            chunk = self.unpacker.unconsumed_tail or self.unpacker.unused_data
        return len(self.data) - before

    def finish(self) -> bytes:
        if self.started and not self.unpacker.eof:
            raise FhirError(400, "structure", "The gzip body is cut short")
        return super().finish()
