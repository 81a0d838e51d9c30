"""Nobody takes for ever over a request's head, and no head grows without end.

Source: RFC 9110 section 15.5.9, RFC 6585 section 5
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from fhir_server import protocol
from fhir_server.protocol import HEAD_MOST, Protocol

PATIENCE_S = 0.15


async def app(scope: Any, receive: Any, send: Any) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture
async def port(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[int]:
    monkeypatch.setattr(protocol, "HEAD_S", PATIENCE_S)
    config = uvicorn.Config(
        app, http="httptools", ws="none", lifespan="off", log_config=None, access_log=False
    )
    state = ServerState()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Protocol(config, state, {}), "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()


async def said(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(5):
        return await reader.read()


async def test_a_request_is_answered_and_another_on_the_same_connection(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for wait in (0.0, 2 * PATIENCE_S):
        await asyncio.sleep(wait)  # idling between requests is the keep-alive time's matter
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        async with asyncio.timeout(5):
            assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
    writer.close()


@pytest.mark.parametrize("sent", [b"GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ", b"GET"])
async def test_a_head_that_does_not_end_is_answered_408(port: int, sent: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    assert (await said(reader)).startswith(b"HTTP/1.1 408")
    writer.close()


async def test_dripping_does_not_buy_time(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\n")
    answer = asyncio.create_task(said(reader))
    drips = 0
    while not answer.done() and drips < 30:
        await asyncio.sleep(PATIENCE_S / 10)
        if not answer.done():
            writer.write(b"X-%d: 1\r\n" % drips)
        drips += 1
    assert drips < 30
    with contextlib.suppress(ConnectionError):  # what was dripped after the end may cost the answer
        assert (await answer).startswith(b"HTTP/1.1 408")
    writer.close()


async def test_a_second_head_has_no_more_time_than_the_first(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    async with asyncio.timeout(5):
        await reader.readuntil(b"ok")
    writer.write(b"GET / HTTP/1.1\r\nHost:")
    assert (await said(reader)).startswith(b"HTTP/1.1 408")
    writer.close()


async def test_a_connection_on_which_nothing_is_asked_is_closed(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    assert await said(reader) == b""
    writer.close()


async def test_a_head_that_grows_without_end_is_answered_431(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "HEAD_S", 30)
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"GET / HTTP/1.1\r\n" + b"X-A: " + b"a" * HEAD_MOST)
    assert (await said(reader)).startswith(b"HTTP/1.1 431")
    writer.close()


async def test_a_body_has_time_of_its_own(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab")
    await asyncio.sleep(2 * PATIENCE_S)
    writer.write(b"cd")
    async with asyncio.timeout(5):
        assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200")
    writer.close()
