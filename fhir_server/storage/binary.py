"""PostgreSQL arrays packed in C speed: what the write statements unnest.

psycopg dumps lists element by element in Python; these few types cover all that we write, at a tenth of the cost.
Source: PostgreSQL `array_send`/`array_recv` (src/backend/utils/adt/arrayfuncs.c), big-endian.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from struct import Struct
from typing import Any, ClassVar

from psycopg.adapt import AdaptersMap, Dumper
from psycopg.pq import Format

_HEADER = Struct(">iiiii")
_LENGTH = Struct(">i")
_NULL = _LENGTH.pack(-1)
_EPOCH_2000 = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class PgArray:
    """An array value in wire form; each subclass is one PostgreSQL array type."""

    __slots__ = ("data",)
    array_oid: ClassVar[int]
    element_oid: ClassVar[int]

    def __init__(self, count: int, elements: bytes, nulls: bool = False) -> None:
        dimensions = 1 if count else 0
        header = _HEADER.pack(dimensions, int(nulls), self.element_oid, count, 1)
        self.data = header + elements if count else header[:12]


class _Fixed(PgArray):
    """An array of fixed-width integers."""

    __slots__ = ()
    width: ClassVar[int]
    letter: ClassVar[str]

    def __init__(self, values: Sequence[int | None]) -> None:
        count = len(values)
        if None in values:
            form = Struct(">i" + self.letter)
            super().__init__(
                count, b"".join(_NULL if v is None else form.pack(self.width, v) for v in values), True
            )
        elif count == 1:
            self.data = _form(self.letter, 1).pack(1, 0, self.element_oid, 1, 1, self.width, values[0])
        elif count:
            flat: list[Any] = [self.width] * (2 * count)
            flat[1::2] = values
            self.data = _form(self.letter, count).pack(1, 0, self.element_oid, count, 1, *flat)
        else:
            super().__init__(0, b"")


@lru_cache(256)
def _form(letter: str, count: int) -> Struct:
    """Return the layout of an array of `count` integers, its header included."""
    return Struct(">iiiii" + ("i" + letter) * count)


class Int8s(_Fixed):
    """bigint[]"""

    __slots__ = ()
    array_oid, element_oid, width, letter = 1016, 20, 8, "q"


class Int4s(_Fixed):
    """integer[]"""

    __slots__ = ()
    array_oid, element_oid, width, letter = 1007, 23, 4, "i"


class Int2s(_Fixed):
    """smallint[]"""

    __slots__ = ()
    array_oid, element_oid, width, letter = 1005, 21, 2, "h"


class Bools(_Fixed):
    """boolean[]"""

    __slots__ = ()
    array_oid, element_oid, width, letter = 1000, 16, 1, "?"


class Times(_Fixed):
    """timestamptz[]: microseconds since 2000, as PostgreSQL keeps them."""

    __slots__ = ()
    array_oid, element_oid, width, letter = 1185, 1184, 8, "q"

    def __init__(self, moments: Sequence[datetime | None]) -> None:
        super().__init__([None if m is None else (m - _EPOCH_2000) // _MICROSECOND for m in moments])


class _Variable(PgArray):
    """An array of byte strings of any length."""

    __slots__ = ()

    def __init__(self, values: Sequence[bytes | None]) -> None:
        parts: list[bytes] = []
        for value in values:
            if value is None:
                parts.append(_NULL)
            else:
                parts.append(_LENGTH.pack(len(value)))
                parts.append(value)
        super().__init__(len(values), b"".join(parts), None in values)


class Byteas(_Variable):
    """bytea[]"""

    __slots__ = ()
    array_oid, element_oid = 1001, 17


class Texts(_Variable):
    """text[]; numerics travel in it too and are cast in the statement."""

    __slots__ = ()
    array_oid, element_oid = 1009, 25

    def __init__(self, values: Sequence[str | None]) -> None:
        super().__init__([None if v is None else v.encode() for v in values])


def register(adapters: AdaptersMap) -> None:
    """Teach a connection to send the array types above."""
    for kind in (Int8s, Int4s, Int2s, Bools, Times, Byteas, Texts):
        adapters.register_dumper(kind, _dumper(kind))


def _dumper(kind: type[PgArray]) -> type[Dumper]:
    class ArrayDumper(Dumper):
        format = Format.BINARY
        oid = kind.array_oid

        def dump(self, obj: PgArray) -> bytes:
            return obj.data

    return ArrayDumper
