"""The short commands: `migrate`, `definitions`, `version`."""

from __future__ import annotations

from typing import Annotated

import typer

from fhir_server.commands import database
from fhir_server.commands.terminal import fail, out, say
from fhir_server.settings import Settings
from fhir_server.setup.definitions import SetupError, ensure_definitions
from fhir_server.storage.embedded_host import wheel_version
from fhir_server.version import NAME, VERSION


def migrate() -> None:
    """Bring the database to the schema of this version."""
    with database.running(Settings()) as (settings, _server):
        say(f"The database is at revision {database.migrate(settings).current}.")


def definitions(
    again: Annotated[bool, typer.Option(help="Compile them even where that was done")] = False,
) -> None:
    """Fetch and compile the FHIR R4 definitions."""
    try:
        ensure_definitions(Settings().cache_dir, say=say, again=again)
    except SetupError as error:
        raise fail(str(error)) from error


def version() -> None:
    """Show the versions of the program, FHIR and the embedded PostgreSQL."""
    out.print(f"{NAME} {VERSION}, FHIR R4 4.0.1, embedded PostgreSQL {wheel_version()}", markup=False)
