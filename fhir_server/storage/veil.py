"""Content as somebody may see it: what the cursors of our connections give out passes the veil in force.

One place for every path: whatever reads a stored version reads it veiled. Who writes works without one.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any, Protocol

from fhir_server.storage.sealing import TAIL

TYPE = 1
"""The position of a type's number among the columns of a Row."""


class Veil(Protocol):
    """What takes elements out of content."""

    def tail(self, type_: int, tail: bytes) -> bytes:
        """Return the stored content of a version of a type (its number) without what is taken out."""
        ...

    def hides(self, type_name: str, code: str) -> bool:
        """Whether a search parameter would tell what is taken out."""
        ...


VEIL: ContextVar[Veil | None] = ContextVar("veil", default=None)


def veiled(result: Any, rows: list[Any]) -> list[Any]:
    """Return rows with their content as the veil in force leaves it."""
    veil = VEIL.get()
    if veil is None or result is None or result.nfields <= TAIL or result.fname(TAIL) != b"tail":
        return rows
    return [_veiled(row, veil) for row in rows]


def _veiled(row: Sequence[Any], veil: Veil) -> Sequence[Any]:
    if row[TAIL] is None:
        return row
    return (*row[:TAIL], veil.tail(row[TYPE], bytes(row[TAIL])), *row[TAIL + 1 :])
