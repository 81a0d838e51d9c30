"""Run revisions on the connection that `fhir_server.storage.migrate` hands over, or on HEALTHBUDDY_DATABASE_URL."""

from __future__ import annotations

import os

import psycopg
from alembic import context
from sqlalchemy import Connection, create_engine, text

from fhir_server.storage.all_tables import metadata

ONE_AT_A_TIME = 0x4842_4D49  # an arbitrary advisory lock key of ours: 'HBMI'


def run(connection: Connection) -> None:
    """Apply the revisions in one transaction while nobody else does."""
    connection.execute(text(f"SELECT pg_advisory_lock({ONE_AT_A_TIME})"))
    connection.commit()
    try:
        context.configure(connection=connection, target_metadata=metadata)
        with context.begin_transaction():
            context.run_migrations()
    finally:
        connection.rollback()
        connection.execute(text(f"SELECT pg_advisory_unlock({ONE_AT_A_TIME})"))
        connection.commit()


given = context.config.attributes.get("connection")
if given is not None:
    run(given)
else:
    url = os.environ["HEALTHBUDDY_DATABASE_URL"]
    with create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(url)).connect() as own:
        run(own)
