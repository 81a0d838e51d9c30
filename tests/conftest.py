"""One throwaway PostgreSQL per test run, and from its migrated template a database per test module."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import psycopg
import pytest

from fhir_server.access import current
from fhir_server.access.policy import OPENED
from fhir_server.app import create_app
from fhir_server.crypto.keystore import SUFFIX
from fhir_server.settings import Settings
from fhir_server.storage.embedded import EmbeddedPostgres
from fhir_server.storage.embedded_lock import FileLock
from fhir_server.storage.migrate import upgrade

current.assume(OPENED)  # what tests call without a request works as in open mode

os.environ.setdefault("HEALTHBUDDY_AUTHORIZATION", "open")
"""Most tests are about other things than who may do them; those that are say `smart`."""

TEMPLATE = "healthbuddy_template"
OWNER = "healthbuddy"


@pytest.fixture(scope="session")
def run_id(request: pytest.FixtureRequest) -> str:
    """What all pytest-xdist workers of one run have in common."""
    if hasattr(request.config, "workerinput"):
        return str(request.config.workerinput["testrunuid"])
    return uuid.uuid4().hex


@pytest.fixture(scope="session")
def postgres(run_id: str) -> Iterator[EmbeddedPostgres]:
    """Yield the running cluster of this test run, shared by its workers; the last one removes it."""
    server = EmbeddedPostgres(Path(tempfile.gettempdir()) / f"hb-test-{run_id[:12]}", durable=False)
    server.ensure_running()
    with psycopg.connect(server.admin_conninfo(), autocommit=True) as conn:
        conn.execute(f"ALTER ROLE {OWNER} CREATEDB")  # key stores beside test databases
    try:
        yield server
    finally:
        server.stop(remove=True)


@pytest.fixture(scope="session")
def template(postgres: EmbeddedPostgres) -> str:
    """Return the name of a database with all migrations applied, made by whichever worker comes first."""
    admin = postgres.admin_conninfo()
    with FileLock(postgres.folder / "template.lock"), psycopg.connect(admin, autocommit=True) as conn:
        if not conn.execute("SELECT 1 FROM pg_database WHERE datname = %s", (TEMPLATE,)).fetchone():
            draft = f"{TEMPLATE}_draft"
            conn.execute(f"DROP DATABASE IF EXISTS {draft}")
            conn.execute(f"CREATE DATABASE {draft} OWNER {OWNER}")
            upgrade(postgres.conninfo(draft))
            conn.execute(f"ALTER DATABASE {draft} RENAME TO {TEMPLATE}")
    return TEMPLATE


def new_database(postgres: EmbeddedPostgres, template: str) -> Iterator[str]:
    """Yield the conninfo of a fresh migrated database; dropped afterwards."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres.admin_conninfo(), autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name} TEMPLATE {template} OWNER {OWNER} STRATEGY file_copy")
    try:
        yield postgres.conninfo(name)
    finally:
        with psycopg.connect(postgres.admin_conninfo(), autocommit=True) as conn:
            conn.execute(f"DROP DATABASE {name} WITH (FORCE)")
            conn.execute(
                f"DROP DATABASE IF EXISTS {name}{SUFFIX} WITH (FORCE)"
            )  # its key store, if it sealed


@pytest.fixture(scope="module")
def database_url(postgres: EmbeddedPostgres, template: str) -> Iterator[str]:
    """Yield the conninfo of this module's own migrated, empty database."""
    yield from new_database(postgres, template)


@pytest.fixture
def fresh_database_url(postgres: EmbeddedPostgres, template: str) -> Iterator[str]:
    """Yield the conninfo of this test's own migrated, empty database."""
    yield from new_database(postgres, template)


@pytest.fixture
async def client(database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of the ASGI app on this module's database; relative URLs are below the FHIR base."""
    app = create_app(Settings(database_url=database_url))
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=True)
        async with httpx.AsyncClient(transport=transport, base_url="http://test/fhir/", timeout=60) as opened:
            yield opened
