"""Nobody learns from the time of a refusal whether an address has an account. Source: OWASP ASVS 4.0.3 V2, CWE-208"""

from __future__ import annotations

import time

import pytest

from fhir_server.app import App
from fhir_server.auth import signing_in
from tests.integration.people.browser import person, store_of

pytestmark = pytest.mark.asyncio(loop_scope="module")
ROUNDS = 12


async def test_an_unknown_address_takes_as_long_as_a_wrong_password(app: App) -> None:
    spent: dict[str, list[float]] = {"known": [], "unknown": []}
    for n in range(ROUNDS):
        await person(app, f"known{n}@example.org")
        for kind in ("known", "unknown"):
            started = time.perf_counter()
            judged = await signing_in.by_password(
                store_of(app), f"{kind}{n}@example.org", "wrong wrong wrong", ""
            )
            spent[kind].append(time.perf_counter() - started)
            assert judged.account is None
    known, unknown = (min(spent[kind]) for kind in ("known", "unknown"))
    assert abs(known - unknown) < 0.25 * max(known, unknown), spent


async def test_what_waits_is_refused_before_a_password_is_looked_at(app: App) -> None:
    for _ in range(8):
        judged = await signing_in.by_password(store_of(app), "waits@example.org", "wrong wrong wrong", "x")
    started = time.process_time()
    judged = await signing_in.by_password(store_of(app), "waits@example.org", "wrong wrong wrong", "x")
    assert judged.wait > 0
    assert time.process_time() - started < 0.03
