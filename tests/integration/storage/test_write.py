"""Writing versions: one guarded statement for rows, older versions and index rows."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from fhir_server.storage import history, read, write
from fhir_server.storage.rows import DELETE, POST, PUT, IndexRows, Numeric, Row, type_number
from fhir_server.storage.store import Store

PATIENT = type_number("Patient")
TAIL = b'},"active":true}'


def rows(**given: object) -> IndexRows:
    """Return index rows with something of every kind, changed as `given` says."""
    base = IndexRows(
        d0=5,
        d1=6,
        tokens=[1, 2],
        posts=[10, 11],
        present=[7],
        strings=[(7, "ann", "Ann")],
        dates=[(8, 1, 2)],
        numbers=[
            Numeric(9, Decimal("1.50"), Decimal("1.50"), 77, Decimal("0.0015"), Decimal("0.0015"), None)
        ],
        edges=[(12, "Patient", "other")],
    )
    for name, value in given.items():
        setattr(base, name, value)
    return base


@pytest.fixture
async def store(fresh_database_url: str) -> AsyncIterator[Store]:
    """Yield an open store on an empty database."""
    opened = await Store.open(fresh_database_url)
    yield opened
    await opened.close()


async def new(store: Store, id_: str, index: IndexRows | None = None) -> write.Write:
    """Return the write of a new Patient."""
    (rid,) = await store.identities.allocate(1)
    one = write.created(rid, PATIENT, id_, TAIL, index or rows())
    one.pid = rid
    one.edges = [(12, rid)]
    return one


async def counts(store: Store) -> dict[str, int]:
    """Return the number of rows of each index table."""
    found = {}
    async with store.pool.connection() as conn:
        for table in ("posting", "edge", "idx_string", "idx_date", "idx_number", "resource_version"):
            cursor = await conn.execute(f"SELECT count(*) FROM {table}".encode())
            row = await cursor.fetchone()
            found[table] = row[0] if row else -1
    return found


async def apply(store: Store, *writes: write.Write) -> list[Row] | None:
    """Apply `writes` on a connection of the pool."""
    async with store.pool.connection() as conn:
        return await write.apply(conn, writes)


async def test_a_create_writes_one_row_and_its_index(store: Store) -> None:
    written = await apply(store, await new(store, "a"))
    assert written is not None
    async with store.pool.connection() as conn:
        row = await read.current(conn, "Patient", "a")
    assert row is not None and row == written[0]
    assert row.version == 1 and row.live and row.method == POST
    assert row.json().startswith(
        b'{"resourceType":"Patient","id":"a","meta":{"versionId":"1","lastUpdated":"20'
    )
    assert row.json().endswith(b'Z"},"active":true}')
    assert await counts(store) == {
        "posting": 2, "edge": 1, "idx_string": 1, "idx_date": 1, "idx_number": 1, "resource_version": 0,
    }  # fmt: skip


async def test_a_second_create_of_the_same_identity_loses(store: Store) -> None:
    await apply(store, await new(store, "a"))
    assert await apply(store, await new(store, "a")) is None
    assert (await counts(store))["posting"] == 2


async def test_an_update_keeps_the_older_version_and_replaces_the_index(store: Store) -> None:
    await apply(store, await new(store, "a"))
    async with store.pool.connection() as conn:
        old = await read.old(conn, "Patient", "a")
    assert old is not None
    changed = rows(posts=[11, 12, 13], strings=[(7, "bea", "Bea"), (7, "b", "B")], dates=[])
    one = write.replaced(old, b'},"active":false}', changed, PUT)
    one.pid, one.edges = old.rid, [(12, old.rid)]
    written = await apply(store, one)
    assert written is not None and written[0].version == 2 and written[0].updated > old.updated
    async with store.pool.connection() as conn:
        first = await read.version(conn, "Patient", "a", 1)
        second = await read.version(conn, "Patient", "a", 2)
        cursor = await conn.execute("SELECT h FROM posting ORDER BY h")
        assert [h for (h,) in await cursor.fetchall()] == [11, 12, 13]
    assert first is not None and first.tail == TAIL
    assert second is not None and second.tail == b'},"active":false}'
    assert await counts(store) == {
        "posting": 3, "edge": 1, "idx_string": 2, "idx_date": 0, "idx_number": 1, "resource_version": 1,
    }  # fmt: skip


async def test_an_update_of_a_version_that_is_no_longer_current_changes_nothing(store: Store) -> None:
    await apply(store, await new(store, "a"))
    async with store.pool.connection() as conn:
        old = await read.old(conn, "Patient", "a")
    assert old is not None
    assert await apply(store, write.replaced(old, TAIL, rows(), PUT)) is not None
    before = await counts(store)
    assert await apply(store, write.replaced(old, TAIL, rows(strings=[]), PUT)) is None
    assert await counts(store) == before


async def test_a_deletion_is_a_version_that_nothing_finds(store: Store) -> None:
    await apply(store, await new(store, "a"))
    async with store.pool.connection() as conn:
        old = await read.old(conn, "Patient", "a")
    assert old is not None
    written = await apply(store, write.deleted(old))
    assert written is not None and not written[0].live and written[0].method == DELETE
    found = await counts(store)
    assert found.pop("resource_version") == 1
    assert set(found.values()) == {0}


async def test_creates_and_updates_go_into_one_statement(store: Store) -> None:
    await apply(store, await new(store, "a"))
    async with store.pool.connection() as conn:
        old = await read.old(conn, "Patient", "a")
    assert old is not None
    fresh = [await new(store, f"n{i}", rows(tokens=[i] * i)) for i in range(5)]
    written = await apply(store, write.replaced(old, TAIL, rows(), PUT), *fresh)
    assert written is not None and [r.id for r in written] == ["a", "n0", "n1", "n2", "n3", "n4"]
    async with store.pool.connection() as conn:
        cursor = await conn.execute("SELECT id, tokens FROM resource WHERE id LIKE 'n%' ORDER BY id")
        assert await cursor.fetchall() == [(f"n{i}", [i] * i) for i in range(5)]


async def test_fifty_writers_of_one_resource_make_fifty_versions_without_gap(store: Store) -> None:
    await apply(store, await new(store, "a"))

    async def again() -> None:
        while True:
            async with store.pool.connection() as conn:
                old = await read.old(conn, "Patient", "a")
                assert old is not None
                if await write.apply(conn, [write.replaced(old, TAIL, rows(), PUT)]):
                    return

    await asyncio.gather(*(again() for _ in range(50)))
    async with store.pool.connection() as conn:
        page = await history.page(conn, history.Slice(type=PATIENT), 100)
    assert [row.version for row in page] == list(range(51, 0, -1))
    assert all(a.updated > b.updated for a, b in itertools.pairwise(page))
    assert (await counts(store))["posting"] == 2


async def test_identities_are_made_once_for_everyone(store: Store) -> None:
    keys = [(PATIENT, f"p{i}") for i in range(20)]
    others = [Store(store.pool, store.keys).identities for _ in range(8)]
    answers = await asyncio.gather(*(identities.resolve(keys) for identities in others))
    assert all(answer == answers[0] for answer in answers)
    assert len(set(answers[0].values())) == 20


async def test_polling_from_the_safe_instant_never_skips_a_version(store: Store) -> None:
    seen: set[str] = set()
    stop = asyncio.Event()

    async def poll() -> None:
        since = None
        while True:
            done = stop.is_set()
            async with store.pool.connection() as conn:
                safe = await history.safe_instant(conn)
                page = await history.page(conn, history.Slice(type=PATIENT, since=since), 10_000)
            seen.update(row.id for row in page)
            since = safe
            if done:
                return

    async def writer(name: str) -> None:
        for number in range(15):
            async with store.transaction() as conn:
                now = await read.clock(conn)
                await asyncio.sleep(0.004 * (number % 4))
                await write.apply(conn, [await new(store, f"{name}-{number}")], now)

    poller = asyncio.create_task(poll())
    await asyncio.gather(*(writer(f"w{i}") for i in range(4)))
    stop.set()
    await poller
    assert len(seen) == 60
