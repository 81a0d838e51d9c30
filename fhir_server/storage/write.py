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

from fhir_server.storage import epochs, index_rows
from fhir_server.storage.binary import Bools, Byteas, Int2s, Int4s, Int8s, PgArray, Texts, Times
from fhir_server.storage.index_rows import Outer
from fhir_server.storage.read import Old
from fhir_server.storage.rows import DELETE, POST, IndexRows, Row

_ONE_MS = timedelta(milliseconds=1)


class Write(Outer, kw_only=True):
    """One version to be written.

    Shape:  `old` is the row it replaces (None: a new resource); `tail` None deletes; `amends` keeps the
            version number and the history; `neutral` says that it changes nothing that an epoch stands for; `rows_only`
            renews the index rows of a version and leaves everything else as it stands; `sealed` is what is stored in
            place of `tail`, None: that itself
    """

    type: int
    id: str
    method: int
    tail: bytes | None
    version: int = 1
    amends: bool = False
    neutral: bool = False
    rows_only: bool = False
    sealed: bytes | None = None

    def __post_init__(self) -> None:
        self.digests = self.rows.digests()
        self.labels = self.rows.security or None

    @property
    def epochs(self) -> tuple[str, ...]:
        """The epochs that end with this write."""
        return () if self.neutral else epochs.ended_by(self.type)

    def written(self, updated: datetime) -> Row:
        """Return the row as it now stands."""
        return Row(
            self.rid,
            self.type,
            self.id,
            self.version,
            updated,
            self.tail is not None,
            self.method,
            self.tail,
            self.pid,
            self.owners,
            self.labels,
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
    """Return the write of a deletion: a version without content that nothing finds, and is whose it was.

    Shape:  its row keeps what the arrays and dates said last, since rules of access ask them
    """
    gone = replaced(old, b"", IndexRows(), DELETE)
    gone.tail, gone.pid, gone.owners, gone.labels = None, old.pid, old.owners, old.labels
    return gone


def amended(first: Write, row: Row, tail: bytes, rows: IndexRows) -> Write:
    """Return the write that gives a version of this same transaction its final content."""
    before = Old(
        **msgspec.structs.asdict(row),
        d0=first.rows.d0,
        posts=first.rows.posts,
        digests=first.digests,
    )
    again = replaced(before, tail, rows, first.method)
    again.version, again.amends = row.version, True
    return again


def reindexed(old: Old, rows: IndexRows) -> Write:
    """Return the write of new index rows for a version that stays as it is."""
    again = replaced(old, b"", rows, old.method)
    again.version, again.amends, again.neutral, again.rows_only = old.version, True, True, True
    return again


async def apply(
    conn: AsyncConnection[Any], writes: Sequence[Write], now: datetime | None = None, *, ends: bool = True
) -> list[Row] | None:
    """Write all of `writes` in one statement and return their rows in that order, None where a race was lost.

    That is a race against other writers of the same resources, or against a change of what rows are made by: an epoch.

    Shape:  each resource at most once; amendments come alone; without a surrounding transaction the statement is one;
            `ends` False leaves the epochs to a transaction, which ends them last (`epochs.end`)
    Units:  `now` the transaction's instant, at the millisecond; None takes the clock of the statement
    """
    sealer = getattr(conn, "sealer", None)
    if sealer is not None and not await sealer.seal(writes):
        return None
    statement, values = _statement(writes, now, ends)
    cursor = await conn.execute(statement, values, binary=True)
    updated = dict(await cursor.fetchall())
    if len(updated) != len(writes):
        return None
    return [write.written(updated[write.rid]) for write in writes]


async def reindex(conn: AsyncConnection[Any], writes: Sequence[Write]) -> set[int]:
    """Write index rows (`reindexed`) and return the numbers of the resources that still had the version in question.

    Shape:  none where the epoch that the rows were made under has ended
    """
    statement, values = _statement(writes, None, ends=False)
    cursor = await conn.execute(statement, values, binary=True)
    return {rid for rid, _ in await cursor.fetchall()}


def _statement(writes: Sequence[Write], now: datetime | None, ends: bool) -> tuple[bytes, list[PgArray]]:
    new = [w for w in writes if w.old is None]
    moved = [w for w in writes if w.old is not None]
    made_under = sorted({w.rows.epoch for w in writes} - {0})
    parts = ["guard" if made_under else "unguarded"]
    values: list[PgArray] = [Int8s(made_under)] if made_under else []
    for name, group in (("new", new), (_kind(moved), moved)):
        if group:
            parts.append(name)
            values += _resource_columns(group, now)
    for name, columns in (*index_rows.removals(moved), *index_rows.additions(writes)):
        if columns is not None:
            parts.append(name)
            values += columns
    ended = sorted({name for w in writes for name in w.epochs}) if ends else []
    if ended:
        parts += ["end", *(["forget"] if "search" in ended else [])]
        values.append(Texts(ended))
    return _text(tuple(parts)), values


def _kind(moved: Sequence[Write]) -> str:
    if not moved or not moved[0].amends:
        return "moved"
    return "reindexed" if moved[0].rows_only else "amended"


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
        Texts([_array(w.owners) for w in writes]),
        Texts([_array(w.labels) for w in writes]),
        Int8s([w.rows.d0 for w in writes]),
        Int8s([w.rows.d1 for w in writes]),
        Byteas([w.tail if w.sealed is None else w.sealed for w in writes]),
        Int4s([_signed(w.old) for w in writes]),
        *(Int4s([0, *end[:-1]]) for end in ends),
        *(Int4s(end) for end in ends),
        Int8s(arrays[0]),
        Int8s(arrays[1]),
        Int4s(arrays[2]),
        Int8s(arrays[3]),
    ]


def _array(values: list[int] | None) -> str | None:
    return None if values is None else "{" + ",".join(map(str, values)) + "}"


def _signed(old: Old | None) -> int:
    """Return the number of the transaction that wrote `old`, as the 32 bits of an integer."""
    number = int(old.seen) if old is not None and old.seen else 0
    return number - (1 << 32) if number >= 1 << 31 else number


def _moment(write: Write, now: datetime | None) -> datetime | None:
    """Return the version's instant: never before the one it replaces."""
    if write.amends and write.old is not None:
        return write.old.updated
    if now is not None and write.old is not None:
        return max(now, write.old.updated + _ONE_MS)
    return now


_RESOURCE = """unnest(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) AS
w(rid, type, id, version, updated, live, method, pid, owners, labels, d0, d1, tail,
seen, t0, p0, e0, g0, t1, p1, e1, g1),
(SELECT %s AS tokens, %s AS posts, %s AS present, %s AS digests OFFSET 0) a"""
_SLICES = """w.pid, w.owners::bigint[], w.labels::int[], w.d0, w.d1,
a.tokens[w.t0 + 1 : w.t1], a.posts[w.p0 + 1 : w.p1], a.present[w.e0 + 1 : w.e1], a.digests[w.g0 + 1 : w.g1], w.tail"""
_KEPT = """w.pid, w.owners::bigint[], w.labels::int[],
CASE WHEN w.live THEN w.d0 ELSE r.d0 END, CASE WHEN w.live THEN w.d1 ELSE r.d1 END,
CASE WHEN w.live THEN w.tokens[w.t0 + 1 : w.t1] ELSE r.tokens END,
CASE WHEN w.live THEN w.posts[w.p0 + 1 : w.p1] ELSE r.posts END,
CASE WHEN w.live THEN w.present[w.e0 + 1 : w.e1] ELSE r.present END, w.digests[w.g0 + 1 : w.g1], w.tail"""
"""A deletion keeps what its row said of itself: who may see it is whoever could see what was deleted."""
_CLOCK = "date_trunc('milliseconds', clock_timestamp() + interval '999 microseconds')"

_MOVED = f"""w AS MATERIALIZED (SELECT w.*, a.* FROM {_RESOURCE}, guard), moved AS (
UPDATE resource r SET version = w.version, updated = COALESCE(w.updated, GREATEST({_CLOCK},
r.updated + interval '1 millisecond')), live = w.live, method = w.method,
(pid, owners, labels, d0, d1, tokens, posts, present, digests, tail) = (SELECT {_KEPT})
FROM w WHERE r.rid = w.rid AND r.version = {{before}} RETURNING r.rid, r.updated)"""

_REINDEXED = f"""w AS MATERIALIZED (SELECT w.*, a.* FROM {_RESOURCE}, guard), moved AS (
UPDATE resource r SET (pid, owners, labels, d0, d1, tokens, posts, present, digests) =
(SELECT {_SLICES.replace("a.", "w.").removesuffix(", w.tail")})
FROM w WHERE r.rid = w.rid AND r.version = w.version AND r.xmin = w.seen RETURNING r.rid, r.updated)"""

_SQL = {
    "new": f"""new AS (
INSERT INTO resource (rid, type, id, version, updated, live, method, pid, owners, labels, d0, d1, tokens, posts,
present, digests, tail)
SELECT w.rid, w.type, w.id, w.version, COALESCE(w.updated, {_CLOCK}), w.live, w.method, {_SLICES}
FROM {_RESOURCE}, guard ON CONFLICT (type, id) DO NOTHING RETURNING rid, updated)""",
    "moved": f"""{_MOVED.format(before="w.version - 1 AND r.xmin = w.seen")}, history AS (
INSERT INTO resource_version (rid, version, type, updated, live, method, pid, owners, labels, tail)
SELECT r.rid, r.version, r.type, r.updated, r.live, r.method, r.pid, r.owners, r.labels, r.tail
FROM resource r JOIN moved USING (rid) WHERE r.version > 0)""",
    "amended": _MOVED.format(before="w.version"),
    "reindexed": _REINDEXED,
    **index_rows.SQL,
    **epochs.SQL,
}


_MADE = {"new": "new", "moved": "moved", "amended": "moved", "reindexed": "moved"}
_RESOURCES = frozenset(_MADE)
_INNER = "held AS (SELECT rid FROM done UNION ALL SELECT rid FROM inner_rows)"


@cache
def _text(parts: tuple[str, ...]) -> bytes:
    """Return the statement made of `parts`; there are few shapes, so that each is prepared once a connection."""
    pieces = []
    inner = "+contained" in parts
    for position, part in enumerate(parts):
        pieces.append(_SQL[part] if inner else _SQL[part].replace("JOIN held", "JOIN done held"))
        if part in _RESOURCES and not _RESOURCES.intersection(parts[position + 1 :]):
            made = [_MADE[name] for name in parts[: position + 1] if name in _RESOURCES]
            pieces.append(
                "done AS (" + " UNION ALL ".join(f"SELECT rid, updated FROM {name}" for name in made) + ")"
            )
        if part == "+contained":
            pieces.append(_INNER)
    return ("WITH " + ", ".join(pieces) + " SELECT rid, updated FROM done").encode()
