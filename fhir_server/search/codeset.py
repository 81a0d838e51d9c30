"""What terminology answers: sets of codes, each with the hashes it was turned into."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from resources.outcome import FhirError

Key = tuple[str, ...]
"""A question: ("in", value set), ("below" | "above", system, code), or ("case",)."""

Hashes = tuple[tuple[int, ...], tuple[int, ...]]
"""Hashes under GIN and posting keys."""


@dataclass(frozen=True, eq=False)
class CodeSet:
    """Codes as (system, code), and their hashes as far as searches have asked for them.

    Shape:  `hashes` by (type, parameter, number of the parameter's part); `passing`: these are the codes that
            resources use now, another one may be used at the next search
    """

    codes: frozenset[tuple[str, str]]
    hashes: dict[tuple[str, str, int], Hashes] = field(default_factory=dict)
    passing: bool = False

    @cached_property
    def systems(self) -> Mapping[str, frozenset[str]]:
        """The codes by system."""
        grouped: dict[str, set[str]] = {}
        for system, code in self.codes:
            grouped.setdefault(system, set()).add(code)
        return {system: frozenset(codes) for system, codes in grouped.items()}

    @cached_property
    def cased(self) -> frozenset[str]:
        """The systems that have codes with letters, which may differ by case alone."""
        return frozenset(system for system, code in self.codes if code.upper() != code.lower())

    @cached_property
    def texts(self) -> frozenset[str]:
        """The codes without their systems."""
        return frozenset(code for _, code in self.codes)

    @classmethod
    def of(cls, codes: Iterable[tuple[str, str]], *, passing: bool = False) -> CodeSet:
        """Return a set of codes."""
        return cls(frozenset(codes), passing=passing)


class PassingError(FhirError):
    """Why the codes cannot be told now; at the next search they may be."""


Answer = CodeSet | FhirError


@dataclass(slots=True)
class Answers:
    """What one search has learned so far: its answers, and the epoch of terminology that they belong to."""

    known: dict[Key, Answer] = field(default_factory=dict)
    epoch: tuple[int, str] | None = None
