"""Index rows of every table follow their resource, those of contained resources too."""

from __future__ import annotations

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import pytest

from fhir_server.changes.prepare import Prepared, link
from fhir_server.storage import read, write
from fhir_server.storage.rows import PUT, Composite, ContainedRows, IndexRows, Numeric, type_number
from fhir_server.storage.store import Store

PATIENT = type_number("Patient")
TAIL = b'},"active":true}'
TABLES = (
    "posting",
    "edge",
    "idx_string",
    "idx_date",
    "idx_number",
    "idx_composite",
    "idx_position",
    "idx_text",
    "contained",
)


def inside() -> IndexRows:
    """Return index rows with one of every kind, of a contained resource."""
    return IndexRows(
        tokens=[5],
        posts=[6],
        strings=[(7, "inner", "Inner")],
        dates=[(8, 1, 2)],
        numbers=[Numeric(9, Decimal(1), Decimal(2))],
        edges=[(12, "Patient", "other")],
        patient="other",
        composites=[Composite(14, [1])],
        positions=[(13, 1.5, -2.25)],
        text="'inner':1",
    )


def rows(**given: object) -> IndexRows:
    """Return index rows of a resource that contains another, changed as `given` says."""
    base = IndexRows(
        posts=[10],
        composites=[Composite(14, [3, 4], lo=Decimal("1.5"), hi=Decimal("1.5"), norm="a", exact="A")],
        positions=[(13, 47.37, 8.54)],
        text="'ann':1A 'smith':2",
        labels=[(15, "headache", 99)],
        contained=[ContainedRows("p1", "Patient", inside())],
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


async def ask(store: Store, query: str) -> list[tuple[Any, ...]]:
    """Return the rows of a query."""
    async with store.pool.connection() as conn:
        return await (await conn.execute(query.encode())).fetchall()


async def counts(store: Store) -> list[int]:
    """Return the number of rows of each of TABLES."""
    return [(await ask(store, f"SELECT count(*) FROM {table}"))[0][0] for table in TABLES]


async def put(store: Store, index: IndexRows) -> None:
    """Write the next version of Patient/one."""
    prepared = Prepared(PATIENT, "one", TAIL, index)
    async with store.pool.connection() as conn:
        old = await read.old(conn, "Patient", "one")
        if old is None:
            (rid,) = await store.identities.allocate(1)
            one = write.created(rid, PATIENT, "one", TAIL, index)
        else:
            one = write.replaced(old, TAIL, index, PUT)
        await link(store, [(one, prepared)], {(PATIENT, "one"): one.rid})
        assert await write.apply(conn, [one]) is not None


async def test_every_kind_of_row_is_written_and_its_values_come_back(store: Store) -> None:
    await put(store, rows())
    assert await counts(store) == [1, 1, 1, 1, 1, 2, 2, 2, 1]
    assert (14, [3, 4], Decimal("1.5"), "A") in await ask(
        store, "SELECT param, keys, lo, exact FROM idx_composite"
    )
    assert (13, 47.37, 8.54) in await ask(store, "SELECT param, lat, lon FROM idx_position")
    assert await ask(store, "SELECT norm, h FROM label") == [("headache", 99)]
    assert await ask(store, "SELECT count(*) FROM idx_text WHERE words @@ 'ann:A & smith'") == [(1,)]


async def test_a_contained_resource_has_rows_under_a_number_of_its_own(store: Store) -> None:
    await put(store, rows())
    found = await ask(
        store,
        "SELECT c.local, c.type, c.tokens, c.posts, s.norm, o.id, p.id FROM contained c JOIN idx_string s USING (rid)"
        " JOIN resource o ON o.rid = c.container JOIN resource p ON p.rid = c.pid",
    )
    assert found == [("p1", PATIENT, [5], [6], "inner", "one", "other")]
    assert await ask(store, "SELECT count(*) FROM contained JOIN resource USING (rid)") == [(0,)]


async def test_rows_that_stay_the_same_are_not_written_again(store: Store) -> None:
    await put(store, rows())
    before = await ask(store, "SELECT rid FROM contained")
    places = await ask(
        store, "SELECT ctid::text FROM idx_composite UNION ALL SELECT ctid::text FROM idx_text"
    )
    await put(store, rows())
    assert await ask(store, "SELECT rid FROM contained") == before
    assert places == await ask(
        store, "SELECT ctid::text FROM idx_composite UNION ALL SELECT ctid::text FROM idx_text"
    )


async def test_rows_that_change_are_replaced_and_what_was_contained_goes(store: Store) -> None:
    await put(store, rows())
    await put(store, rows(text="'bob':1A", contained=[], composites=[]))
    assert await counts(store) == [1, 0, 0, 0, 0, 0, 1, 1, 0]
    assert await ask(store, "SELECT words::text FROM idx_text") == [("'bob':1A",)]


async def test_a_deletion_leaves_no_index_rows(store: Store) -> None:
    await put(store, rows())
    async with store.pool.connection() as conn:
        old = await read.old(conn, "Patient", "one")
        assert old is not None
        assert await write.apply(conn, [write.deleted(old)]) is not None
    assert await counts(store) == [0] * len(TABLES)
