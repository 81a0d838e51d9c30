"""The dictionary of codes: each once, whoever writes it, and none too long for its index."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from fhir_server.storage.dictionaries import LONGEST
from fhir_server.storage.store import Store
from tests.integration.search.conftest import Asker, _open
from tests.integration.search.people import observation, patient


@pytest.fixture
async def ask(fresh_database_url: str) -> AsyncIterator[Asker]:
    """Yield an empty database."""
    store = await _open(fresh_database_url)
    try:
        yield Asker(store)
    finally:
        await store.close()


async def codings(store: Store) -> list[tuple[str, str]]:
    """Return what is in the dictionary."""
    async with store.pool.connection() as conn:
        rows = await (await conn.execute("SELECT system, code FROM coding ORDER BY 1, 2")).fetchall()
    return [(system, code) for system, code in rows]


async def test_a_code_is_kept_once_for_all_resources(ask: Asker) -> None:
    coded = {"code": {"coding": [{"system": "urn:s", "code": "a"}, {"code": "alone"}, {"system": "urn:s"}]}}
    await ask.put(patient("p", "A"), *({**observation(f"o{n}", "Patient/p", "x"), **coded} for n in range(3)))
    assert await codings(ask.store) == [("urn:s", "a")]


async def test_a_code_that_no_index_can_hold_is_stored_and_found_all_the_same(ask: Asker) -> None:
    code = "".join(f"{number:x}." for number in range(LONGEST))
    coded = {"code": {"coding": [{"system": "urn:s", "code": code}]}}
    await ask.put(patient("p", "A"), {**observation("o", "Patient/p", "x"), **coded})
    assert await codings(ask.store) == []
    assert await ask.ids(f"Observation?code=urn:s|{code}") == ["o"]


async def test_what_a_transaction_writes_stands_or_falls_with_it(ask: Asker) -> None:
    async with ask.store.pool.connection() as conn:
        async with conn.transaction(force_rollback=True):
            await ask.store.codings.keep([("urn:s", "a")], conn)
        assert await codings(ask.store) == []
        await ask.store.codings.keep([("urn:s", "a")], conn)
    await ask.store.codings.keep([("urn:s", "a"), ("urn:s", "b")])
    assert await codings(ask.store) == [("urn:s", "a"), ("urn:s", "b")]
