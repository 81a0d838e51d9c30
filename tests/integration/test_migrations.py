"""The migrations make what `storage.tables` declares."""

from __future__ import annotations

import psycopg
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine

from fhir_server.storage.migrate import schema, upgrade
from fhir_server.storage.tables import metadata


def test_the_migrated_database_is_at_the_newest_revision(database_url: str) -> None:
    assert schema(database_url).ready
    assert schema(database_url).head is not None


def test_migrating_twice_changes_nothing(database_url: str) -> None:
    assert upgrade(database_url) == schema(database_url)


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
