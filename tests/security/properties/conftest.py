"""A stage of its own for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.integration.web import client_of, running
from tests.security.properties.stages import Stage


@pytest.fixture
async def stage(fresh_database_url: str) -> AsyncIterator[Stage]:
    """Yield a server on an empty database, asked as whoever the test says."""
    async with running(fresh_database_url) as app, client_of(app) as web:
        yield Stage(app, web)
