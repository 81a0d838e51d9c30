"""Facts of concepts from several files, brought together by code on disk: a temporary SQLite file that nobody sees.

Facts come in any order and go out concept by concept, in the order of the codes, so that each reading is the same.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from operator import itemgetter
from typing import NamedTuple

ALIAS = -1
"""The tag of a fact that gives another name (its only field) of the key; other facts may come under `@name`."""

APART = 10
"""Tags from here on are no facts of concepts: only `tagged` gives them."""

_CACHE_KIB = 65_536
_MARK = "\x1f"
_BATCH = 10_000

_TABLES = """
CREATE TABLE fact (key TEXT, tag INTEGER, data TEXT);
CREATE TABLE later (alias TEXT, tag INTEGER, data TEXT);
CREATE TABLE alias (alias TEXT PRIMARY KEY, key TEXT) WITHOUT ROWID;
"""


class Fact(NamedTuple):
    """Something that a line says of a concept; `tag` tells what, and facts come out in the order of their tags."""

    key: str
    tag: int
    fields: tuple[str, ...]


class Staging:
    """Facts on disk."""

    def __init__(self) -> None:
        self._db = sqlite3.connect("", isolation_level=None)
        for pragma in (f"cache_size=-{_CACHE_KIB}", "journal_mode=OFF", "synchronous=OFF", "temp_store=FILE"):
            self._db.execute(f"PRAGMA {pragma}")
        self._db.executescript(_TABLES)

    def add(self, facts: Iterable[Fact]) -> None:
        """Write facts."""
        stream = iter(facts)
        self._db.execute("BEGIN")
        while batch := list(islice(stream, _BATCH)):
            rows: dict[str, list[tuple[str, int, str]]] = {"fact": [], "later": []}
            for key, tag, fields in batch:
                if tag != ALIAS:
                    late = key.startswith("@")
                    rows["later" if late else "fact"].append((key[late:], tag, _MARK.join(fields)))
            for table, those in rows.items():
                self._db.executemany(f"INSERT INTO {table} VALUES (?, ?, ?)", those)
            self._db.executemany(
                "INSERT OR REPLACE INTO alias VALUES (?, ?)",
                [(fields[0], key) for key, tag, fields in batch if tag == ALIAS],
            )
        self._db.execute("COMMIT")

    def count(self, tag: int) -> int:
        """Return how many keys have a fact of a tag."""
        cursor = self._db.execute("SELECT count(DISTINCT key) FROM fact WHERE tag = ?", (tag,))
        return int(cursor.fetchone()[0])

    def grouped(self) -> Iterator[tuple[str, list[Fact]]]:
        """Yield each key with its facts, by tag and then in the order of their coming."""
        self._resolve()
        for key, rows in groupby(
            self._fetched("SELECT key, tag, data FROM fact WHERE tag < ? ORDER BY key, tag, rowid", APART),
            key=itemgetter(0),
        ):
            yield key, [Fact(key, tag, tuple(data.split(_MARK))) for _, tag, data in rows]

    def tagged(self, tag: int) -> Iterator[Fact]:
        """Yield the facts of one tag, by key."""
        for key, _, data in self._fetched(
            "SELECT key, tag, data FROM fact WHERE tag = ? ORDER BY key, rowid", tag
        ):
            yield Fact(key, tag, tuple(data.split(_MARK)))

    def _resolve(self) -> None:
        """Give the facts that came under another name to those whose name it is; others are of nobody here."""
        self._db.execute(
            "INSERT INTO fact SELECT a.key, l.tag, l.data FROM later l JOIN alias a ON a.alias = l.alias"
            " ORDER BY l.rowid"
        )
        self._db.execute("DELETE FROM later")

    def _fetched(self, statement: str, *args: int) -> Iterator[tuple[str, int, str]]:
        cursor = self._db.execute(statement, args)
        while rows := cursor.fetchmany(_BATCH):
            yield from rows
