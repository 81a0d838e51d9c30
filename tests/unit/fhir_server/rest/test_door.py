"""The door: the real address behind proxies, HTTPS known as such, headers on every answer, limits, and web pages.

Source: RFC 9110, RFC 6797, https://fetch.spec.whatwg.org/#http-cors-protocol
"""

from __future__ import annotations

from typing import Any

import pytest

from fhir_server.rest.cors import Cors
from fhir_server.rest.door import Door
from fhir_server.rest.rates import Limits, Rates, SharedBuckets

Sent = list[dict[str, Any]]
EVERYBODY = Limits()


class Inside:
    """The app behind the door: remembers what it was asked."""

    def __init__(self, headers: list[tuple[bytes, bytes]] | None = None) -> None:
        self.scope: dict[str, Any] = {}
        self.headers = headers or []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.scope = scope
        await send({"type": "http.response.start", "status": 200, "headers": self.headers})
        await send({"type": "http.response.body", "body": b""})


def scope(
    path: str = "/fhir/Patient/1",
    peer: str = "198.51.100.7",
    scheme: str = "http",
    method: str = "GET",
    **headers: str,
) -> dict[str, Any]:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {
        "type": "http",
        "method": method,
        "path": path,
        "scheme": scheme,
        "client": (peer, 5000),
        "headers": raw,
        "query_string": b"",
    }


async def asked(
    door: Door, asking: dict[str, Any], inside: Inside | None = None
) -> tuple[int, dict[str, str], Inside]:
    sent: Sent = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("nothing is read at the door")

    inside = inside or Inside()
    await door(inside, asking, receive, send)
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, inside


def door(*proxies: str, tls: bool = False, limits: Limits = EVERYBODY, cors: Cors | None = None) -> Door:
    return Door(proxies, Rates(limits, SharedBuckets(places=64)), cors or Cors(), tls=tls)


PROXIES = ("10.0.0.0/8", "192.0.2.1")


@pytest.mark.parametrize(
    ("peer", "told", "address"),
    [
        ("10.1.2.3", "203.0.113.9", "203.0.113.9"),
        ("10.1.2.3", "203.0.113.9, 192.0.2.1", "203.0.113.9"),
        ("10.1.2.3", "127.0.0.1, 203.0.113.9", "203.0.113.9"),
        ("::ffff:10.1.2.3", "2001:db8::9", "2001:db8::9"),
        ("10.1.2.3", "nonsense", "10.1.2.3"),
        ("10.1.2.3", "1.1.1.1, <script>, 192.0.2.1", "192.0.2.1"),
        ("10.1.2.3", "", "10.1.2.3"),
    ],
)
async def test_the_address_is_the_last_that_no_proxy_of_ours_has(peer: str, told: str, address: str) -> None:
    headers = {"x_forwarded_for": told} if told else {}
    _, _, inside = await asked(door(*PROXIES), scope(peer=peer, **headers))
    assert inside.scope["client"][0] == address


async def test_nobody_but_a_proxy_is_believed() -> None:
    told = {"x_forwarded_for": "127.0.0.1", "x_forwarded_proto": "https"}
    _, headers, inside = await asked(door(), scope(peer="198.51.100.7", **told))
    assert inside.scope["client"][0] == "198.51.100.7"
    assert inside.scope["scheme"] == "http"
    assert "strict-transport-security" not in headers
    _, _, inside = await asked(door("10.0.0.0/8", tls=True), scope(peer="198.51.100.7", **told))
    assert inside.scope["client"][0] == "198.51.100.7"


async def test_a_repeated_header_is_read_to_its_end() -> None:
    asking = scope(peer="10.0.0.1")
    asking["headers"] += [(b"x-forwarded-for", b"127.0.0.1"), (b"x-forwarded-for", b"203.0.113.5")]
    _, _, inside = await asked(door("10.0.0.0/8"), asking)
    assert inside.scope["client"][0] == "203.0.113.5"


async def test_plain_http_past_the_proxies_is_refused() -> None:
    status, _, inside = await asked(door("10.0.0.0/8"), scope(peer="198.51.100.7"))
    assert (status, inside.scope) == (403, {})
    for peer in ("127.0.0.1", "::1", "10.0.0.9"):
        assert (await asked(door("10.0.0.0/8"), scope(peer=peer)))[0] == 200
    assert (await asked(door("10.0.0.0/8", tls=True), scope(peer="198.51.100.7", scheme="https")))[0] == 200


async def test_https_is_told_to_be_kept_to_and_plain_http_is_not() -> None:
    _, plain, _ = await asked(door(), scope())
    assert "strict-transport-security" not in plain
    _, direct, _ = await asked(door(tls=True), scope(scheme="https"))
    _, proxied, inside = await asked(door("10.0.0.1"), scope(peer="10.0.0.1", x_forwarded_proto="https"))
    assert direct["strict-transport-security"] == proxied["strict-transport-security"]
    assert "max-age=31536000" in direct["strict-transport-security"]
    assert inside.scope["scheme"] == "https"


async def test_every_answer_carries_what_browsers_must_know_unless_it_says_so_itself() -> None:
    _, headers, _ = await asked(door(), scope())
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    own = Inside([(b"content-security-policy", b"default-src 'self'")])
    _, headers, _ = await asked(door(), scope(), own)
    assert headers["content-security-policy"] == "default-src 'self'"


async def test_an_address_that_asks_too_often_is_told_when_to_come_back() -> None:
    strict = door(limits=Limits(address=1, burst=2))
    found = [(await asked(strict, scope()))[0] for _ in range(3)]
    assert found == [200, 200, 429]
    status, headers, inside = await asked(strict, scope())
    assert (status, headers["retry-after"], inside.scope) == (429, "1", {})
    assert headers["content-type"].startswith("application/fhir+json")
    assert headers["x-content-type-options"] == "nosniff"
    assert (await asked(strict, scope(peer="198.51.100.8")))[0] == 200


async def test_a_client_cannot_leave_its_bucket_by_inventing_addresses() -> None:
    strict = door("10.0.0.1", limits=Limits(address=1, burst=1))
    found = []
    for n in range(3):
        told = f"192.0.2.{n}, 203.0.113.9"
        found.append((await asked(strict, scope(peer="10.0.0.1", x_forwarded_for=told)))[0])
    assert found == [200, 429, 429]


async def test_signing_in_is_limited_more_and_this_machine_is_not() -> None:
    strict = door(limits=Limits(address=100, sign_in=1, burst=1))
    found = [(await asked(strict, scope("/auth/token", method="POST")))[0] for _ in range(2)]
    assert found == [200, 429]
    found = [(await asked(strict, scope("/auth/token", peer="127.0.0.1")))[0] for _ in range(9)]
    assert found == [200] * 9


# -- pages of other origins ------------------------------------------------------------------------------------


async def registered() -> frozenset[str]:
    return frozenset({"https://app.example"})


OPEN = "access-control-allow-origin"


@pytest.mark.parametrize(
    "path",
    [
        "/fhir/metadata",
        "/fhir/.well-known/smart-configuration",
        "/.well-known/openid-configuration",
        "/auth/jwks",
    ],
)
async def test_discovery_is_open_to_pages_from_anywhere(path: str) -> None:
    _, headers, _ = await asked(
        door(cors=Cors(registered=registered)), scope(path, origin="https://any.example")
    )
    assert headers[OPEN] == "*"


@pytest.mark.parametrize(
    "path", ["/fhir/Patient/1", "/auth/token", "/fhir/metadata/x", "/fhir/Patient/.well-known/x"]
)
async def test_everything_else_is_open_to_registered_origins_alone(path: str) -> None:
    pages = door(cors=Cors(("https://more.example",), registered))
    for origin in ("https://app.example", "https://more.example"):
        _, headers, _ = await asked(pages, scope(path, origin=origin))
        assert (headers[OPEN], headers["vary"]) == (origin, "Origin")
        assert "ETag" in headers["access-control-expose-headers"]
        assert "access-control-allow-credentials" not in headers
    for origin in ("https://any.example", "null", "https://app.example.evil.example", "http://app.example"):
        status, headers, _ = await asked(pages, scope(path, origin=origin))
        assert status == 200 and OPEN not in headers and headers["vary"] == "Origin"


async def test_a_preflight_is_answered_at_the_door() -> None:
    asking = scope(method="OPTIONS", origin="https://app.example", access_control_request_method="PUT")
    status, headers, inside = await asked(door(cors=Cors(registered=registered)), asking)
    assert (status, inside.scope) == (204, {})
    assert headers[OPEN] == "https://app.example"
    assert "PUT" in headers["access-control-allow-methods"]
    assert "Authorization" in headers["access-control-allow-headers"]


async def test_a_preflight_of_a_stranger_allows_nothing() -> None:
    asking = scope(method="OPTIONS", origin="https://any.example", access_control_request_method="PUT")
    status, headers, inside = await asked(door(cors=Cors(registered=registered)), asking)
    assert (status, inside.scope) == (204, {})
    assert not any(name.startswith("access-control") for name in headers)


async def test_plain_options_go_through() -> None:
    _, _, inside = await asked(door(), scope(method="OPTIONS", origin="https://any.example"))
    assert inside.scope["method"] == "OPTIONS"


async def test_a_refusal_can_be_read_by_a_registered_page() -> None:
    pages = door(limits=Limits(address=1, burst=1), cors=Cors(registered=registered))
    await asked(pages, scope(origin="https://app.example"))
    status, headers, _ = await asked(pages, scope(origin="https://app.example"))
    assert (status, headers[OPEN]) == (429, "https://app.example")
