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

from fhir_server.storage.binary import Bools, Byteas, Int2s, Int4s, Int8s, PgArray, Texts, Times
from fhir_server.storage.read import Old
from fhir_server.storage.rows import DELETE, POST, IndexRows, Row

Edges = list[tuple[int, int]]
_ONE_MS = timedelta(milliseconds=1)


class Write(msgspec.Struct):
    """One version to be written.

    Shape:  `old` is the row it replaces (None: a new resource); `tail` None deletes; `amends` keeps the
            version number and the history; `pid` and `edges` are `rows`'
            patient and edges as row numbers
    """

    rid: int
    type: int
    id: str
    method: int
    tail: bytes | None
    rows: IndexRows
    old: Old | None = None
    pid: int | None = None
    edges: Edges = []
    version: int = 1
    amends: bool = False
    digests: list[int] = []

    def __post_init__(self) -> None:
        self.digests = self.rows.digests()

    def written(self, updated: datetime) -> Row:
        """Return the row as it now stands."""
        return Row(
            self.rid, self.type, self.id, self.version, updated, self.tail is not None, self.method, self.tail
        )


def created(rid: int, type_: int, id_: str, tail: bytes, rows: IndexRows, method: int = POST) -> Write:
    """Return the write of a resource that is new."""
    return Write(rid, type_, id_, method, tail, rows)


def replaced(old: Old, tail: bytes, rows: IndexRows, method: int) -> Write:
    """Return the write of the version after `old`."""
    return Write(old.rid, old.type, old.id, method, tail, rows, old, version=old.version + 1)


def deleted(old: Old) -> Write:
    """Return the write of a deletion: a version without content that nothing finds."""
    return Write(
        old.rid, old.type, old.id, DELETE, None, IndexRows(), old, pid=old.pid, version=old.version + 1
    )


def amended(first: Write, row: Row, tail: bytes, rows: IndexRows) -> Write:
    """Return the write that gives a version of this same transaction its final content."""
    before = Old(
        **msgspec.structs.asdict(row),
        pid=first.pid,
        d0=first.rows.d0,
        posts=first.rows.posts,
        digests=first.digests,
    )
    return Write(
        first.rid, first.type, first.id, first.method, tail, rows, before, version=row.version, amends=True
    )


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
    for name, columns in (*_removals(moved), *_additions(writes)):
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


def _changed(write: Write, group: int) -> bool:
    """Whether the index rows of a digest group differ from what is stored."""
    old = write.old
    return old is None or not old.digests or old.digests[group] != write.digests[group]


def _reposted(write: Write) -> bool:
    old = write.old
    return old is None or (old.posts, old.d0, old.pid) != (write.rows.posts, write.rows.d0, write.pid)


Part = tuple[str, list[PgArray] | None]
GROUPS = ("strings", "dates", "numbers", "edges")


def _removals(moved: Sequence[Write]) -> list[Part]:
    """Return the parts that remove index rows which `moved` no longer have."""
    parts: list[Part] = []
    posts = [(w.rid, h, w.old.d0) for w in moved if w.old and _reposted(w) for h in w.old.posts]
    parts.append(("-posts", _columns(posts, Int8s, Int8s, Int8s)))
    for number, name in enumerate(GROUPS):
        stale = [
            w.rid for w in moved if w.old and w.old.digests and w.old.digests[number] and _changed(w, number)
        ]
        parts.append(("-" + name, [Int8s(stale)] if stale else None))
    return parts


def _additions(writes: Sequence[Write]) -> list[Part]:
    """Return the parts that add index rows."""
    posts = [(w.rid, h, w.pid, w.rows.d0) for w in writes if _reposted(w) for h in w.rows.posts]
    strings, dates, numbers, edges = (
        [w for w in writes if _changed(w, number)] for number in range(len(GROUPS))
    )
    text = _text_or_none
    return [
        ("+posts", _columns(posts, Int8s, Int8s, Int8s, Int8s)),
        (
            "+strings",
            _columns([(w.rid, *row) for w in strings for row in w.rows.strings], Int8s, Int4s, Texts, Texts),
        ),
        (
            "+dates",
            _columns([(w.rid, *row) for w in dates for row in w.rows.dates], Int8s, Int4s, Int8s, Int8s),
        ),
        (
            "+numbers",
            _columns(
                [
                    (w.rid, n.param, str(n.lo), str(n.hi), n.unit, text(n.clo), text(n.chi), n.code)
                    for w in numbers
                    for n in w.rows.numbers
                ],
                *(Int8s, Int4s, Texts, Texts, Int8s, Texts, Texts, Int8s),
            ),
        ),
        ("+edges", _columns([(w.rid, *edge) for w in edges for edge in w.edges], Int8s, Int4s, Int8s)),
    ]


def _text_or_none(value: object) -> str | None:
    return None if value is None else str(value)


def _columns(rows: list[Any], *kinds: type[Any]) -> list[PgArray] | None:
    if not rows:
        return None
    return [kind(column) for kind, column in zip(kinds, zip(*rows, strict=True), strict=True)]


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
    "-posts": """no_posts AS (DELETE FROM posting p USING unnest(%s, %s, %s) AS x(rid, h, d0), moved
WHERE p.h = x.h AND p.d0 = x.d0 AND p.rid = x.rid AND moved.rid = x.rid)""",
    "-strings": """no_strings AS (DELETE FROM idx_string i USING unnest(%s) AS x(rid), moved
WHERE i.rid = x.rid AND moved.rid = x.rid)""",
    "-dates": """no_dates AS (DELETE FROM idx_date i USING unnest(%s) AS x(rid), moved
WHERE i.rid = x.rid AND moved.rid = x.rid)""",
    "-numbers": """no_numbers AS (DELETE FROM idx_number i USING unnest(%s) AS x(rid), moved
WHERE i.rid = x.rid AND moved.rid = x.rid)""",
    "-edges": """no_edges AS (DELETE FROM edge i USING unnest(%s) AS x(rid), moved
WHERE i.src = x.rid AND moved.rid = x.rid)""",
    "+posts": """posts AS (INSERT INTO posting (rid, h, pid, d0)
SELECT x.* FROM unnest(%s, %s, %s, %s) AS x(rid, h, pid, d0) JOIN done USING (rid))""",
    "+strings": """strings AS (INSERT INTO idx_string (rid, param, norm, exact)
SELECT x.* FROM unnest(%s, %s, %s, %s) AS x(rid, param, norm, exact) JOIN done USING (rid))""",
    "+dates": """dates AS (INSERT INTO idx_date (rid, param, lo, hi)
SELECT x.* FROM unnest(%s, %s, %s, %s) AS x(rid, param, lo, hi) JOIN done USING (rid))""",
    "+numbers": """numbers AS (INSERT INTO idx_number (rid, param, lo, hi, unit, clo, chi, code)
SELECT x.rid, x.param, x.lo::numeric, x.hi::numeric, x.unit, x.clo::numeric, x.chi::numeric, x.code
FROM unnest(%s, %s, %s, %s, %s, %s, %s, %s) AS x(rid, param, lo, hi, unit, clo, chi, code) JOIN done USING (rid))""",
    "+edges": """edges AS (INSERT INTO edge (src, param, dst)
SELECT x.* FROM unnest(%s, %s, %s) AS x(src, param, dst) JOIN done ON done.rid = x.src)""",
}


_RESOURCES = {"new", "moved", "amended"}


@cache
def _text(parts: tuple[str, ...]) -> bytes:
    """Return the statement made of `parts`; there are few shapes, so that each is prepared once a connection."""
    pieces = []
    for position, part in enumerate(parts):
        pieces.append(_SQL[part])
        if part in _RESOURCES and not _RESOURCES.intersection(parts[position + 1 :]):
            made = ["moved" if name == "amended" else name for name in parts[: position + 1]]
            pieces.append(
                "done AS (" + " UNION ALL ".join(f"SELECT rid, updated FROM {name}" for name in made) + ")"
            )
    return ("WITH " + ", ".join(pieces) + " SELECT rid, updated FROM done").encode()
