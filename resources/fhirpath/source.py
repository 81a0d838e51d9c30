"""A Python function in the making: lines, indentation, names and constants."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

MAX_DEPTH = 36
"""Python takes 100 levels of indentation and 20 loops within each other; every loop here stands in an `if`."""


class TooDeepError(Exception):
    """The function would be nested deeper than Python takes."""


class Source:
    """Collects the body of a function of one argument.

    Shape:  text from expressions goes in only through `repr` of strings and numbers, or as a `constant`
    """

    def __init__(self, argument: str) -> None:
        self._argument = argument
        self._lines: list[str] = []
        self._depth = 1
        self._names = 0
        self._constants: dict[str, Any] = {}

    def name(self) -> str:
        """Return a variable name not used yet."""
        self._names += 1
        return f"v{self._names}"

    def constant(self, value: Any) -> str:
        """Return the name under which the function finds `value`."""
        for name, known in self._constants.items():
            if known is value:
                return name
        name = f"C{len(self._constants)}"
        self._constants[name] = value
        return name

    def line(self, text: str) -> None:
        """Add a line at the present depth."""
        self._lines.append("    " * self._depth + text)

    def open(self, text: str) -> None:
        """Add a line that the following lines belong to."""
        if self._depth >= MAX_DEPTH:
            raise TooDeepError
        self.line(text)
        self._depth += 1

    @contextmanager
    def block(self) -> Iterator[None]:
        """Close, at the end, whatever is opened inside."""
        depth = self._depth
        yield
        self._depth = depth

    def mark(self) -> tuple[int, int]:
        """Return a point to `rewind` to."""
        return len(self._lines), self._depth

    def rewind(self, mark: tuple[int, int]) -> None:
        """Take back everything after `mark`."""
        del self._lines[mark[0] :]
        self._depth = mark[1]

    def text(self) -> str:
        """Return the source of the function."""
        defaults = "".join(f", {name}={name}" for name in self._constants)
        return "\n".join([f"def generated({self._argument}{defaults}):", *self._lines])

    def function(self) -> Callable[..., Any]:
        """Return the function."""
        space: dict[str, Any] = dict(self._constants)
        exec(compile(self.text(), "<fhirpath>", "exec"), space)  # noqa: S102
        generated: Callable[..., Any] = space["generated"]
        return generated
