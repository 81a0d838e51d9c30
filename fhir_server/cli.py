"""The command line: `healthbuddy COMMAND`."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

import typer
from pydantic import ValidationError
from pydantic_settings import SettingsError
from typer.core import TyperGroup

from fhir_server.commands.terminal import say

COMMANDS = {
    "serve": "serve",
    "load": "load",
    "demo": "load",
    "reindex": "reindex",
    "migrate": "small",
    "doctor": "doctor",
    "definitions": "small",
    "fhirpath": "fhirpath",
    "validate": "validate",
    "ig": "ig",
    "token": "tokens",
    "terminology": "terminology",
    "user": "user",
    "client": "client",
    "key": "key",
    "backup": "backup",
    "restore": "backup",
    "erase": "erase",
    "retention": "retention",
    "audit": "audit",
    "version": "small",
}
"""Command → its module in `fhir_server.commands`; only the one that runs is imported (the server takes a second)."""


class Commands(TyperGroup):
    """Finds commands by name."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """Return the names, in the order of `--help`."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """Return the command, None where there is none."""
        if cmd_name not in COMMANDS:
            return None
        found = getattr(import_module(f"fhir_server.commands.{COMMANDS[cmd_name]}"), cmd_name)
        if isinstance(found, typer.Typer):  # a command with commands of its own
            group = typer.main.get_command(found)
            group.name = cmd_name
            return group
        single = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
        single.command(cmd_name)(found)
        return typer.main.get_command(single)


app = typer.Typer(cls=Commands, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)


@app.callback()
def healthbuddy() -> None:
    """Health Buddy: a FHIR R4 server and what belongs to it."""


def main() -> None:
    """Run the command; a setting that cannot be is told without a stack trace."""
    try:
        app()
    except ValidationError as error:
        for problem in error.errors():
            say(f"Setting {'.'.join(map(str, problem['loc']))}: {problem['msg']}")
        sys.exit(2)
    except SettingsError as error:
        say(str(error))
        sys.exit(2)


if __name__ == "__main__":
    main()
