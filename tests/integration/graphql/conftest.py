"""A server with the world of the GraphQL tests in it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.integration.graphql.world import filled
from tests.integration.web import client


@pytest.fixture
async def web(database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client on this module's database."""
    async with client(database_url) as one:
        yield await filled(one)
