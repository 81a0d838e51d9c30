"""The command line: `healthbuddy COMMAND`."""

from __future__ import annotations

import sys

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError

from fhir_server.commands.doctor import doctor
from fhir_server.commands.load import demo, load
from fhir_server.commands.serve import serve
from fhir_server.commands.small import definitions, migrate, version
from fhir_server.commands.terminal import err

app = typer.Typer(
    help="Health Buddy: a FHIR R4 server and what belongs to it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for command in (serve, load, demo, migrate, doctor, definitions, version):
    app.command()(command)


def main() -> None:
    """Run the command; a setting that cannot be is told without a stack trace."""
    try:
        app()
    except ValidationError as error:
        for problem in error.errors():
            err.print(
                f"Setting {'.'.join(map(str, problem['loc']))}: {problem['msg']}",
                style="bold red",
                markup=False,
            )
        sys.exit(2)
    except SettingsError as error:
        err.print(str(error), style="bold red", markup=False)
        sys.exit(2)


if __name__ == "__main__":
    main()
