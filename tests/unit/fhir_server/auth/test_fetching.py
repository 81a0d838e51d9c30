"""What strangers name is fetched from public addresses alone, and kept no longer than it says.

Source: OWASP Server-Side Request Forgery Prevention, RFC 9111 section 5.2.2
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from fhir_server.auth import fetching
from fhir_server.auth.fetching import FetchError, fetch, kept

INSIDE = [
    "https://127.0.0.1/jwks", "https://localhost/jwks", "https://10.0.0.1/", "https://192.168.1.1/", "https://172.16.0.1/",
    "https://169.254.169.254/latest/meta-data", "https://[::1]/", "https://[fe80::1]/", "https://[fc00::1]/",
    "https://[::ffff:127.0.0.1]/", "https://[64:ff9b::7f00:1]/", "https://[2002:7f00:1::]/", "https://0.0.0.0/",
    "https://2130706433/", "https://0x7f.1/", "https://127.1/", "https://224.0.0.1/", "https://100.64.0.1/",
]  # fmt: skip


@pytest.mark.parametrize("url", INSIDE)
async def test_addresses_inside_are_not_asked(url: str) -> None:
    with pytest.raises(FetchError, match=r"not a public one|does not answer"):
        await fetch(url)


@pytest.mark.parametrize(
    "url", ["http://example.org/jwks", "file:///etc/passwd", "ftp://example.org/", "", "https://"]
)
async def test_only_https_is_fetched(url: str) -> None:
    with pytest.raises(FetchError):
        await fetch(url)


async def test_a_name_with_one_inside_address_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    async def both(*_: Any, **__: Any) -> list[Any]:
        return [(socket.AF_INET, 1, 6, "", (address, 443)) for address in ("93.184.216.34", "10.0.0.1")]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", both)
    with pytest.raises(FetchError, match="not a public one"):
        await fetch("https://rebinding.example/jwks")


@asynccontextmanager
async def _served(answer: bytes, wait: float = 0) -> AsyncIterator[str]:
    """Yield the URL of a server that gives one answer."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        came.append(writer)
        try:
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(wait)
            writer.write(answer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()
            done.set()

    came: list[asyncio.StreamWriter] = []
    done = asyncio.Event()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/jwks"
    finally:
        server.close()
        if came:
            await asyncio.wait_for(done.wait(), 5)
        await asyncio.sleep(0.05)


def _http(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close", *headers]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def test_a_host_that_the_operator_trusts_may_be_inside() -> None:
    async with _served(_http(b'{"keys": []}', "Cache-Control: max-age=60")) as url:
        assert await fetch(url, ("127.0.0.1",)) == (b'{"keys": []}', 60)


@pytest.mark.parametrize(
    "status", ["302 Found\r\nLocation: http://127.0.0.1/", "404 Not Found", "500 Oh", "204 No Content"]
)
async def test_redirects_and_refusals_are_not_followed(status: str) -> None:
    async with _served(_http(b"{}", status=status)) as url:
        with pytest.raises(FetchError, match="it answers"):
            await fetch(url, ("127.0.0.1",))


async def test_what_is_too_large_or_too_slow_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    async with _served(_http(b"x" * (fetching.MOST_BYTES + 1))) as url:
        with pytest.raises(FetchError, match="too large"):
            await fetch(url, ("127.0.0.1",))
    monkeypatch.setattr(fetching, "SECONDS", 0.2)
    async with _served(_http(b"{}"), wait=1) as url:
        with pytest.raises(FetchError, match="does not answer"):
            await fetch(url, ("127.0.0.1",))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, fetching.KEPT_WITHOUT_WORD),
        ({"Cache-Control": "max-age=60"}, 60),
        ({"Cache-Control": "public, Max-Age=60", "Age": "20"}, 40),
        ({"Cache-Control": "max-age=60", "Age": "90"}, 0),
        ({"Cache-Control": "max-age=999999"}, fetching.KEPT_MOST),
        ({"Cache-Control": "no-store"}, 0),
        ({"Cache-Control": "no-cache, max-age=60"}, 0),
        ({"Expires": "Thu, 01 Jan 2026 00:01:00 GMT", "Date": "Thu, 01 Jan 2026 00:00:00 GMT"}, 60),
        ({"Expires": "0"}, 0),
        ({"Expires": "Thu, 01 Jan 2026 00:01:00 GMT"}, 0),
    ],
)
def test_it_is_kept_no_longer_than_its_headers_allow(headers: dict[str, str], seconds: int) -> None:
    assert kept(httpx.Headers(headers)) == seconds
