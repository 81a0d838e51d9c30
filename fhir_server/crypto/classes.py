"""Data classes: which resource types are sealed under which kind of key. The rows are classes.json."""

from __future__ import annotations

from enum import IntEnum
from functools import cache
from pathlib import Path

import msgspec

from resources.definitions import definitions


class DataClass(IntEnum):
    """A kind of data with keys of its own; the numbers are stored and never change."""

    OPEN = 0
    IDENTITY = 1
    CLINICAL = 2
    BINARY = 3
    AUDIT = 4
    INDEX = 5
    BACKUP = 6

    @property
    def label(self) -> str:
        """The name in classes.json, commands and documents."""
        return self.name.lower()


BY_PATIENT = frozenset({DataClass.IDENTITY, DataClass.CLINICAL, DataClass.BINARY})
"""The classes whose content hangs on the keys of the patients that it is about."""


class ClassRow(msgspec.Struct, frozen=True, rename={"name": "class"}):
    """A row of classes.json."""

    name: str
    number: int
    types: tuple[str, ...]
    reason: str


@cache
def rows() -> tuple[ClassRow, ...]:
    """Return the rows of classes.json."""
    return msgspec.json.decode(
        Path(__file__).with_name("classes.json").read_bytes(), type=tuple[ClassRow, ...]
    )


@cache
def by_number() -> tuple[DataClass, ...]:
    """Return the class of every resource type, by the type's number."""
    named = {name: DataClass(row.number) for row in rows() for name in row.types}
    return tuple(named.get(name, DataClass.CLINICAL) for name in definitions().resource_types)


def class_of(type_number: int) -> DataClass:
    """Return the class of a resource type."""
    return by_number()[type_number]
