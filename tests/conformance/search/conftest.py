"""One database with the examples and some Synthea in it, loaded over REST once and shared by all workers of a run."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from fhir_server.storage.embedded import EmbeddedPostgres
from fhir_server.storage.embedded_lock import FileLock
from tests.conformance.search.data import texts, world
from tests.conformance.search.server import Server, load, serving
from tests.conftest import OWNER
from tests.oracle.search import World

NAME = "search_world"


@pytest.fixture(scope="session")
def search_database(postgres: EmbeddedPostgres, template: str) -> str:
    """Return the conninfo of the loaded database; whichever worker comes first loads it."""
    admin = postgres.admin_conninfo()
    with FileLock(postgres.folder / "search.lock"), psycopg.connect(admin, autocommit=True) as conn:
        if not conn.execute("SELECT 1 FROM pg_database WHERE datname = %s", (NAME,)).fetchone():
            draft = f"{NAME}_draft"
            conn.execute(f"DROP DATABASE IF EXISTS {draft} WITH (FORCE)")
            conn.execute(f"CREATE DATABASE {draft} TEMPLATE {template} OWNER {OWNER} STRATEGY file_copy")
            with serving(postgres.conninfo(draft)) as server:
                load(server, texts())
            conn.execute(f"ALTER DATABASE {draft} RENAME TO {NAME}")
    return postgres.conninfo(NAME)


@pytest.fixture(scope="module")
def server(search_database: str) -> Iterator[Server]:
    """Yield a server on the loaded database, which no test may write to."""
    with serving(search_database) as one:
        yield one


@pytest.fixture(scope="session")
def oracle() -> World:
    """Return the oracle's view of the same resources."""
    return world()
