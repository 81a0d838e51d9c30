"""Read versions: the current one, an older one, or several."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeVar

import msgspec
from psycopg import AsyncConnection

from fhir_server.storage.binary import Int2s, Texts
from fhir_server.storage.rows import MISSING_DATE, Row, type_number
from resources.outcome import FhirError

R = TypeVar("R", bound=Row)

VERSION = re.compile("[1-9][0-9]{0,8}")
"""The format of our version ids: what can be one of `resource.version`."""

COLUMNS = "rid, type, id, version, updated, live, method, tail, pid, owners, labels"
_OF_R = ", ".join(f"r.{column}" for column in COLUMNS.split(", "))

_CURRENT = f"SELECT {COLUMNS} FROM resource WHERE type = %s AND id = %s AND version > 0"
_VERSION = f"""
SELECT {COLUMNS} FROM resource WHERE type = %s AND id = %s AND version = %s
UNION ALL
SELECT v.rid, v.type, r.id, v.version, v.updated, v.live, v.method, v.tail, v.pid, v.owners, v.labels
FROM resource r JOIN resource_version v USING (rid) WHERE r.type = %s AND r.id = %s AND v.version = %s
"""
_SEVERAL = f"""
SELECT {_OF_R} FROM unnest(%s, %s) AS k(type, id) JOIN resource r ON r.type = k.type AND r.id = k.id WHERE r.version > 0
"""
FOR_WRITE = (*COLUMNS.split(", "), "d0", "posts", "digests", "xmin::text")
"""The columns of `Old`, in its order."""

_FOR_WRITE = ", ".join(FOR_WRITE)
_OLD = f"SELECT {_FOR_WRITE} FROM resource WHERE type = %s AND id = %s"
_OLDS = f"SELECT {_FOR_WRITE} FROM resource WHERE (type, id) IN (SELECT * FROM unnest(%s, %s))"
_LOCK = f"""
SELECT {_FOR_WRITE} FROM resource WHERE (type, id) IN (SELECT * FROM unnest(%s, %s)) ORDER BY type, id FOR UPDATE
"""


class Old(Row):
    """A current row as a writer needs it: what its index rows were made of.

    Shape:  version 0 is a resource only referred to; `seen` is the transaction that wrote the row, since index rows
            may be renewed without a new version; empty where that cannot be
    """

    d0: int = MISSING_DATE
    posts: list[int] = msgspec.field(default_factory=list)
    digests: list[int] = msgspec.field(default_factory=list)
    seen: str = ""


_CURRENT_UNDER = f"""
SELECT {COLUMNS}, COALESCE((SELECT value FROM epoch WHERE name = 'policy'), 0)
FROM resource WHERE type = %s AND id = %s AND version > 0
"""


async def current_under(conn: AsyncConnection[Any], type_name: str, id_: str) -> tuple[Row | None, int]:
    """Return what `current` does, and the epoch 'policy' that was in force then (0 where there is no row)."""
    cursor = await conn.execute(_CURRENT_UNDER, (type_number(type_name), id_), binary=True)
    found = await cursor.fetchone()
    return (Row(*found[:-1]), int(found[-1])) if found else (None, 0)


async def current(conn: AsyncConnection[Any], type_name: str, id_: str) -> Row | None:
    """Return the current version (a deletion included), None where there never was one."""
    cursor = await conn.execute(_CURRENT, (type_number(type_name), id_), binary=True)
    found = await cursor.fetchone()
    return Row(*found) if found else None


def there(row: R | None, what: str) -> R:
    """Return `row` where it has content.

    Errors: 404 not-found where there never was one, 410 deleted (with the ETag of the deletion)
    """
    if row is None or row.version == 0:
        raise FhirError(404, "not-found", f"{what} is not known here")
    if not row.live:
        raise FhirError(410, "deleted", f"{what} was deleted", headers={"ETag": f'W/"{row.version}"'})
    return row


async def version(conn: AsyncConnection[Any], type_name: str, id_: str, number: int) -> Row | None:
    """Return one version, None where there is no such version."""
    key = (type_number(type_name), id_, number)
    cursor = await conn.execute(_VERSION, (*key, *key), binary=True)
    found = await cursor.fetchone()
    return Row(*found) if found else None


async def several(conn: AsyncConnection[Any], keys: Iterable[tuple[str, str]]) -> dict[tuple[str, str], Row]:
    """Return the current versions of (type, id) keys; those that never existed are left out."""
    listed = list(keys)
    columns = Int2s([type_number(t) for t, _ in listed]), Texts([i for _, i in listed])
    cursor = await conn.execute(_SEVERAL, columns, binary=True)
    rows = [Row(*found) for found in await cursor.fetchall()]
    return {(row.type_name, row.id): row for row in rows}


async def old(conn: AsyncConnection[Any], type_name: str, id_: str) -> Old | None:
    """Return the current row for a write that is guarded by its version."""
    cursor = await conn.execute(_OLD, (type_number(type_name), id_), binary=True)
    found = await cursor.fetchone()
    return Old(*found) if found else None


async def olds(conn: AsyncConnection[Any], keys: Iterable[tuple[int, str]]) -> dict[tuple[int, str], Old]:
    """Return the current rows of (type number, id) keys, not locked."""
    listed = list(keys)
    columns = Int2s([t for t, _ in listed]), Texts([i for _, i in listed])
    cursor = await conn.execute(_OLDS, columns, binary=True)
    return {(row[1], row[2]): Old(*row) for row in await cursor.fetchall()}


async def lock(conn: AsyncConnection[Any], keys: Iterable[tuple[int, str]]) -> dict[tuple[int, str], Old]:
    """Return the current rows of (type number, id) keys, locked in one order against other writers."""
    ordered = sorted(set(keys))
    if not ordered:
        return {}
    columns = Int2s([t for t, _ in ordered]), Texts([i for _, i in ordered])
    cursor = await conn.execute(_LOCK, columns, binary=True)
    return {(row[1], row[2]): Old(*row) for row in await cursor.fetchall()}


async def clock(conn: AsyncConnection[Any]) -> datetime:
    """Return the database's time, rounded up to the millisecond: no version of this transaction is older."""
    cursor = await conn.execute(
        "SELECT date_trunc('milliseconds', clock_timestamp() + interval '999 microseconds')"
    )
    found = await cursor.fetchone()
    assert found is not None
    moment: datetime = found[0]
    return moment
