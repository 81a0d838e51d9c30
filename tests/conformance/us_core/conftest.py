"""A server with US Core's own resources and its examples."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from tests.conformance.us_core.world import STATEMENT, conformance, examples
from tests.integration.web import client

BASE = "http://server.example/fhir"


async def _store(web: httpx.AsyncClient, resources: list[dict[str, Any]]) -> None:
    entries = [
        {"resource": one, "request": {"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"}}
        for one in resources
    ]
    for start in range(0, len(entries), 100):
        bundle = {"resourceType": "Bundle", "type": "batch", "entry": entries[start : start + 100]}
        answer = await web.post("", json=bundle)
        wrong = [one for one in answer.json()["entry"] if not one["response"]["status"].startswith("20")]
        assert wrong == []


@pytest.fixture
async def guide(database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of the server; what it holds is stored once a module."""
    async with client(database_url, instantiates=(STATEMENT,), base_url=BASE) as web:
        if (await web.get("Patient/example")).status_code == 404:
            await _store(web, conformance())
            await _store(web, examples())
        yield web
