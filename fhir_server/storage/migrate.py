"""Bring a database to the schema that this version of the program needs.

As a program (`python -m fhir_server.storage.migrate`) it migrates HEALTHBUDDY_DATABASE_URL.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import psycopg
from alembic import command
from alembic.config import Config
from sqlalchemy import create_engine
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from fhir_server.storage.schema import Schema, migrations_folder, schema


def upgrade(conninfo: str, revision: str = "head") -> Schema:
    """Return the schema's state after all migrations up to `revision` ran; safe to call from several processes."""
    return _run(conninfo, command.upgrade, revision)


def downgrade(conninfo: str, revision: str) -> Schema:
    """Return the schema's state after all migrations above `revision` were undone."""
    return _run(conninfo, command.downgrade, revision)


def _run(conninfo: str, step: Callable[[Config, str], None], revision: str) -> Schema:
    config = Config()
    config.set_main_option("script_location", str(migrations_folder()).replace("%", "%%"))
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(conninfo), poolclass=NullPool
    )
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        step(config, revision)
    return schema(conninfo)


def main() -> None:
    """Migrate, or exit with the database's own reason."""
    try:
        upgrade(os.environ["HEALTHBUDDY_DATABASE_URL"])
    except DBAPIError as error:
        sys.exit(str(error.orig))
    except psycopg.Error as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
