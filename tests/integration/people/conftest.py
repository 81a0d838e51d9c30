"""The app with its pages, on this module's database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from fhir_server.app import App
from tests.integration.people.browser import Browser, pages


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the data folder that goes with this module's database."""
    return tmp_path_factory.mktemp("data")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(database_url: str, folder: Path) -> AsyncIterator[App]:
    """Yield the running app."""
    async with pages(database_url, folder) as one:
        yield one


@pytest_asyncio.fixture(loop_scope="module")
async def browser(app: App) -> AsyncIterator[Browser]:
    """Yield a browser that was nowhere yet."""
    one = Browser(app)
    async with one.http:
        yield one
