"""Contained resources: searched for themselves (`_contained`, `_containedType`), and passed through by chains.

They lie in a table of their own, so that no other search meets them; what a criterion means for them is what its
`where` says of a row. Their values have the row numbers of their own that `idx_*` and `edge` know.

Source: http://hl7.org/fhir/R4/search.html#contained
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal

import msgspec
from psycopg import AsyncConnection

from fhir_server.search import plan, stored
from fhir_server.search.cursor import Cursor
from fhir_server.search.order import Key, Place, beyond, keys, order_by
from fhir_server.search.params import text
from fhir_server.search.query import Include, Query
from fhir_server.search.run import COLUMNS, WIDTH, run
from fhir_server.search.sql import Sql, Test, all_of, any_of, flat, of_types
from fhir_server.storage.rows import MISSING_DATE, Row, type_name, type_number
from resources.codec.json import dump_json, parse_json

_TAIL = f"""coalesce((SELECT convert_to('}},' || substr(e::text, 2), 'UTF8')
FROM resource x, jsonb_array_elements({stored.document("x")} -> 'contained') e
WHERE x.rid = c.container AND coalesce(e ->> 'id', '') = c.local LIMIT 1), '}}}}'::bytea)"""

ROWS = f"""(SELECT c.rid, c.container, c.local AS id, c.type, c.pid, c.d0, c.d1, c.tokens, c.posts, c.present,
NULL::bigint[] AS owners, NULL::int[] AS labels, true AS live,
1 AS version, NULL::timestamptz AS updated, {_TAIL} AS tail FROM contained c) r"""
"""Contained resources with the columns of `resource`; they have no instant of their own."""

ORDER = "contained"
"""The name of the order in cursors."""


class Found(Row):
    """A match of a search for contained resources: a container, or a contained resource with its container's id.

    Shape:  `hits` are the row numbers of the contained resources that matched, `kinds` their types; `local` is the id
            within the container, None where the container is the match, or a resource by itself
    """

    hits: list[int] = msgspec.field(default_factory=list)
    kinds: list[int] = msgspec.field(default_factory=list)
    local: str | None = None

    def json(self) -> bytes:
        """Return the JSON of the match."""
        whole = Row.json(self)
        if self.local is None:
            return whole
        inner = parse_json(whole).get("contained", ())
        return dump_json(next(one for one in inner if _is(one, type_name(self.kinds[0]), self.local)))


def _is(resource: dict[str, Any], kind: str, local: str) -> bool:
    return (resource.get("id", ""), resource["resourceType"]) == (local, kind)


def listing(sql: Sql, type_name: str, tests: Sequence[Test]) -> str:
    """Return the statement that lists the contained resources of a type that pass `tests`.

    Where nothing contains one of the type, nothing is looked for. A container refers to its own alone, so that who may
    see the container may follow.
    """
    some = f"(SELECT EXISTS (SELECT FROM contained g WHERE g.type = {type_number(type_name)}))"
    return f"SELECT r.rid FROM {ROWS} WHERE {all_of([some, *_conditions(sql, (type_name,), tests)])}"


def _conditions(sql: Sql, types: Sequence[str], tests: Sequence[Test]) -> list[str]:
    found = [of_types("r", types)]
    for test in flat(tests):
        if test.tokens:
            found.append(f"r.tokens && {sql.bigs(test.tokens)}")
        else:
            found.append(test.where(sql, "r"))
    return found


async def rows(
    conn: AsyncConnection[Any], query: Query, cursor: Cursor | None
) -> tuple[str, list[tuple[Row, Place]]]:
    """Return the order gone by and the next matches with their places, one more than the page holds."""
    sql = Sql()
    place, backward = (cursor.place, cursor.backward) if cursor else (None, False)
    branches = [_inner(sql, query)]
    if query.contained == "both":
        branches.append(_outer(sql, query))
    cut = _keys(query, "s")
    after = "" if place is None else f" WHERE {beyond(sql, cut, 's.at', place, backward)}"
    tail = f"ORDER BY {order_by(cut, 's.at', backward)} LIMIT {query.count + 1}"
    parts = " UNION ALL ".join(f"(SELECT s.* FROM ({one}) s{after} {tail})" for one in branches)
    values = "".join(f", ({key.expression})::text" for key in cut)
    statement = (
        f"SELECT {COLUMNS}, s.hits, s.kinds, s.local, s.at, s.score::text{values}"
        f" FROM ({parts}) s JOIN resource r ON r.rid = s.rid {tail}"
    )
    return ORDER, [_found(one) for one in await run(conn, statement, sql.args)]


def _found(one: Sequence[Any]) -> tuple[Row, Place]:
    row = _made(one)
    at, score, *values = one[WIDTH + 3 :]
    return row, Place(tuple(values), at, score or "")


def _made(one: Sequence[Any]) -> Found:
    row = Found(*one[: WIDTH + 3])
    if row.local is not None:
        row.rid, row.id = row.hits[0], f"{row.id}#{row.local}"
    return row


def _keys(query: Query, row: str) -> list[Key]:
    """Return the keys of the order, as columns of a branch."""
    return [
        replace(key, expression=f"{row}.k{number}", nullable=True)
        for number, key in enumerate(keys(query.sort, "r", "r.d0", "r.score"))
    ]


def _values(sql: Sql, query: Query, best: Literal["each", "group"]) -> str:
    """Return the columns that a branch is sorted by, and its score; of a group the first in each direction."""
    score = text.score(sql, query.words, "r") if query.words else "NULL::real"
    found = []
    for number, one in enumerate(query.sort):
        row = "o" if best == "group" and one.param.place == "column" else "r"
        (key,) = keys([one], row, f"NULLIF(r.d0, {MISSING_DATE})", score)
        pick = ("max" if key.descending else "min") if best == "group" else ""
        found.append(f"{pick}({key.expression}) AS k{number}")
    pick = "max" if best == "group" else ""
    return ", ".join([f"{pick}({score}) AS score", *found])


_NO_HITS = "ARRAY[]::bigint[] AS hits, ARRAY[]::smallint[] AS kinds, NULL AS local"


def _outer(sql: Sql, query: Query) -> str:
    """Return the statement of the resources that match by themselves."""
    found = plan.source(sql, query.types, query.tests)
    values = _values(sql, query, "each")
    return (
        f"SELECT r.rid AS at, r.rid, {_NO_HITS}, {values}"
        f" FROM {found.tables} WHERE {all_of(found.conditions)}"
    )


def _inner(sql: Sql, query: Query) -> str:
    """Return the statement of the contained matches, or of their containers."""
    conditions = _conditions(sql, query.types, query.tests)
    seen = plan.visible("", "o", sql)
    conditions += [seen] if seen else []
    tables = f"{ROWS} JOIN resource o ON o.rid = r.container"
    if query.contained_type == "contained":
        columns = (
            "r.rid AS at, r.container AS rid, ARRAY[r.rid] AS hits, ARRAY[r.type] AS kinds, r.id AS local"
        )
        values = _values(sql, query, "each")
        return f"SELECT {columns}, {values} FROM {tables} WHERE {all_of(conditions)}"
    if query.contained == "both":
        conditions.append(_not_itself(sql, query))
    columns = "o.rid AS at, o.rid, array_agg(r.rid) AS hits, array_agg(r.type) AS kinds, NULL AS local"
    values = _values(sql, query, "group")
    return f"SELECT {columns}, {values} FROM {tables} WHERE {all_of(conditions)} GROUP BY o.rid"


def _not_itself(sql: Sql, query: Query) -> str:
    """Return the condition that a container is no match by itself, which would be listed twice."""
    own = [of_types("o", query.types), "o.live", *(test.where(sql, "o") for test in flat(query.tests))]
    return f"(CASE WHEN {all_of(own)} THEN true END) IS NULL"


async def count(conn: AsyncConnection[Any], query: Query) -> int:
    """Return how many matches there are: as many as all pages together hold."""
    sql = Sql()
    wanted = replace(query, sort=[])
    branches = [_inner(sql, wanted)]
    if query.contained == "both":
        branches.append(_outer(sql, wanted))
    each = " + ".join(f"(SELECT count(*) FROM ({one}) s)" for one in branches)
    return int((await run(conn, f"SELECT {each}", sql.args))[0][0])


async def neighbours(conn: AsyncConnection[Any], query: Query, found: Sequence[Row]) -> list[Row]:
    """Return what the contained matches of a page refer to within their containers, as far as it is to be included."""
    hits = [row.rid for row in found if isinstance(row, Found) and row.local is not None]
    sql = Sql()
    followed = [_followed(sql, one, hits) for one in query.includes if not one.reverse]
    if not hits or not followed:
        return []
    statement = (
        f"SELECT {COLUMNS}, ARRAY[c.rid], ARRAY[c.type], c.local"
        " FROM contained c JOIN resource r ON r.rid = c.container"
        f" WHERE {any_of(followed)} AND c.rid <> ALL({sql.bigs(hits)}) ORDER BY c.rid"
    )
    return [_made(one) for one in await run(conn, statement, sql.args)]


def _followed(sql: Sql, one: Include, hits: Sequence[int]) -> str:
    """Return the condition that one of `hits` refers to a contained resource `c` by what an include names."""
    ways = []
    for param in one.params:
        for part in param.parts:
            wanted = {part.resolves, one.target} - {""}
            typed = "".join(f" AND c.type = {type_number(name)}" for name in wanted)
            ways.append(f"(e.param = {part.id}{typed})")
            if part.patient and wanted <= {"Patient"}:
                ways.append(f"(m.type = {type_number(param.type)} AND m.pid = c.rid)")
    source = "contained m LEFT JOIN edge e ON e.src = m.rid AND e.dst = c.rid"
    return f"EXISTS (SELECT FROM {source} WHERE m.rid = ANY({sql.bigs(hits)}) AND {any_of(ways)})"


def starts(found: Sequence[Row]) -> list[Row]:
    """Return the rows that includes of a page start from: its matches, and the contained resources that made them."""
    inner = [
        Row(hit, kind, "", 0, row.updated, True, 0, None)
        for row in found
        if isinstance(row, Found)
        for hit, kind in zip(row.hits, row.kinds, strict=True)
    ]
    return [*(row for row in found if not isinstance(row, Found) or row.local is None), *inner]
