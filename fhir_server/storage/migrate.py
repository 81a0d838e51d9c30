"""Bring a database to the schema that this version of the program needs."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import psycopg
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import NullPool


class Schema(NamedTuple):
    """The revision that a database has (None: empty) and the one that the program needs."""

    current: str | None
    head: str | None

    @property
    def ready(self) -> bool:
        """Whether the database may be used as it is."""
        return self.current == self.head


def upgrade(conninfo: str, revision: str = "head") -> Schema:
    """Return the schema's state after all migrations up to `revision` ran; safe to call from several processes."""
    config = _config()
    with _engine(conninfo).connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    return schema(conninfo)


def schema(conninfo: str) -> Schema:
    """Return the revision of the database behind `conninfo` beside the newest one."""
    with _engine(conninfo).connect() as connection:
        current = MigrationContext.configure(connection).get_current_revision()
    return Schema(current, ScriptDirectory.from_config(_config()).get_current_head())


def _engine(conninfo: str) -> Engine:
    return create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(conninfo), poolclass=NullPool
    )


def _config() -> Config:
    spec = find_spec("migrations")
    if spec is None or spec.origin is None:
        raise RuntimeError("The package `migrations` is missing from this installation")
    config = Config()
    config.set_main_option("script_location", str(Path(spec.origin).parent).replace("%", "%%"))
    return config
