"""Which schema a database has and which one the program needs. Asked at every start, so nothing heavy is imported."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import psycopg
from psycopg.errors import UndefinedTable


class MigrationError(RuntimeError):
    """The database could not be migrated; the text is the reason."""


class Schema(NamedTuple):
    """The revision that a database has (None: empty) and the one that the program needs."""

    current: str | None
    head: str

    @property
    def ready(self) -> bool:
        """Whether the database may be used as it is."""
        return self.current == self.head


def schema(conninfo: str) -> Schema:
    """Return the revision of the database behind `conninfo` beside the newest one.

    Errors: psycopg.OperationalError where the database does not answer
    """
    with psycopg.connect(conninfo) as conn:
        try:
            row = conn.execute("SELECT version_num FROM alembic_version").fetchone()
        except UndefinedTable:
            row = None
    return Schema(row[0] if row else None, newest_revision())


def newest_revision() -> str:
    """Return the last revision: the number that its file's name begins with."""
    return max(file.name.partition("_")[0] for file in (migrations_folder() / "versions").glob("[0-9]*.py"))


def migrations_folder() -> Path:
    """Return where the installed package `migrations` lies."""
    spec = find_spec("migrations")
    if spec is None or spec.origin is None:
        raise RuntimeError("The package `migrations` is missing from this installation")
    return Path(spec.origin).parent


def upgrade_apart(conninfo: str) -> Schema:
    """Return the schema's state after all migrations ran, in a process of their own.

    SQLAlchemy and Alembic (a second to load, and memory in every fork) stay out of the process that serves.

    Errors: MigrationError
    """
    done = subprocess.run(
        [sys.executable, "-m", "fhir_server.storage.migrate"],
        env=os.environ | {"HEALTHBUDDY_DATABASE_URL": conninfo},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise MigrationError(done.stderr.strip() or f"the migration ended with code {done.returncode}")
    return schema(conninfo)
