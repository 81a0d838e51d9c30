"""The clinic on this module's database."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.integration.access.people import Clinic, clinic


@pytest.fixture
async def here(database_url: str) -> AsyncIterator[Clinic]:
    """Yield the clinic."""
    async with clinic(database_url) as one:
        yield one
