"""What the tables say of a code system and of a concept."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection

from terminology.records import DeclaredProperty

Conn = AsyncConnection[Any]
Json = dict[str, Any]


class UnknownError(Exception):
    """Something that an answer needs is not loaded or cannot be told; `reasons` name all of it."""

    def __init__(self, *reasons: str) -> None:
        self.reasons = tuple(dict.fromkeys(reasons))
        super().__init__("; ".join(self.reasons))


@dataclass(frozen=True, slots=True)
class System:
    """A code system whose concepts are in the tables.

    Shape:  `id` is its number there; `supplements` are the numbers of code systems that add to it;
            `content` as in R4; `count` its concepts
    """

    id: int
    url: str
    version: str
    name: str
    content: str
    cased: bool
    meaning: str
    count: int
    properties: tuple[DeclaredProperty, ...]
    supplements: tuple[int, ...] = ()

    @property
    def complete(self) -> bool:
        """Whether every code is known here, so that a code which is not is none of the system's."""
        return self.content == "complete"

    @property
    def called(self) -> str:
        """Its canonical."""
        return f"{self.url}|{self.version}" if self.version else self.url

    def fold(self, code: str) -> str:
        """Return `code` as the column `fold` has it."""
        return code if self.cased else code.casefold()

    def declared(self, name: str) -> DeclaredProperty | None:
        """Return a property that the code system declares."""
        return next((one for one in self.properties if one.code == name), None)


@dataclass(frozen=True, slots=True)
class Concept:
    """One concept; `n` is its place in the definition."""

    system: System
    n: int
    code: str
    display: str
    definition: str
    active: bool
    abstract: bool
