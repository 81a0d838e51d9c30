"""Keys that a client keeps at an address of its own are fetched, kept as long as it says, and exchanged by it alone.

Source: https://hl7.org/fhir/smart-app-launch/STU2.2/client-confidential-asymmetric.html#signature-verification
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from joserfc.jwk import RSAKey

from fhir_server.auth import fetching
from fhir_server.auth.assertions import TYPE
from tests.integration.auth.smart import CREDENTIALS, Smart
from tests.integration.auth.test_backend import RSA, claims, signed

URL = "https://keys.example.org/jwks.json"
NEW = RSAKey.generate_key(2048, {"kid": "new"})


class Web:
    """The client's web server: what it publishes, and how often it was asked."""

    def __init__(self) -> None:
        self.keys, self.seconds, self.asked = [RSA], 300, 0

    async def fetch(self, url: str, hosts: tuple[str, ...] = ()) -> tuple[bytes, int]:
        """Return the key set."""
        assert url == URL
        self.asked += 1
        return json.dumps({"keys": [one.as_dict(private=False) for one in self.keys]}).encode(), self.seconds


@pytest.fixture
async def web(server: Smart, monkeypatch: pytest.MonkeyPatch) -> Web:
    """Return the web server of a registered client."""
    found = Web()
    monkeypatch.setattr(fetching, "fetch", found.fetch)
    async with server.authority.store.pool.connection() as conn:
        await conn.execute("TRUNCATE auth_client_keys")
    await server.client(
        "backend", kind="key", jwks_uri=URL, grants=[CREDENTIALS], scopes=["system/*.rs"], redirect_uris=[]
    )
    return found


async def _status(server: Smart, key: RSAKey = RSA, **header: Any) -> int:
    form = {"grant_type": CREDENTIALS, "scope": "system/*.rs", "client_assertion_type": TYPE}
    return (await server.token(**form, client_assertion=signed(claims(), key, **header))).status_code


async def test_keys_are_fetched_and_kept(server: Smart, web: Web) -> None:
    assert [await _status(server), await _status(server)] == [200, 200]
    assert web.asked == 1
    assert await _status(server, jku=URL) == 200
    assert await _status(server, jku="https://evil.example/jwks.json") == 401


async def test_keys_are_not_kept_longer_than_they_may_be(server: Smart, web: Web) -> None:
    web.seconds = 0
    assert [await _status(server), await _status(server)] == [200, 200]
    assert web.asked == 2
    web.keys = [NEW]
    assert await _status(server) == 401


async def test_a_new_key_is_found_though_the_old_ones_are_kept(server: Smart, web: Web) -> None:
    assert await _status(server) == 200
    web.keys = [RSA, NEW]
    async with server.authority.store.pool.connection() as conn:
        await conn.execute("UPDATE auth_client_keys SET fetched = now() - interval '11 seconds'")
    assert await _status(server, NEW) == 200
    assert web.asked == 2


async def test_unknown_keys_do_not_make_us_ask_again_and_again(server: Smart, web: Web) -> None:
    assert await _status(server) == 200
    assert [await _status(server, NEW) for _ in range(3)] == [401] * 3
    assert web.asked == 1


async def test_keys_that_cannot_be_fetched_let_nobody_in(
    server: Smart, monkeypatch: pytest.MonkeyPatch, web: Web
) -> None:
    async def broken(url: str, hosts: tuple[str, ...] = ()) -> tuple[bytes, int]:
        return b"[" * 50_000, 60

    monkeypatch.setattr(fetching, "fetch", broken)
    assert await _status(server) == 401
