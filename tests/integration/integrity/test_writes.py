"""Random Bundles of everything that writes, many at a time on a few ids: rows are those of what is stored."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from tests.integration.integrity.resources import Maker
from tests.integration.web import client
from tests.integrity import differences

EXPECTED = {"200", "201", "204", "400", "404", "409", "410", "412"}
"""What the Bundles and their entries may answer."""


@pytest.mark.parametrize("size", [2, 6])
async def test_rows_follow_writers_that_race(fresh_database_url: str, size: int) -> None:
    maker, seen = Maker(size), Counter[str]()
    async with client(fresh_database_url, pool_size=size) as web:
        web.timeout = 60
        for _ in range(3):
            kinds = maker.random.choices(["batch", "transaction"], [1, 2], k=20)
            bundles = [maker.bundle(kind, maker.random.randrange(1, 5)) for kind in kinds]
            for answer in await asyncio.gather(*(web.post("", json=one) for one in bundles)):
                seen[str(answer.status_code)] += 1
                seen.update(one["response"]["status"][:3] for one in answer.json().get("entry", ()))
            assert await differences(fresh_database_url) == []
    assert seen.keys() <= EXPECTED, seen
    assert all(seen[status] > 5 for status in ("200", "201", "204", "412"))


async def test_nothing_is_left_of_a_transaction_that_fails_after_writing(fresh_database_url: str) -> None:
    maker = Maker(3)
    async with client(fresh_database_url) as web:
        web.timeout = 60
        for number in range(4):
            kept = maker.bundle("batch", 6)
            assert (await web.post("", json=kept)).status_code == 200
            failing = maker.bundle("transaction", 0)
            writes = [maker.resource("Observation", slot) for slot in ("a", "b", "new")]
            failing["entry"] = [
                {"resource": one, "request": {"method": "PUT", "url": f"Observation/{one['id']}"}}
                for one in writes
            ]
            failing["entry"].append({"request": {"method": "GET", "url": f"Patient/nobody-{number}"}})
            assert (await web.post("", json=failing)).status_code == 404
            assert (await web.get("Observation/new")).status_code == 404
            assert await differences(fresh_database_url) == []
