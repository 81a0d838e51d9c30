"""How commands speak: to people on stderr, results on stdout."""

from __future__ import annotations

import sys

import typer
from rich.console import Console

PIPED_WIDTH = 250
"""Characters of a line where nobody looks: tables are not cut for programs that read them."""

out = Console(highlight=False, width=None if sys.stdout.isatty() else PIPED_WIDTH)
err = Console(stderr=True, highlight=False)


def say(text: str) -> None:
    """Tell what is going on."""
    err.print(text, markup=False, soft_wrap=True)


def warn(text: str) -> None:
    """Tell what must not be overlooked."""
    err.print(text, style="bold red", markup=False, soft_wrap=True)


def fail(text: str, code: int = 1) -> typer.Exit:
    """Tell why it ends here, and return what to raise."""
    err.print(text, style="bold red", markup=False, soft_wrap=True)
    return typer.Exit(code)
