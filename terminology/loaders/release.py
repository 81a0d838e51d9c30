"""What a loader makes of a publisher's files, and what it tells of lines that it cannot read.

Source: http://hl7.org/fhir/R4/terminologies-systems.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from terminology.records import ConceptRecord, SystemHeader

Json = dict[str, Any]
SHOWN = 20
"""Problems of which the texts are kept; all are counted."""


class LoadError(Exception):
    """The files are not what the loader reads, or a line is broken and that is not allowed."""


class Problem(NamedTuple):
    """A line that says nothing usable, and why."""

    file: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.text}"


@dataclass(slots=True)
class Problems:
    """The broken lines so far; with `strict` the first one ends the load."""

    strict: bool = False
    count: int = 0
    first: list[Problem] = field(default_factory=list)

    def add(self, file: str, line: int, text: str) -> None:
        """Note a broken line.

        Errors: LoadError where none is allowed
        """
        problem = Problem(file, line, text)
        if self.strict:
            raise LoadError(str(problem))
        self.count += 1
        if len(self.first) < SHOWN:
            self.first.append(problem)


def nothing() -> Iterator[Json]:
    """Yield no resources."""
    return iter(())


@dataclass(frozen=True, slots=True)
class Release:
    """One version of a code system, read.

    Shape:  `records()` yields the concepts, each time in the same order, `count` of them (0: not known before);
            `resources()` yields ValueSets and ConceptMaps that came with them
    """

    header: SystemHeader
    records: Callable[[], Iterator[ConceptRecord]]
    count: int = 0
    resources: Callable[[], Iterator[Json]] = nothing


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user says of the files: version, url and name, where the files do not tell them."""

    version: str = ""
    url: str = ""
    name: str = ""
