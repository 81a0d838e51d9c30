"""How conditions name their values: as arguments of a statement, or written out where it has none to give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from psycopg.types.numeric import Int8

from fhir_server.storage.binary import Int8s, Texts


class Arguments(Protocol):
    """What a condition puts its values into; each method returns the text that stands for the value."""

    def big(self, value: int) -> str:
        """Return the place of a bigint."""
        ...

    def text(self, value: str) -> str:
        """Return the place of a text."""
        ...

    def cast(self, value: str, type_name: str) -> str:
        """Return the place of a value sent as text and read as `type_name`."""
        ...

    def bigs(self, values: Sequence[int]) -> str:
        """Return the place of a bigint[]."""
        ...

    def texts(self, values: Sequence[str]) -> str:
        """Return the place of a text[]."""
        ...


Condition = Callable[[Arguments, str], str]
"""Takes the alias of a `resource` row and returns a condition on it."""


class Literals:
    """Values written out, in letters and digits that mean nothing to any placeholder style."""

    def big(self, value: int) -> str:
        """Return a bigint."""
        return f"({int(value)})::bigint"

    def text(self, value: str) -> str:
        """Return a text, spelled in hexadecimal."""
        return f"convert_from('\\x{value.encode().hex()}'::bytea, 'UTF8')"

    def cast(self, value: str, type_name: str) -> str:
        """Return a value read as `type_name`."""
        return f"{self.text(value)}::{type_name}"

    def bigs(self, values: Sequence[int]) -> str:
        """Return a bigint[]."""
        return f"'{{{','.join(str(int(value)) for value in values)}}}'::bigint[]"

    def texts(self, values: Sequence[str]) -> str:
        """Return a text[]."""
        return f"ARRAY[{', '.join(map(self.text, values))}]::text[]"


LITERALS = Literals()


class Numbered:
    """The arguments of one statement, in order: `$1`, `$2` …, so that the database prepares each shape once."""

    __slots__ = ("args",)

    def __init__(self) -> None:
        self.args: list[Any] = []

    def _add(self, value: Any) -> str:
        self.args.append(value)
        return f"${len(self.args)}"

    def big(self, value: int) -> str:
        """Return the place of a bigint."""
        return self._add(Int8(value))

    def text(self, value: str) -> str:
        """Return the place of a text."""
        return self._add(value) + "::text"

    def cast(self, value: str, type_name: str) -> str:
        """Return the place of a value sent as text and read as `type_name`."""
        return f"{self._add(value)}::{type_name}"

    def bigs(self, values: Sequence[int]) -> str:
        """Return the place of a bigint[]."""
        return self._add(Int8s(values))

    def texts(self, values: Sequence[str]) -> str:
        """Return the place of a text[]."""
        return self._add(Texts(values))
