"""A server with authorization, in this process."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.auth.smart import Smart, smart

TENANT = "clinic-7"
BRANDS = '{"resourceType": "Bundle", "type": "collection", "timestamp": "2026-01-01T00:00:00Z"}'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the data folder that goes with this module's database."""
    return tmp_path_factory.mktemp("data")


@pytest.fixture
async def server(database_url: str, folder: Path) -> AsyncIterator[Smart]:
    """Yield a server of a clinic among several."""
    async with smart(database_url, data_dir=folder, tenant=TENANT) as one:
        yield one


@pytest.fixture
async def branded(database_url: str, folder: Path) -> AsyncIterator[Smart]:
    """Yield a server whose operator brings the brands."""
    file = folder / "brands.json"
    file.write_text(BRANDS)
    async with smart(database_url, data_dir=folder, brands_file=file) as one:
        yield one
