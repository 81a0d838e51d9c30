"""A client on a server that knows the world of these tests."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.integration.terminology.made import settle
from tests.integration.web import client


@pytest.fixture
async def web(database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """Yield the client."""
    async with client(database_url) as one:
        if (await one.get("CodeSystem/plants")).status_code != 200:
            await settle(one)
        yield one
