"""Fifty Synthea bundles load without refusal and read back equal, decimals included."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.shared import shared_path

Json = dict[str, Any]


def bundles(folder: Path) -> list[bytes]:
    """Return the bundles' bytes, hospitals and practitioners first."""
    files = sorted(folder.glob("*.json.gz"), key=lambda f: ("Information" not in f.name, f.name))
    return [gzip.decompress(file.read_bytes()) for file in files]


def exact(text: bytes | str) -> Json:
    """Return JSON whose decimals are compared digit for digit."""
    found: Json = json.loads(text, parse_float=lambda digits: f"decimal {digits}")
    return found


def unstamped(resource: Json) -> Json:
    """Return `resource` without what the server gives it."""
    meta = {k: v for k, v in resource.get("meta", {}).items() if k not in ("versionId", "lastUpdated")}
    rest = {k: v for k, v in resource.items() if k not in ("id", "meta")}
    return rest | {"meta": meta} if meta else rest


@pytest.mark.timeout(300)
async def test_synthea_loads_and_reads_back_equal(client: httpx.AsyncClient) -> None:
    expected: dict[str, Json] = {}
    counts: Counter[str] = Counter()
    for raw in bundles(shared_path("synthea")):
        answer = await client.post("", content=raw, headers={"Content-Type": "application/fhir+json"})
        assert answer.status_code == 200, answer.text[:2000]
        sent = exact(raw)["entry"]
        places = [
            e["response"]["location"].split("/fhir/")[1].split("/_history/")[0]
            for e in answer.json()["entry"]
        ]
        text = raw.decode()
        for entry, place in zip(sent, places, strict=True):
            text = text.replace(entry["fullUrl"], place)
        for entry, place in zip(exact(text)["entry"], places, strict=True):
            expected[place] = unstamped(entry["resource"])
            counts[entry["resource"]["resourceType"]] += 1
    assert sum(counts.values()) == 14_796
    for name, count in counts.items():
        assert (await client.get(f"{name}?_summary=count")).json()["total"] == count
        await _compare(client, name, count, expected)


async def _compare(client: httpx.AsyncClient, name: str, count: int, expected: dict[str, Json]) -> None:
    url: str | None = f"{name}?_count=1000"
    seen = 0
    while url:
        page = exact((await client.get(url)).text)
        for entry in page.get("entry", ()):
            resource = entry["resource"]
            assert unstamped(resource) == expected[f"{name}/{resource['id']}"]
            seen += 1
        url = next((link["url"] for link in page["link"] if link["relation"] == "next"), None)
    assert seen == count
