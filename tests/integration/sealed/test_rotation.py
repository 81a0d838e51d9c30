"""Keys are renewed while everything stays readable, and an interrupted run goes on."""

from __future__ import annotations

from contextlib import aclosing
from pathlib import Path

import httpx
import psycopg
import pytest

from fhir_server import keys
from fhir_server.commands.key import opened
from fhir_server.crypto import envelope, rewrap
from fhir_server.crypto.providers import KeyTroubleError, LocalFile
from fhir_server.settings import Settings
from fhir_server.storage import rotation
from fhir_server.storage.store import Store
from tests.integration.sealed.conftest import Sealed
from tests.integration.web import client, patient


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for changed keys before every write, and work in small batches."""
    monkeypatch.setattr("fhir_server.crypto.ring.FRESH_S", 0.0)
    monkeypatch.setattr("fhir_server.storage.rotation.FRESH_S", 0.01)
    monkeypatch.setattr("fhir_server.storage.rotation.AT_ONCE", 3)
    monkeypatch.setattr("fhir_server.crypto.rewrap.AT_ONCE", 2)


def settings(database_url: str, sealed: Sealed) -> Settings:
    return Settings(database_url=database_url, **sealed)


def tails(database_url: str) -> dict[tuple[int, int], bytes]:
    """Return every sealed content by (row, version)."""
    with psycopg.connect(database_url) as conn:
        rows = conn.execute(
            "SELECT rid, version, tail FROM resource WHERE tail IS NOT NULL UNION ALL"
            " SELECT rid, version, tail FROM resource_version WHERE tail IS NOT NULL"
        ).fetchall()
    return {(rid, version): bytes(tail) for rid, version, tail in rows}


async def written(web: httpx.AsyncClient, start: str, count: int = 4) -> None:
    for number in range(count):
        one = patient(id=f"{start}{number}", name=[{"family": f"Person{number}"}])
        assert (await web.put(f"Patient/{start}{number}", json=one)).is_success
        assert (await web.put(f"Patient/{start}{number}", json=one | {"gender": "other"})).is_success


async def names(web: httpx.AsyncClient, start: str, count: int = 4) -> list[str]:
    return [
        (await web.get(f"Patient/{start}{n}/_history/1")).json()["name"][0]["family"]
        + (await web.get(f"Patient/{start}{n}")).json()["gender"]
        for n in range(count)
    ]


WANTED = ["Person0other", "Person1other", "Person2other", "Person3other"]


async def test_a_new_wrapping_key_leaves_content_untouched_and_readable(
    web: httpx.AsyncClient, database_url: str, sealed: Sealed
) -> None:
    await written(web, "w")
    before = tails(database_url)
    ring = keys.ring(settings(database_url, sealed))
    old = LocalFile(Path(sealed["key_file"])).current()
    try:
        assert await rewrap.wrapping_key(ring) == 6
        steps = [step async for step in rewrap.class_keys(ring)]
        assert steps[-1].done == steps[-1].total > 2
        kinds = [(key.kind, key.number) for key in await ring.store.classes()]
    finally:
        await ring.store.close()
    assert old not in LocalFile(Path(sealed["key_file"])).names()
    assert kinds == [(1, 2), (2, 2), (3, 2), (4, 2), (5, 1), (6, 1)]
    assert tails(database_url) == before
    async with client(database_url, **sealed) as fresh:
        assert await names(fresh, "w") == WANTED
    assert await names(web, "w") == WANTED


async def test_all_content_is_sealed_under_new_keys_and_the_old_ones_are_gone(
    web: httpx.AsyncClient, database_url: str, sealed: Sealed
) -> None:
    async with client(database_url, **{**sealed, "encryption": "off"}) as plain:
        await written(plain, "x")
    await written(web, "r")
    before = tails(database_url)
    store = await opened(settings(database_url, sealed))
    try:
        async for job in rotation.run(store):
            assert job.done <= job.total
        assert job.state == "done" and job.done == job.total == len(before)
    finally:
        await store.close()
    after = tails(database_url)
    assert after.keys() == before.keys()
    assert all(envelope.is_sealed(tail) and before[place] != tail for place, tail in after.items())
    assert await names(web, "r") == await names(web, "x") == WANTED
    ring = keys.ring(settings(database_url, sealed))
    try:
        assert not await ring.store.find(
            {key for t in before.values() if envelope.is_sealed(t) for key in envelope.parts(t).keys}
        )
    finally:
        await ring.store.close()


async def test_an_interrupted_rotation_goes_on_where_it_was_and_writers_do_not_notice(
    web: httpx.AsyncClient, database_url: str, sealed: Sealed
) -> None:
    await written(web, "i")
    store = await opened(settings(database_url, sealed))
    try:
        first = 0
        async with aclosing(rotation.run(store)) as running:
            async for job in running:
                first = job.id
                if job.done >= 6:
                    break
        await written(web, "during", 2)
        async for job in rotation.run(store):
            assert job.id == first
        assert job.state == "done"
    finally:
        await store.close()
    assert await names(web, "i") == WANTED
    assert await names(web, "during", 2) == WANTED[:2]


async def test_without_its_wrapping_key_the_server_refuses_to_start(
    web: httpx.AsyncClient, database_url: str, sealed: Sealed, tmp_path: Path
) -> None:
    await written(web, "k", 1)
    with pytest.raises(KeyTroubleError, match="is not among"):
        async with client(database_url, **{**sealed, "key_file": tmp_path / "other.json"}):
            pass


async def test_many_patients_do_not_fill_the_memory_of_keys(
    database_url: str, sealed: Sealed, web: httpx.AsyncClient
) -> None:
    await written(web, "m")
    store: Store = await opened(settings(database_url, sealed))
    try:
        assert store.sealer is not None
        store.sealer.ring._kept = 2
        async with store.pool.connection() as conn:
            for _ in range(3):
                cursor = await conn.execute(
                    "SELECT rid, type, id, version, updated, live, method, tail FROM resource WHERE tail IS NOT NULL"
                )
                rows = await cursor.fetchall()
                assert all(not envelope.is_sealed(row[7]) for row in rows)
                one = await conn.execute(
                    "SELECT rid, type, id, version, updated, live, method, tail FROM resource WHERE id = 'm1'"
                )
                assert await one.fetchone()
                assert len(store.sealer.ring._known) <= max(3, len(rows))
    finally:
        await store.close()


async def test_a_key_store_that_was_started_anew_is_used_again(
    web: httpx.AsyncClient, keys_url: str, database_url: str
) -> None:
    await written(web, "z", 1)
    with psycopg.connect(keys_url) as conn:
        conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    await written(web, "y", 1)
    assert await names(web, "y", 1) == WANTED[:1]
