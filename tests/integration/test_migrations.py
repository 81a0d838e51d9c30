"""The migrations make what `storage.tables` declares."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from fhir_server.storage.all_tables import metadata
from fhir_server.storage.embedded import EmbeddedPostgres
from fhir_server.storage.migrate import upgrade
from fhir_server.storage.schema import (
    MigrationError,
    migrations_folder,
    newest_revision,
    schema,
    upgrade_apart,
)
from tests.conftest import new_database


@pytest.fixture
def empty_database_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """Yield the conninfo of a database with nothing in it."""
    yield from new_database(postgres, "template1")


def test_the_migrated_database_is_at_the_newest_revision(database_url: str) -> None:
    assert schema(database_url).ready
    assert schema(database_url).head == ScriptDirectory(str(migrations_folder())).get_current_head()


def test_migrating_twice_changes_nothing(database_url: str) -> None:
    assert upgrade(database_url) == schema(database_url)


def test_an_empty_database_is_migrated_by_another_process(empty_database_url: str) -> None:
    assert schema(empty_database_url) == (None, newest_revision())
    assert upgrade_apart(empty_database_url).ready


def test_the_reason_why_a_migration_fails_comes_back(empty_database_url: str) -> None:
    with psycopg.connect(empty_database_url) as conn:
        conn.execute("CREATE TABLE secret ()")
    with pytest.raises(MigrationError, match=r'^relation "secret" already exists'):
        upgrade_apart(empty_database_url)


def test_tables_and_columns_are_what_the_code_declares(database_url: str) -> None:
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(database_url))
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    engine.dispose()
    structural = [
        d for d in differences if d[0] in {"add_table", "remove_table", "add_column", "remove_column"}
    ]
    assert structural == []


def test_each_module_has_a_database_of_its_own(database_url: str, fresh_database_url: str) -> None:
    assert database_url != fresh_database_url


def test_a_database_with_resources_of_the_first_schema_is_to_be_indexed_anew(empty_database_url: str) -> None:
    upgrade(empty_database_url, "0001")
    with psycopg.connect(empty_database_url) as conn:
        conn.execute("INSERT INTO resource (type, id, version, live) VALUES (1, 'a', 1, true)")
    upgrade(empty_database_url)
    with psycopg.connect(empty_database_url) as conn:
        found = conn.execute("SELECT why, types, state FROM reindex_job").fetchall()
    assert found == [("upgrade", [], "queued")]


def test_a_new_database_has_nothing_to_be_indexed_anew(database_url: str) -> None:
    with psycopg.connect(database_url) as conn:
        assert conn.execute("SELECT count(*) FROM reindex_job").fetchone() == (0,)
