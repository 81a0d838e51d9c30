"""The parts of a write statement that keep index rows: what of them goes, what comes, and their SQL.

A part hangs on `moved` (rows that were updated) where it removes, on `held` (every row number that the statement wrote,
contained resources among them) where it adds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from fhir_server.storage.binary import Int2s, Int4s, Int8s, PgArray, Texts
from fhir_server.storage.read import Old
from fhir_server.storage.rows import GROUPS, IndexRows

Edges = list[tuple[int, int]]
Part = tuple[str, list[PgArray] | None]
"""The name of a part and its arguments, None where it has nothing to do."""

CONTAINED = GROUPS.index("contained")


class Indexed(msgspec.Struct):
    """Whatever has index rows under a row number: `pid` and `edges` are `rows`' patient and edges as row numbers."""

    rid: int
    rows: IndexRows
    pid: int | None = None
    edges: Edges = []


class Inner(Indexed, kw_only=True):
    """A contained resource, under a row number of its own."""

    container: int
    local: str
    type: int


class Outer(Indexed, kw_only=True):
    """A resource with the row that it replaces (None: a new one) and the resources that it contains.

    Shape:  `owners` and `labels` as in `Row`
    """

    old: Old | None = None
    digests: list[int] = []
    inner: list[Inner] = []
    owners: list[int] | None = None
    labels: list[int] | None = None

    def changes(self, group: int) -> bool:
        """Whether the index rows of a group differ from what is stored."""
        before = self.old.digests if self.old is not None else []
        return group >= len(before) or before[group] != self.digests[group]

    def replaces(self, group: int) -> bool:
        """Whether stored index rows of a group must go."""
        before = self.old.digests if self.old is not None else []
        return group < len(before) and before[group] != 0 and self.changes(group)

    @property
    def reposts(self) -> bool:
        """Whether the postings differ from what is stored."""
        old = self.old
        return (
            old is None
            or not old.live
            or (old.posts, old.d0, old.pid) != (self.rows.posts, self.rows.d0, self.pid)
        )


def removals(outers: Sequence[Outer]) -> list[Part]:
    """Return the parts that remove index rows which updated resources no longer have."""
    moved = [one for one in outers if one.old is not None]
    posted = [one for one in moved if one.old is not None and one.old.live and one.reposts]
    posts = [(one.rid, h, one.old.d0) for one in posted if one.old is not None for h in one.old.posts]
    parts: list[Part] = [("-posts", columns(posts, Int8s, Int8s, Int8s))]
    for number, name in enumerate(GROUPS):
        stale = [one.rid for one in moved if one.replaces(number)]
        parts.append(("-" + name, [Int8s(stale)] if stale else None))
    return parts


def additions(outers: Sequence[Outer]) -> list[Part]:
    """Return the parts that add index rows; contained resources come first, since their own rows hang on them."""
    posts = [(one.rid, h, one.pid, one.rows.d0) for one in outers if one.reposts for h in one.rows.posts]
    inner = [each for one in outers if one.changes(CONTAINED) for each in one.inner]
    return [
        ("+contained", _contained(inner)),
        ("+posts", columns(posts, Int8s, Int8s, Int8s, Int8s)),
        *(
            ("+" + name, columns([row for one in _changing(outers, number) for row in take(one)], *kinds))
            for number, (name, take, kinds) in enumerate(_ADDED)
        ),
    ]


def _changing(outers: Sequence[Outer], group: int) -> Iterator[Indexed]:
    for one in outers:
        if one.changes(group):
            yield one
        if one.inner and one.changes(CONTAINED):
            yield from one.inner


def _contained(inner: Sequence[Inner]) -> list[PgArray] | None:
    rows = [
        (
            one.rid,
            one.container,
            one.local,
            one.type,
            one.pid,
            one.rows.d0,
            one.rows.d1,
            *map(_array, (one.rows.tokens, one.rows.posts, one.rows.present)),
        )
        for one in inner
    ]
    return columns(rows, Int8s, Int8s, Texts, Int2s, Int8s, Int8s, Int8s, Texts, Texts, Texts)


def _array(values: Sequence[int]) -> str:
    return "{" + ",".join(map(str, values)) + "}"


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _strings(one: Indexed) -> list[Any]:
    return [(one.rid, *row) for row in one.rows.strings]


def _dates(one: Indexed) -> list[Any]:
    return [(one.rid, *row) for row in one.rows.dates]


def _numbers(one: Indexed) -> list[Any]:
    return [
        (one.rid, n.param, str(n.lo), str(n.hi), n.unit, _text(n.clo), _text(n.chi), n.code)
        for n in one.rows.numbers
    ]


def _edges(one: Indexed) -> list[Any]:
    return [(one.rid, *edge) for edge in one.edges]


def _composites(one: Indexed) -> list[Any]:
    return [
        (
            one.rid,
            c.param,
            _array(c.keys),
            *map(_text, (c.lo, c.hi)),
            c.unit,
            *map(_text, (c.clo, c.chi)),
            c.code,
            *map(_text, (c.lo2, c.hi2)),
            c.dlo,
            c.dhi,
            c.norm,
            c.exact,
        )
        for c in one.rows.composites
    ]


def _positions(one: Indexed) -> list[Any]:
    return [(one.rid, param, repr(lat), repr(lon)) for param, lat, lon in one.rows.positions]


def _words(one: Indexed) -> list[Any]:
    return [(one.rid, one.rows.text)] if one.rows.text else []


Take = Callable[[Indexed], list[Any]]

_ADDED: tuple[tuple[str, Take, tuple[type[Any], ...]], ...] = (
    ("strings", _strings, (Int8s, Int4s, Texts, Texts)),
    ("dates", _dates, (Int8s, Int4s, Int8s, Int8s)),
    ("numbers", _numbers, (Int8s, Int4s, Texts, Texts, Int8s, Texts, Texts, Int8s)),
    ("edges", _edges, (Int8s, Int4s, Int8s)),
    (
        "composites",
        _composites,
        (Int8s, Int4s, *[Texts] * 3, Int8s, *[Texts] * 2, Int8s, *[Texts] * 2, Int8s, Int8s, Texts, Texts),
    ),
    ("positions", _positions, (Int8s, Int4s, Texts, Texts)),
    ("text", _words, (Int8s, Texts)),
)
"""The groups in their order in GROUPS: name, rows, and the array types of their columns."""


def columns(rows: list[Any], *kinds: type[Any]) -> list[PgArray] | None:
    """Return `rows` as one array per column, None where there are none."""
    if not rows:
        return None
    return [kind(column) for kind, column in zip(kinds, zip(*rows, strict=True), strict=True)]


_TABLES = {
    "strings": "idx_string",
    "dates": "idx_date",
    "numbers": "idx_number",
    "edges": "edge",
    "composites": "idx_composite",
    "positions": "idx_position",
    "text": "idx_text",
}


def _removal(group: str, table: str) -> str:
    key = "src" if table == "edge" else "rid"
    return (
        f"no_{group} AS (DELETE FROM {table} i USING unnest(%s) AS x(rid), moved"
        f" WHERE i.{key} = x.rid AND moved.rid = x.rid)"
    )


def _inner_removal(group: str, table: str) -> str:
    key = "src" if table == "edge" else "rid"
    return f"no_inner_{group} AS (DELETE FROM {table} i USING gone WHERE i.{key} = gone.rid)"


_NO_CONTAINED = """gone AS (DELETE FROM contained i USING unnest(%s) AS x(rid), moved
WHERE i.container = x.rid AND moved.rid = x.rid RETURNING i.rid), """

SQL = {
    **{"-" + group: _removal(group, table) for group, table in _TABLES.items()},
    "-posts": """no_posts AS (DELETE FROM posting p USING unnest(%s, %s, %s) AS x(rid, h, d0), moved
WHERE p.h = x.h AND p.d0 = x.d0 AND p.rid = x.rid AND moved.rid = x.rid)""",
    "-contained": _NO_CONTAINED + ", ".join(_inner_removal(group, table) for group, table in _TABLES.items()),
    "+contained": """inner_rows AS (
INSERT INTO contained (rid, container, local, type, pid, d0, d1, tokens, posts, present)
SELECT x.rid, x.container, x.local, x.type, x.pid, x.d0, x.d1, x.tokens::bigint[], x.posts::bigint[], x.present::int[]
FROM unnest(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
AS x(rid, container, local, type, pid, d0, d1, tokens, posts, present)
JOIN done ON done.rid = x.container RETURNING rid)""",
    "+posts": """posts AS (INSERT INTO posting (rid, h, pid, d0)
SELECT x.* FROM unnest(%s, %s, %s, %s) AS x(rid, h, pid, d0) JOIN held USING (rid))""",
    "+strings": """strings AS (INSERT INTO idx_string (rid, param, norm, exact)
SELECT x.* FROM unnest(%s, %s, %s, %s) AS x(rid, param, norm, exact) JOIN held USING (rid))""",
    "+dates": """dates AS (INSERT INTO idx_date (rid, param, lo, hi)
SELECT x.* FROM unnest(%s, %s, %s, %s) AS x(rid, param, lo, hi) JOIN held USING (rid))""",
    "+numbers": """numbers AS (INSERT INTO idx_number (rid, param, lo, hi, unit, clo, chi, code)
SELECT x.rid, x.param, x.lo::numeric, x.hi::numeric, x.unit, x.clo::numeric, x.chi::numeric, x.code
FROM unnest(%s, %s, %s, %s, %s, %s, %s, %s) AS x(rid, param, lo, hi, unit, clo, chi, code) JOIN held USING (rid))""",
    "+edges": """edges AS (INSERT INTO edge (src, param, dst)
SELECT x.* FROM unnest(%s, %s, %s) AS x(src, param, dst) JOIN held ON held.rid = x.src)""",
    "+composites": """composites AS (
INSERT INTO idx_composite (rid, param, keys, lo, hi, unit, clo, chi, code, lo2, hi2, dlo, dhi, norm, exact)
SELECT x.rid, x.param, x.keys::bigint[], x.lo::numeric, x.hi::numeric, x.unit, x.clo::numeric, x.chi::numeric, x.code,
x.lo2::numeric, x.hi2::numeric, x.dlo, x.dhi, x.norm, x.exact
FROM unnest(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
AS x(rid, param, keys, lo, hi, unit, clo, chi, code, lo2, hi2, dlo, dhi, norm, exact) JOIN held USING (rid))""",
    "+positions": """positions AS (INSERT INTO idx_position (rid, param, lat, lon)
SELECT x.rid, x.param, x.lat::float8, x.lon::float8
FROM unnest(%s, %s, %s, %s) AS x(rid, param, lat, lon) JOIN held USING (rid))""",
    "+text": """words AS (INSERT INTO idx_text (rid, words)
SELECT x.rid, x.words::tsvector FROM unnest(%s, %s) AS x(rid, words) JOIN held USING (rid))""",
}
