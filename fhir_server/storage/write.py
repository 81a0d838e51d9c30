"""Write versions and their index rows: one guarded statement, for one resource or ten thousand.

A row is inserted only if nobody has its identity, and updated only if it still has the version that the writer saw;
everything else in the statement hangs on that. Who gets fewer rows back than written lost a race.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import msgspec
from psycopg import AsyncConnection

from fhir_server.storage import index_rows
from fhir_server.storage.binary import Bools, Byteas, Int2s, Int4s, Int8s, PgArray, Texts, Times
from fhir_server.storage.index_rows import Outer
from fhir_server.storage.read import Old
from fhir_server.storage.rows import DELETE, POST, IndexRows, Row

_ONE_MS = timedelta(milliseconds=1)


class Write(Outer, kw_only=True):
    """One version to be written.

    Shape:  `old` is the row it replaces (None: a new resource); `tail` None deletes; `amends` keeps the
            version number and the history
    """

    type: int
    id: str
    method: int
    tail: bytes | None
    version: int = 1
    amends: bool = False

    def __post_init__(self) -> None:
        self.digests = self.rows.digests()

    def written(self, updated: datetime) -> Row:
        """Return the row as it now stands."""
        return Row(
            self.rid, self.type, self.id, self.version, updated, self.tail is not None, self.method, self.tail
        )


def created(rid: int, type_: int, id_: str, tail: bytes, rows: IndexRows, method: int = POST) -> Write:
    """Return the write of a resource that is new."""
    return Write(rid, rows, type=type_, id=id_, method=method, tail=tail)


def replaced(old: Old, tail: bytes, rows: IndexRows, method: int) -> Write:
    """Return the write of the version after `old`."""
    return Write(
        old.rid, rows, type=old.type, id=old.id, method=method, tail=tail, old=old, version=old.version + 1
    )


def deleted(old: Old) -> Write:
    """Return the write of a deletion: a version without content that nothing finds."""
    gone = replaced(old, b"", IndexRows(), DELETE)
    gone.tail, gone.pid = None, old.pid
    return gone


def amended(first: Write, row: Row, tail: bytes, rows: IndexRows) -> Write:
    """Return the write that gives a version of this same transaction its final content."""
    before = Old(
        **msgspec.structs.asdict(row),
        pid=first.pid,
        d0=first.rows.d0,
        posts=first.rows.posts,
        digests=first.digests,
    )
    again = replaced(before, tail, rows, first.method)
    again.version, again.amends = row.version, True
    return again


async def apply(
    conn: AsyncConnection[Any], writes: Sequence[Write], now: datetime | None = None
) -> list[Row] | None:
    """Write all of `writes` in one statement and return their rows in that order, None where a race was lost.

    Shape:  each resource at most once; amendments come alone; without a surrounding transaction the statement is one
    Units:  `now` the transaction's instant, at the millisecond; None takes the clock of the statement
    """
    statement, values = _statement(writes, now)
    cursor = await conn.execute(statement, values, binary=True)
    updated = dict(await cursor.fetchall())
    if len(updated) != len(writes):
        return None
    return [write.written(updated[write.rid]) for write in writes]


def _statement(writes: Sequence[Write], now: datetime | None) -> tuple[bytes, list[PgArray]]:
    new = [w for w in writes if w.old is None]
    moved = [w for w in writes if w.old is not None]
    parts: list[str] = []
    values: list[PgArray] = []
    for name, group in (("new", new), ("amended" if moved and moved[0].amends else "moved", moved)):
        if group:
            parts.append(name)
            values += _resource_columns(group, now)
    for name, columns in (*index_rows.removals(moved), *index_rows.additions(writes)):
        if columns is not None:
            parts.append(name)
            values += columns
    return _text(tuple(parts)), values


def _resource_columns(writes: Sequence[Write], now: datetime | None) -> list[PgArray]:
    arrays: list[list[int]] = [[], [], [], []]
    ends: list[list[int]] = [[], [], [], []]
    for w in writes:
        rows = w.rows
        for flat, end, values in zip(
            arrays, ends, (rows.tokens, rows.posts, rows.present, w.digests), strict=True
        ):
            flat.extend(values)
            end.append(len(flat))
    return [
        Int8s([w.rid for w in writes]),
        Int2s([w.type for w in writes]),
        Texts([w.id for w in writes]),
        Int4s([w.version for w in writes]),
        Times([_moment(w, now) for w in writes]),
        Bools([w.tail is not None for w in writes]),
        Int2s([w.method for w in writes]),
        Int8s([w.pid for w in writes]),
        Int8s([w.rows.d0 for w in writes]),
        Int8s([w.rows.d1 for w in writes]),
        Byteas([w.tail for w in writes]),
        *(Int4s([0, *end[:-1]]) for end in ends),
        *(Int4s(end) for end in ends),
        Int8s(arrays[0]),
        Int8s(arrays[1]),
        Int4s(arrays[2]),
        Int8s(arrays[3]),
    ]


def _moment(write: Write, now: datetime | None) -> datetime | None:
    """Return the version's instant: never before the one it replaces."""
    if write.amends and write.old is not None:
        return write.old.updated
    if now is not None and write.old is not None:
        return max(now, write.old.updated + _ONE_MS)
    return now


_RESOURCE = """unnest(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) AS
w(rid, type, id, version, updated, live, method, pid, d0, d1, tail, t0, p0, e0, g0, t1, p1, e1, g1),
(SELECT %s AS tokens, %s AS posts, %s AS present, %s AS digests OFFSET 0) a"""
_SLICES = """w.pid, w.d0, w.d1, a.tokens[w.t0 + 1 : w.t1], a.posts[w.p0 + 1 : w.p1],
a.present[w.e0 + 1 : w.e1], a.digests[w.g0 + 1 : w.g1], w.tail"""
_CLOCK = "date_trunc('milliseconds', clock_timestamp() + interval '999 microseconds')"

_MOVED = f"""w AS MATERIALIZED (SELECT w.*, a.* FROM {_RESOURCE}), moved AS (
UPDATE resource r SET version = w.version, updated = COALESCE(w.updated, GREATEST({_CLOCK},
r.updated + interval '1 millisecond')), live = w.live, method = w.method,
(pid, d0, d1, tokens, posts, present, digests, tail) = (SELECT {_SLICES.replace("a.", "w.")})
FROM w WHERE r.rid = w.rid AND r.version = {{before}} RETURNING r.rid, r.updated)"""

_SQL = {
    "new": f"""new AS (
INSERT INTO resource (rid, type, id, version, updated, live, method, pid, d0, d1, tokens, posts, present, digests, tail)
SELECT w.rid, w.type, w.id, w.version, COALESCE(w.updated, {_CLOCK}), w.live, w.method, {_SLICES}
FROM {_RESOURCE} ON CONFLICT (type, id) DO NOTHING RETURNING rid, updated)""",
    "moved": f"""{_MOVED.format(before="w.version - 1")}, history AS (
INSERT INTO resource_version (rid, version, type, updated, live, method, tail)
SELECT r.rid, r.version, r.type, r.updated, r.live, r.method, r.tail
FROM resource r JOIN moved USING (rid) WHERE r.version > 0)""",
    "amended": _MOVED.format(before="w.version"),
    **index_rows.SQL,
}


_RESOURCES = {"new", "moved", "amended"}
_INNER = "held AS (SELECT rid FROM done UNION ALL SELECT rid FROM inner_rows)"


@cache
def _text(parts: tuple[str, ...]) -> bytes:
    """Return the statement made of `parts`; there are few shapes, so that each is prepared once a connection."""
    pieces = []
    inner = "+contained" in parts
    for position, part in enumerate(parts):
        pieces.append(_SQL[part] if inner else _SQL[part].replace("JOIN held", "JOIN done held"))
        if part in _RESOURCES and not _RESOURCES.intersection(parts[position + 1 :]):
            made = ["moved" if name == "amended" else name for name in parts[: position + 1]]
            pieces.append(
                "done AS (" + " UNION ALL ".join(f"SELECT rid, updated FROM {name}" for name in made) + ")"
            )
        if part == "+contained":
            pieces.append(_INNER)
    return ("WITH " + ", ".join(pieces) + " SELECT rid, updated FROM done").encode()
