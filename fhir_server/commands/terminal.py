"""How commands speak: to people on stderr, results on stdout."""

from __future__ import annotations

import typer
from rich.console import Console

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)


def say(text: str) -> None:
    """Tell what is going on."""
    err.print(text, markup=False, soft_wrap=True)


def fail(text: str, code: int = 1) -> typer.Exit:
    """Tell why it ends here, and return what to raise."""
    err.print(text, style="bold red", markup=False, soft_wrap=True)
    return typer.Exit(code)
