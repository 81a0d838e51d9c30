"""The plans of hot searches: what is read is the page or the matches, never a whole type.

Statements run by generic plans, so that these are looked at; what a table of a few thousand rows cannot show (how
many rows are read) `bench.growth` does.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from psycopg import AsyncRawCursor

from fhir_server.search.frequency import FREQUENCIES
from fhir_server.search.run import STATEMENTS, Statement
from tests.integration.search.conftest import Asker, _open, link
from tests.integration.search.people import LOINC, observation, quantity

MANY, PATIENTS = 3_000, 30
USUAL, RARE = f"{LOINC}|1000-0", f"{LOINC}|9999-9"
FAR = "2100-01-01"

Json = dict[str, Any]


def numbered(number: int) -> Json:
    """Return one of many Observations; the first alone has the rare code and the rare status."""
    day = f"{2000 + number % 20}-{number % 12 + 1:02d}-{number % 28 + 1:02d}"
    code = "9999-9" if number == 0 else f"100{number % 7 % 4}-0"
    more: Json = {"valueQuantity": quantity(number % 200, "mg/dL")}
    made = observation(f"o{number}", f"Patient/p{number % PATIENTS}", code, day, **more)
    return made | ({"status": "amended"} if number == 0 else {})


@pytest.fixture
async def many(client: httpx.AsyncClient, database_url: str) -> AsyncIterator[Asker]:
    """Yield a database with thousands of Observations and its statistics."""
    store = await _open(database_url)
    async with store.pool.connection() as conn:
        row = await (await conn.execute("SELECT count(*) FROM resource")).fetchone()
    if row == (0,):
        people = [{"resourceType": "Patient", "id": f"p{n}"} for n in range(PATIENTS)]
        await _write(client, [*people, *map(numbered, range(MANY))])
    async with store.pool.connection() as conn:
        await conn.execute("ANALYZE")
    FREQUENCIES.forget()
    yield Asker(store)
    FREQUENCIES.forget()
    await store.close()


async def _write(client: httpx.AsyncClient, resources: list[Json]) -> None:
    entries = [
        {"resource": one, "request": {"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"}}
        for one in resources
    ]
    answer = await client.post("", json={"resourceType": "Bundle", "type": "transaction", "entry": entries})
    assert answer.status_code == 200, answer.text[:500]


async def plans(asker: Asker, query: str) -> tuple[list[str], Json]:
    """Return the generic plan of each statement of a search, and its answer."""
    statements: list[Statement] = []
    mark = STATEMENTS.set(statements)
    try:
        bundle = await asker.bundle(query)
    finally:
        STATEMENTS.reset(mark)
    found = []
    async with asker.store.pool.connection() as conn:
        for one in statements:
            cursor = AsyncRawCursor(conn)
            await cursor.execute(f"EXPLAIN (GENERIC_PLAN) {one.text}", prepare=False)
            found.append("\n".join(line for (line,) in await cursor.fetchall()))
    return found, bundle


def conditions(plan: str) -> str:
    """Return the index conditions of a plan."""
    return "\n".join(re.findall(r"Index Cond: (.*)", plan))


IN_ORDER = {
    "Observation": "resource_type ",
    "Observation?_sort=-date": "resource_date",
    "Observation?_sort=date": "resource_date",
    "Observation?_sort=-_lastUpdated": "resource_type_updated",
    "Observation?_sort=_lastUpdated": "resource_type_updated",
    "Observation?_lastUpdated=lt2100-01-01": "resource_type_updated",
    "Observation?status=final": "resource_type ",
    "Observation?status=final&_sort=-date": "resource_date",
    "Observation?date=ge2010-01-01": "resource_date",
    "Observation?date=lt2010-01-01&_sort=-date": "resource_date",
    f"Observation?code={USUAL}": "posting_hash",
    f"Observation?code={USUAL}&_sort=-date": "posting_hash",
    f"Observation?code={USUAL}&status=final&_sort=-date": "posting_hash",
    f"Observation?code={USUAL}&_sort=-_lastUpdated": "resource_type_updated",
    "Observation?patient=p1&_sort=-date": "resource_patient",
    f"Observation?patient=p1&code={USUAL}&_sort=-date": "posting_patient",
    "Observation?value-quantity=ge1||mg/dL": "resource_type ",
    "Observation?value-quantity=ge1||mg/dL&_sort=-date": "resource_date",
    "Patient?_has:Observation:patient:status=final": "resource_type ",
    "Patient?_sort=-_lastUpdated": "resource_type_updated",
}
"""Searches whose page is read from an index in its order, and which index that is."""


@pytest.mark.parametrize("query", IN_ORDER)
async def test_a_page_is_read_in_the_order_of_an_index(many: Asker, query: str) -> None:
    both = "&" if "?" in query else "?"
    found, bundle = await plans(many, f"{query}{both}_count=5")
    assert len(bundle["entry"]) == 5
    assert f"{IN_ORDER[query].strip()} " in found[-1]
    assert "Sort" not in found[-1]
    assert "Seq Scan on resource" not in found[-1]


DEEP = [
    "Observation",
    "Observation?status=final",
    "Observation?_sort=_lastUpdated",
    "Observation?_sort=-_lastUpdated",
    "Observation?_sort=-date",
    f"Observation?code={USUAL}&_sort=-date",
]


@pytest.mark.parametrize("query", DEEP)
async def test_a_later_page_starts_where_the_last_one_ended(many: Asker, query: str) -> None:
    both = "&" if "?" in query else "?"
    _, bundle = await plans(many, f"{query}{both}_count=5")
    following = link(bundle, "next")
    assert following
    found, bundle = await plans(many, following)
    assert len(bundle["entry"]) == 5
    assert "Sort" not in found[-1]
    assert re.search(r"Index Cond: (.*ROW\(|\(\(type = ANY .*rid >)", found[-1])


@pytest.mark.parametrize("scope", ["", f"code={USUAL}&", "patient=p1&", f"patient=p1&code={USUAL}&"])
@pytest.mark.parametrize("sort", ["", "&_sort=date", "&_sort=-date"])
async def test_bounds_of_dates_are_conditions_of_the_index(many: Asker, scope: str, sort: str) -> None:
    found, _ = await plans(many, f"Observation?{scope}date=ge2005-01-01&date=lt2006-01-01{sort}&_count=5")
    page = found[0]
    assert re.search(r"d0 >= ", conditions(page))
    assert re.search(r"d0 <= ", conditions(page))
    assert "Sort" not in page


LOOKED_UP = {
    "Observation?status=amended&_sort=-_lastUpdated": "resource_tokens",
    "Observation?status=amended&_sort=-date": "resource_tokens",
    f"Observation?status=amended&code={USUAL}": "resource_tokens",
    f"Observation?code={RARE}&_sort=-_lastUpdated": "posting_hash",
    f"Observation?code={RARE}&status=final&_sort=-date": "posting_hash",
    f"Patient?_has:Observation:patient:code={RARE}": "posting_hash",
    f"Observation?_lastUpdated=gt{FAR}&_sort=-date": "resource_updated",
    "Observation?date=2003-04-04&_sort=-_lastUpdated": "resource_date",
}
"""Searches that few rows answer, and the index that these are found by."""


@pytest.mark.parametrize("query", LOOKED_UP)
async def test_few_rows_are_looked_up_whatever_the_order(many: Asker, query: str) -> None:
    found, _ = await plans(many, query)
    assert re.search(rf"\b{LOOKED_UP[query]}\b", "\n".join(found))
    walked = [
        line
        for line in found[-1].splitlines()
        if re.search(r"using (resource_type|resource_type_updated) ", line)
    ]
    assert not walked
    assert "posting_patient" not in found[-1]
