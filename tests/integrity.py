"""Whether what is stored for search is what indexing the stored content gives, in every table, and nothing else.

The checker shares with the server how one resource is indexed (`search.extract`) and nothing of how rows are written.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import msgspec
from psycopg import AsyncConnection

from fhir_server.keys import unlocked
from fhir_server.search import custom
from fhir_server.search.extract import index
from fhir_server.settings import Settings
from fhir_server.storage import binary
from fhir_server.storage.connection import Connection
from fhir_server.storage.read import COLUMNS
from fhir_server.storage.rows import MISSING_DATE, WITHIN, ContainedRows, IndexRows, Row, type_number
from fhir_server.storage.sealing import Sealer
from resources.codec.json import parse_json

Rows = dict[int, Counter[Any]]
"""The rows of a table by row number."""

TABLES = {
    "posting": "rid, h, pid, d0",
    "edge": "src, param, dst",
    "idx_string": "rid, param, norm, exact",
    "idx_date": "rid, param, lo, hi",
    "idx_number": "rid, param, lo, hi, unit, clo, chi, code",
    "idx_composite": "rid, param, keys, lo, hi, unit, clo, chi, code, lo2, hi2, dlo, dhi, norm, exact",
    "idx_position": "rid, param, lat, lon",
    "idx_text": "rid, words::text",
}
_LISTS = "pid, d0, d1, tokens, posts, present"


class Stored(msgspec.Struct):
    """All that a database holds, as one transaction sees it."""

    resources: list[Row]
    own: dict[int, tuple[Any, ...]]
    """(pid, d0, d1, tokens, posts, present, digests) of each resource."""
    contained: dict[int, list[tuple[Any, ...]]]
    """(rid, local, type, pid, d0, d1, tokens, posts, present) by container."""
    rows: dict[str, Rows]
    labels: set[tuple[int, str, int]]
    codings: set[tuple[str, str]]
    versions: dict[int, list[int]]


@asynccontextmanager
async def _sealer(conninfo: str) -> AsyncIterator[Sealer]:
    """Lend what opens the content of a database, where the environment says that it is sealed."""
    sealer = await unlocked(Settings(database_url=conninfo))
    try:
        yield sealer
    finally:
        await sealer.close()


async def differences(conninfo: str) -> list[str]:
    """Return what is wrong with the index rows of a database, empty where each is as it should be.

    Shape:  this process has the database's keys (`search.context`), since a server of its own runs on it
    """
    async with _sealer(conninfo) as sealer, await Connection.connect(conninfo, autocommit=True) as conn:
        conn.sealer = sealer
        binary.register(conn.adapters)
        await custom.refresh(conn)
        async with conn.transaction():
            await conn.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            return await _Check(await _stored(conn)).run(conn)


async def _stored(conn: AsyncConnection[Any]) -> Stored:
    async def ask(query: str) -> list[tuple[Any, ...]]:
        return await (await conn.execute(query.encode(), binary=True)).fetchall()

    width = COLUMNS.count(",") + 1
    resources = await ask(f"SELECT {COLUMNS}, {_LISTS}, digests FROM resource ORDER BY rid")
    contained = defaultdict(list)
    for container, *rest in await ask(
        f"SELECT container, rid, local, type, {_LISTS} FROM contained ORDER BY rid"
    ):
        contained[container].append(tuple(rest))
    versions = defaultdict(list)
    for rid, version in await ask("SELECT rid, version FROM resource_version ORDER BY rid, version"):
        versions[rid].append(version)
    tables: dict[str, Rows] = {}
    for name, columns in TABLES.items():
        tables[name] = defaultdict(Counter)
        for rid, *values in await ask(f"SELECT {columns} FROM {name}"):
            tables[name][rid][_frozen(values)] += 1
    return Stored(
        [Row(*one[:width]) for one in resources],
        {one[0]: one[width:] for one in resources},
        contained,
        tables,
        {(param, norm, h) for param, norm, h in await ask("SELECT param, norm, h FROM label")},
        {(system, code) for system, code in await ask("SELECT system, code FROM coding")},
        versions,
    )


def _frozen(values: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(tuple(value) if isinstance(value, list) else value for value in values)


class _Check:
    def __init__(self, stored: Stored) -> None:
        self.stored = stored
        self.known = {(row.type, row.id): row.rid for row in stored.resources}
        self.found: list[str] = []
        self.expected: dict[str, Rows] = {name: defaultdict(Counter) for name in TABLES}
        self.names: dict[int, str] = {}
        self.texts: dict[int, str] = {}
        self.containers: set[int] = set()

    async def run(self, conn: AsyncConnection[Any]) -> list[str]:
        """Compare everything."""
        for row in self.stored.resources:
            self.names[row.rid] = f"{row.type_name}/{row.id}"
            self._history(row)
            if row.live:
                self._live(row)
            else:
                self._gone(row)
        await self._words(conn)
        for container in self.stored.contained.keys() - self.containers:
            self._say(container, "has contained rows")
        for name in TABLES:
            self._table(name)
        for param, dst in {(row[0], row[1]) for rows in self.stored.rows["edge"].values() for row in rows}:
            if dst not in self.names:
                self.found.append(f"an edge {param} leads to {dst}, which is nothing")
        return self.found

    def _say(self, rid: int, text: str) -> None:
        self.found.append(f"{self.names.get(rid, 'nothing')} ({rid}) {text}")

    def _history(self, row: Row) -> None:
        kept = self.stored.versions.get(row.rid, [])
        if kept != list(range(1, row.version)):
            self._say(row.rid, f"is at version {row.version} with a history of {kept}")

    def _gone(self, row: Row) -> None:
        _, *rest, digests = self.stored.own[row.rid]
        kept = row.version > 0  # a deletion keeps what rules of access ask
        nothing = [MISSING_DATE, MISSING_DATE, [], [], []]
        if (not kept and rest != nothing) or any(digests) or row.tail is not None:
            self._say(row.rid, f"is not there, but has {rest} {digests}")

    def _live(self, row: Row) -> None:
        rows = index(parse_json(row.json()))
        inner = self._inner(row, rows)
        inside = {"": row.rid, **{local: rid for rid, local in reversed(inner) if local}}
        expected = (*self._lists(rows, inside), rows.digests())
        if self.stored.own[row.rid] != expected:
            self._say(row.rid, f"has {self.stored.own[row.rid]}, not {expected}")
        self._add(row.rid, rows, inside)
        for h in rows.posts:
            self.expected["posting"][row.rid][h, expected[0], rows.d0] += 1
        stored = {one[0]: one for one in self.stored.contained.get(row.rid, [])}
        for (rid, _), one in zip(inner, rows.contained, strict=False):
            self._add(rid, one.rows, inside)
            if stored[rid][3:] != self._lists(one.rows, inside):
                self._say(rid, f"has {stored[rid][3:]}, not {self._lists(one.rows, inside)}")

    def _inner(self, row: Row, rows: IndexRows) -> list[tuple[int, str]]:
        """Return (row number, local id) of each contained resource, in the order of the resource."""
        left = list(self.stored.contained.get(row.rid, []))
        self.containers.add(row.rid)
        found: list[tuple[int, str]] = []
        for one in rows.contained:
            fits = [each for each in left if self._fits(each, one)]
            if not fits:
                self._say(row.rid, f"has no contained row for #{one.local}")
                return found
            left.remove(fits[0])
            found.append((fits[0][0], one.local))
            self.names[fits[0][0]] = f"{row.type_name}/{row.id}#{one.local}"
        if left:
            self._say(row.rid, f"has contained rows too many: {[each[:3] for each in left]}")
        return found

    @staticmethod
    def _fits(stored: tuple[Any, ...], one: ContainedRows) -> bool:
        return stored[1:3] == (one.local, type_number(one.type)) and stored[6] == one.rows.tokens

    def _rid(self, type_: str, id_: str, inside: Mapping[str, int]) -> int | None:
        found = inside.get(id_) if type_ == WITHIN else self.known.get((type_number(type_), id_))
        if found is None:
            self.found.append(f"{type_}/{id_} has no row number")
        return found

    def _lists(self, rows: IndexRows, inside: Mapping[str, int]) -> tuple[Any, ...]:
        pid = None
        if rows.patient is not None:
            kind = WITHIN if rows.patient.startswith(WITHIN) else "Patient"
            pid = self._rid(kind, rows.patient.removeprefix(WITHIN), inside)
        return (pid, rows.d0, rows.d1, rows.tokens, rows.posts, rows.present)

    def _add(self, rid: int, rows: IndexRows, inside: Mapping[str, int]) -> None:
        """Expect the rows of one resource."""
        groups: dict[str, list[Any]] = {
            "edge": [(param, self._rid(kind, id_, inside)) for param, kind, id_ in rows.edges],
            "idx_string": rows.strings,
            "idx_date": rows.dates,
            "idx_number": [_frozen(msgspec.structs.astuple(one)) for one in rows.numbers],
            "idx_composite": [_frozen(msgspec.structs.astuple(one)) for one in rows.composites],
            "idx_position": rows.positions,
        }
        for name, group in groups.items():
            if group:
                self.expected[name][rid].update(group)
        if rows.text:
            self.texts[rid] = rows.text
        missing = set(rows.labels) - self.stored.labels
        if missing:
            self._say(rid, f"has labels that are not in the dictionary: {missing}")
        if set(rows.codings) - self.stored.codings:
            self._say(rid, f"has codes not in the dictionary: {set(rows.codings) - self.stored.codings}")
        if not {h for _, _, h in rows.labels} <= set(rows.tokens):
            self._say(rid, "has labels that are no tokens")

    async def _words(self, conn: AsyncConnection[Any]) -> None:
        """Let the database read the words that are expected, as it did those that are stored."""
        cursor = await conn.execute(
            "SELECT rid, words::tsvector::text FROM unnest(%s, %s) AS x(rid, words)",
            (binary.Int8s(list(self.texts)), binary.Texts(list(self.texts.values()))),
        )
        for rid, words in await cursor.fetchall():
            self.expected["idx_text"][rid][(words,)] += 1

    def _table(self, name: str) -> None:
        stored, expected = self.stored.rows[name], self.expected[name]
        for rid in sorted(stored.keys() | expected.keys()):
            more = stored.get(rid, Counter()) - expected.get(rid, Counter())
            less = expected.get(rid, Counter()) - stored.get(rid, Counter())
            if more or less:
                self._say(rid, f"in {name}: too many {list(more)[:5]}, missing {list(less)[:5]}")
