"""The table of functions: each module adds its own by decorator."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from resources.fhirpath.errors import evaluation_error

Function = Callable[..., list[Any]]

FUNCTIONS: dict[str, Function] = {}
"""Called with (environment, input, *argument collections)."""

LAMBDAS: dict[str, Function] = {}
"""Called with (environment, input, *argument closures)."""

_ARITY: dict[str, tuple[int, int]] = {}


def function(name: str, least: int = 0, most: int | None = None) -> Callable[[Function], Function]:
    """Register a function whose arguments are evaluated before it is called."""
    return _registrar(FUNCTIONS, name, least, most)


def lambda_function(name: str, least: int = 0, most: int | None = None) -> Callable[[Function], Function]:
    """Register a function that evaluates its arguments itself, item by item."""
    return _registrar(LAMBDAS, name, least, most)


def _registrar(
    table: dict[str, Function], name: str, least: int, most: int | None
) -> Callable[[Function], Function]:
    def register(implementation: Function) -> Function:
        table[name] = implementation
        _ARITY[name] = (least, least if most is None else most)
        return implementation

    return register


def check_arity(name: str, count: int, position: int) -> None:
    """Raise the FhirError for an unknown function or a wrong number of arguments."""
    if name not in _ARITY:
        raise evaluation_error(f"there is no function {name}() (position {position + 1})")
    least, most = _ARITY[name]
    if not least <= count <= most:
        wanted = str(least) if least == most else f"{least} to {most}"
        raise evaluation_error(f"{name}() takes {wanted} arguments, not {count} (position {position + 1})")
