"""Official examples and synthetic records: every row that is stored for search is what indexing gives."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import Iterator, Sequence

import httpx

from tests.integration.integrity.resources import Json
from tests.integration.web import client
from tests.integrity import differences
from tests.shared import r4_examples, shared_path

MOST_BYTES = 300_000
"""Larger examples are a few value sets, which take seconds."""


def batches(resources: Sequence[Json]) -> Iterator[Json]:
    """Yield batches that put the resources under their own ids."""
    for start in range(0, len(resources), 60):
        entries = [
            {"resource": one, "request": {"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"}}
            for one in resources[start : start + 60]
        ]
        yield {"resourceType": "Bundle", "type": "batch", "entry": entries}


async def put(web: httpx.AsyncClient, resources: Sequence[Json]) -> int:
    """Write the resources and return how many were taken."""
    taken = 0
    for body in batches(resources):
        answer = await web.post("", json=body)
        assert answer.status_code == 200, answer.text
        taken += sum(one["response"]["status"][0] == "2" for one in answer.json()["entry"])
    return taken


async def test_rows_of_the_official_examples_written_over_each_other(fresh_database_url: str) -> None:
    examples = [json.loads(body) for body in r4_examples().values() if len(body) < MOST_BYTES]
    examples = [one for one in examples if "id" in one]
    by_type: dict[str, list[Json]] = {}
    for one in examples:
        by_type.setdefault(one["resourceType"], []).append(one)
    # each takes the place of another of its type, so that every kind of row comes and goes
    moved = [
        {**one, "id": other["id"]}
        for group in by_type.values()
        for one, other in zip(group, group[1:] + group[:1], strict=True)
    ]
    async with client(fresh_database_url) as web:
        web.timeout = 60
        assert await put(web, examples) > 600
        assert await put(web, moved) > 600
        assert await differences(fresh_database_url) == []
        for name, group in by_type.items():
            await asyncio.gather(*(web.delete(f"{name}/{one['id']}") for one in group))
        assert await differences(fresh_database_url) == []
        assert await put(web, examples[:100]) > 80
        assert await differences(fresh_database_url) == []


async def test_rows_of_synthetic_records_sent_twice(fresh_database_url: str) -> None:
    async with client(fresh_database_url) as web:
        web.timeout = 60
        records = sorted(shared_path("synthea").glob("*.json.gz"), key=lambda path: path.stat().st_size)
        for record in records[:5] * 2:
            answer = await web.post("", json=json.loads(gzip.decompress(record.read_bytes())))
            assert answer.status_code == 200, answer.text[:500]
    assert await differences(fresh_database_url) == []
