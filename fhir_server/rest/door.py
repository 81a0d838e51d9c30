"""The door: who really asks, whether that is too often, which web pages may ask, and what all answers tell browsers.

It is the outermost ASGI layer. Behind it, `scope["client"]` is the client's own address and `scope["scheme"]` how the
client speaks, also where proxies stand in front: nobody else reads X-Forwarded-For.

Source: RFC 9110, RFC 6797 (HSTS), https://owasp.org/www-project-secure-headers/
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from fhir_server.faults import as_fhir_error
from fhir_server.rest.call import Call
from fhir_server.rest.cors import Cors
from fhir_server.rest.outgoing import error_reply
from fhir_server.rest.rates import Rates
from resources.outcome import FhirError

Headers = list[tuple[bytes, bytes]]
Network = IPv4Network | IPv6Network

SIGNING_IN = "/auth/"
"""Paths where people sign in and apps get tokens."""

HSTS = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
ALWAYS: Headers = [
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
    (b"cross-origin-resource-policy", b"same-site"),
]
"""What an answer says where it does not say it itself."""

NO_PLAIN = "Plain HTTP is answered on this machine and to the proxies in front alone; use https"


class Door:
    """What stands before the app.

    Shape:  `proxies` are the networks of the proxies in front; `tls` whether this server speaks HTTPS itself
    """

    def __init__(self, proxies: tuple[str, ...], rates: Rates, cors: Cors, *, tls: bool) -> None:
        self._proxies: tuple[Network, ...] = tuple(map(ip_network, proxies))
        self._rates = rates
        self._cors = cors
        self._tls = tls

    async def __call__(self, inside: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, and its answer out with what every answer says."""
        origin, out = _header(scope, b"origin"), self._sender(send, secure=False)
        try:
            address, secure = self._identified(scope)
            out = self._sender(send, secure, await self._cors.of(scope, origin) if origin else ())
            if not address.is_loopback:
                await self._rates.arrived(str(address), signing_in=scope["path"].startswith(SIGNING_IN))
        except Exception as error:
            await _refuse(scope, out, as_fhir_error(error, ""))
            return
        if origin and self._cors.is_preflight(scope):
            await out({"type": "http.response.start", "status": 204, "headers": []})
            await out({"type": "http.response.body", "body": b""})
            return
        await inside(scope, receive, out)

    def _identified(self, scope: Scope) -> tuple[IPv4Address | IPv6Address, bool]:
        """Return who asks, and whether by HTTPS; the scope says so from here on.

        Errors: 403 for plain HTTP from elsewhere
        """
        peer = _address(scope["client"][0] if scope.get("client") else "")
        secure = scope.get("scheme") == "https"
        if self._proxies and self._is_proxy(peer):
            peer = self._forwarded(peer, _header(scope, b"x-forwarded-for"))
            told = _header(scope, b"x-forwarded-proto").rpartition(",")[2].strip().lower()
            secure = told == "https" if told else secure
            scope["scheme"] = "https" if secure else "http"
            scope["client"] = (str(peer), 0)
        elif self._proxies and not self._tls and not peer.is_loopback:
            raise FhirError(403, "security", NO_PLAIN)
        return peer, secure

    def _is_proxy(self, address: IPv4Address | IPv6Address) -> bool:
        return any(address in network for network in self._proxies)

    def _forwarded(self, peer: IPv4Address | IPv6Address, told: str) -> IPv4Address | IPv6Address:
        """Return the last address in X-Forwarded-For that is no proxy: anybody may have written those before it."""
        for text in reversed(told.split(",") if told else []):
            try:
                peer = _plain(ip_address(text.strip()))
            except ValueError:
                return peer
            if not self._is_proxy(peer):
                return peer
        return peer

    @staticmethod
    def _sender(send: Send, secure: bool, cors: Sequence[tuple[bytes, bytes]] = ()) -> Send:
        async def decorated(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers: Headers = message["headers"]
                there = {name for name, _ in headers}
                added = [pair for pair in ALWAYS if pair[0] not in there]
                message["headers"] = [*headers, *added, *([HSTS] if secure else []), *cors]
            await send(message)

        return decorated


def _header(scope: Scope, name: bytes) -> str:
    """Return a header; repeated ones as one list, in order."""
    found = ""
    for key, value in scope["headers"]:
        if key == name:
            found = f"{found},{value.decode('latin-1')}" if found else value.decode("latin-1")
    return found


@lru_cache(4096)
def _address(text: str) -> IPv4Address | IPv6Address:
    """Return a peer's address; what is none (a Unix socket, a test) counts as this machine."""
    try:
        return _plain(ip_address(text.partition("%")[0]))
    except ValueError:
        return IPv4Address("127.0.0.1")


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """Return an address without the IPv6 clothes of an IPv4 one."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


async def _refuse(scope: Scope, send: Send, error: FhirError) -> None:
    reply = await error_reply(Call(scope, len("/fhir/"), ""), error)
    start: dict[str, Any] = {"type": "http.response.start", "status": reply.status, "headers": reply.headers}
    await send(start)
    await send({"type": "http.response.body", "body": reply.body})
