"""A server with authorization, in this process, on this module's database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.auth.smart import Smart, smart


@pytest.fixture
async def server(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Smart]:
    """Yield a server; all tests of a run share a data folder, since a module's tests share a database."""
    async with smart(database_url, data_dir=shared_folder(tmp_path_factory)) as one:
        async with one.authority.store.pool.connection() as conn:
            await conn.execute(
                "TRUNCATE auth_agreed, auth_ask, auth_code, auth_family, auth_refresh, auth_revoked"
            )
        yield one


def shared_folder(factory: pytest.TempPathFactory) -> Path:
    """Return the data folder of this run."""
    folder = factory.getbasetemp() / "auth-data"
    folder.mkdir(exist_ok=True)
    return folder
