"""Servers that seal: a key file of their own, and leave to make the key store's database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest

from fhir_server.crypto import keystore
from fhir_server.storage.embedded import EmbeddedPostgres
from tests.conftest import OWNER
from tests.integration.web import client

Sealed = dict[str, Any]


@pytest.fixture(scope="module")
def keys_url(postgres: EmbeddedPostgres, database_url: str) -> Iterator[str]:
    """Yield the conninfo of the key store beside this module's database; dropped afterwards."""
    url = keystore.beside(database_url)
    name = psycopg.conninfo.conninfo_to_dict(url)["dbname"]
    with psycopg.connect(postgres.admin_conninfo(), autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name} OWNER {OWNER}")
    yield url
    with psycopg.connect(postgres.admin_conninfo(), autocommit=True) as conn:
        conn.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def sealed(keys_url: str, tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    """Return the settings of a server that seals."""
    folder: Path = tmp_path_factory.mktemp("keys")
    return {"encryption": "on", "keys_database_url": keys_url, "key_file": folder / "master.json"}


@pytest.fixture
async def web(database_url: str, sealed: Sealed) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of a server that seals."""
    async with client(database_url, **sealed) as one:
        yield one
