"""Addresses that clients name, as a way into our own network.

Source: OWASP Server-Side Request Forgery Prevention Cheat Sheet; RFC 7591 section 5; RFC 6890 (addresses of special use)
"""

from __future__ import annotations

import asyncio
import gzip
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import pytest_asyncio

from fhir_server.auth import fetching
from fhir_server.auth.assertions import TYPE
from tests.integration.auth.smart import CREDENTIALS, REDIRECT, Smart, smart
from tests.integration.auth.test_backend import RSA, claims, signed

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Smart]:
    """Yield a server where anybody may register an app."""
    settings = {"data_dir": tmp_path_factory.mktemp("data"), "client_registration": "open"}
    async with smart(database_url, **settings) as one:
        yield one


INSIDE = {
    "this machine": "127.0.0.1",
    "this machine, another of its addresses": "127.8.8.8",
    "any address": "0.0.0.0",
    "the cloud's metadata": "169.254.169.254",
    "a private network": "10.0.0.1",
    "another private network": "172.16.0.1",
    "a network at home": "192.168.1.1",
    "a provider's network": "100.64.0.1",
    "for tests": "192.0.2.1",
    "for benchmarks": "198.18.0.1",
    "to everybody": "255.255.255.255",
    "to many": "224.0.0.1",
    "reserved": "240.0.0.1",
    "this machine in IPv6": "::1",
    "no address in IPv6": "::",
    "this machine, mapped": "::ffff:127.0.0.1",
    "the cloud's metadata, mapped": "::ffff:169.254.169.254",
    "this machine through NAT64": "64:ff9b::7f00:1",
    "a private network through 6to4": "2002:0a00:0001::1",
    "a local network in IPv6": "fd00::1",
    "the same link": "fe80::1",
    "to many in IPv6": "ff02::1",
    "the cloud's metadata in IPv6": "fd00:ec2::254",
}


class Names:
    """What names mean, and which addresses were connected to."""

    def __init__(self) -> None:
        self.meaning: dict[str, list[list[str]]] = {}
        self.connected: list[str] = []

    async def getaddrinfo(self, host: str, port: int, **said: Any) -> list[Any]:
        """Return what a name means this time; the last meaning stays."""
        turns = self.meaning[host]
        found = turns.pop(0) if len(turns) > 1 else turns[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in found]

    async def got(self, url: Any, host: str, address: str, *said: Any) -> tuple[bytes, int]:
        """Note a connection."""
        self.connected.append(address)
        return b"{}", 60


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """Return names that mean what a test says."""
    found = Names()
    monkeypatch.setattr(
        asyncio.BaseEventLoop, "getaddrinfo", lambda _loop, *a, **k: found.getaddrinfo(*a, **k)
    )
    monkeypatch.setattr(fetching, "_got", found.got)
    return found


@pytest.mark.parametrize("tried", INSIDE)
async def test_a_name_that_means_an_address_inside_is_not_fetched(names: Names, tried: str) -> None:
    names.meaning["keys.example.org"] = [[INSIDE[tried]]]
    with pytest.raises(fetching.FetchError, match="not a public one"):
        await fetching.fetch("https://keys.example.org/jwks.json")
    assert names.connected == []


async def test_one_address_inside_among_public_ones_is_enough(names: Names) -> None:
    names.meaning["keys.example.org"] = [["93.184.216.34", "127.0.0.1"]]
    with pytest.raises(fetching.FetchError):
        await fetching.fetch("https://keys.example.org/jwks.json")


async def test_a_name_whose_meaning_changes_is_connected_as_it_was_checked(names: Names) -> None:
    names.meaning["keys.example.org"] = [["93.184.216.34"], ["127.0.0.1"]]
    await fetching.fetch("https://keys.example.org/jwks.json")
    assert names.connected == ["93.184.216.34"]


WRITTEN = [
    "https://127.0.0.1/jwks", "https://[::1]/jwks", "https://[::ffff:127.0.0.1]/jwks", "https://2130706433/jwks",
    "https://0x7f000001/jwks", "https://0177.0.0.1/jwks", "https://127.1/jwks", "https://localhost/jwks",
    "https://169.254.169.254/latest/meta-data/", "https://0/jwks", "http://keys.example.org/jwks",
    "file:///etc/passwd", "gopher://127.0.0.1:5432/x", "ftp://keys.example.org/x", "dict://127.0.0.1:11211/",
    "https://", "https:///etc/passwd", "https://[::1", "https://127.0.0.1:99999/x", "//127.0.0.1/x", "",
    "https://user:pw@127.0.0.1/x", "https://\u2460\u2461\u2466.0.0.1/x", "https://127\u30020\u30020\u30021/x",
]  # fmt: skip


@pytest.mark.parametrize("url", WRITTEN)
async def test_an_address_written_another_way_is_not_fetched(url: str) -> None:
    with pytest.raises((fetching.FetchError, ValueError)):
        await fetching.fetch(url)


@asynccontextmanager
async def _web(answer: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Yield the address of a web server that always answers the same, and what it was asked."""
    asked: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        await asyncio.sleep(0.05)
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as serving:
        yield f"http://127.0.0.1:{serving.sockets[0].getsockname()[1]}/jwks", asked


ANSWERS = {
    "sends us on": b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
    "sends us on for good": b"HTTP/1.1 308 X\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n",
    "says more than it may": b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 200_000,
    "does not speak HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "stops in the middle": b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nx",
}


@pytest.mark.parametrize("tried", ANSWERS)
async def test_a_web_server_that_is_up_to_something_is_left(tried: str) -> None:
    async with _web(ANSWERS[tried]) as (url, asked):
        with pytest.raises(fetching.FetchError):
            await fetching.fetch(url, ("127.0.0.1",))
    assert len(asked) == 1


async def test_what_is_packed_is_not_unpacked() -> None:
    packed = gzip.compress(b"[" * 50_000_000, 1)[:60_000]
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {len(packed)}\r\n\r\n".encode()
    async with _web(head + packed) as (url, _):
        body, _ = await fetching.fetch(url, ("127.0.0.1",))
    assert body == packed


async def test_the_error_says_nothing_of_our_network(server: Smart) -> None:
    for index, url in enumerate(
        ("https://127.0.0.1:1/x", "https://169.254.169.254/x", "https://localhost:5432/x")
    ):
        name = f"inside-{index}"
        await server.client(
            name, kind="key", jwks_uri=url, grants=[CREDENTIALS], scopes=["system/*.rs"], redirect_uris=[]
        )
        form = {"grant_type": CREDENTIALS, "scope": "system/*.rs", "client_assertion_type": TYPE}
        answer = await server.token(**form, client_assertion=signed(claims(iss=name, sub=name), RSA))
        assert answer.status_code == 401
        text = answer.json()["error_description"]
        assert "its address is not a public one" in text
        assert not any(word in text.lower() for word in ("refused", "127.", "169.", "errno", "timed"))


SHOWN = ["logo_uri", "client_uri", "tos_uri", "policy_uri", "jwks_uri", "initiate_login_uri"]
URLS = [
    "javascript:alert(1)",
    "data:text/html,x",
    "file:///etc/passwd",
    "http://169.254.169.254/",
    "https://",
    "x",
    "//evil.example",
]


@pytest.mark.parametrize("name", SHOWN)
async def test_an_app_registers_no_address_that_is_not_https(server: Smart, name: str) -> None:
    key = {"token_endpoint_auth_method": "private_key_jwt"} if name == "jwks_uri" else {}
    for url in URLS:
        said = {"client_name": "x", "redirect_uris": [REDIRECT], **key, name: url}
        answer = await server.web.post("/auth/register", json=said)
        assert answer.status_code == 400, (url, answer.text)
        assert answer.json()["error"] == "invalid_client_metadata"


async def test_no_address_that_an_app_registers_is_fetched_before_it_is_needed(
    server: Smart, names: Names
) -> None:
    said = {
        "client_name": "x", "redirect_uris": [REDIRECT], "logo_uri": "https://logo.example/x.svg",
        "client_uri": "https://app.example.org/", "jwks_uri": "https://keys.example.org/jwks.json",
        "token_endpoint_auth_method": "private_key_jwt",
    }  # fmt: skip
    assert (await server.web.post("/auth/register", json=said)).status_code == 201
    assert names.connected == []
