"""Fetches small documents that strangers name, without becoming their hands inside our network.

The name is resolved once, every address must be a public one, and the connection goes to the very address that was
checked; no redirects, no proxy, no more than a little time and a few bytes.

Source: OWASP Server-Side Request Forgery Prevention; RFC 9111 section 5.2.2 (how long to keep)
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
import socket
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

import httpx

MOST_BYTES = 64 * 1024
SECONDS = 5.0
KEPT_MOST = 3600
KEPT_WITHOUT_WORD = 300
"""Seconds to keep what comes without a word on that."""

_MAX_AGE = re.compile(r"max-age\s*=\s*\"?(\d{1,9})", re.IGNORECASE)


class FetchError(Exception):
    """It cannot be fetched; the text says why, and nothing of our network."""


Form = Mapping[str, str]


async def fetch(
    url: str, hosts: tuple[str, ...] = (), form: Form | None = None, basic: tuple[str, str] | None = None
) -> tuple[bytes, int]:
    """Return a document and for how many seconds it may be kept; `hosts` need no public address.

    Shape:  `form` is sent by POST where it is given, `basic` are name and password
    Errors: FetchError
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "https" and host not in hosts:
        raise FetchError("its address is not https")
    try:
        async with asyncio.timeout(SECONDS):
            address = await _address(host, parts.port or (443 if parts.scheme == "https" else 80), hosts)
            return await _got(httpx.URL(url), host, address, form, basic)
    except (TimeoutError, httpx.HTTPError, httpx.InvalidURL, OSError, UnicodeError):
        raise FetchError("it does not answer as it should") from None


async def _address(host: str, port: int, hosts: tuple[str, ...]) -> str:
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = [str(entry[4][0]).split("%")[0] for entry in found]
    if not addresses or (host not in hosts and not all(map(_public, addresses))):
        raise FetchError("its address is not a public one")
    return addresses[0]


def _public(text: str) -> bool:
    address = ipaddress.ip_address(text)
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour or (address.teredo or (None, None))[1]
        if inner is not None:
            return inner.is_global and not inner.is_multicast
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF).is_global
    return address.is_global and not address.is_multicast


_NAT64 = ipaddress.ip_network("64:ff9b::/96")


async def _got(
    url: httpx.URL, host: str, address: str, form: Form | None, basic: tuple[str, str] | None
) -> tuple[bytes, int]:
    # the name goes into the Host header and the TLS handshake; the connection goes to the address
    headers = {
        "Host": url.netloc.decode("ascii"),
        "Accept": "application/json",
        "Accept-Encoding": "identity",
    }
    pinned = url.copy_with(host=address)
    async with (
        httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=SECONDS) as client,
        client.stream(
            "GET" if form is None else "POST",
            pinned,
            headers=headers,
            data=form,
            auth=basic,
            extensions={"sni_hostname": host},
        ) as answer,
    ):
        if answer.status_code != 200:
            raise FetchError(f"it answers {answer.status_code}")
        body = b""
        async for piece in answer.aiter_raw():
            body += piece
            if len(body) > MOST_BYTES:
                raise FetchError("it is too large")
        return body, kept(answer.headers)


def kept(headers: httpx.Headers) -> int:
    """Return for how many seconds an answer may be kept: no longer than its headers allow."""
    said = headers.get("cache-control", "").lower()
    if "no-store" in said or "no-cache" in said:
        return 0
    if found := _MAX_AGE.search(said):
        age = headers.get("age", "0")
        return max(0, min(int(found[1]) - (int(age) if age.isdigit() else 0), KEPT_MOST))
    if "expires" not in headers:
        return KEPT_WITHOUT_WORD
    try:
        ends, now = (parsedate_to_datetime(headers[name]) for name in ("expires", "date"))
        return max(0, min(int((ends - now).total_seconds()), KEPT_MOST))
    except (ValueError, TypeError, KeyError):
        return 0
