"""Questions to a compiled value set: is a code in it, how many are, and a page of them in the order of definition.

Codes are counted and listed by PostgreSQL, leaf by leaf; never are all of them in memory.
Source: http://hl7.org/fhir/R4/valueset-operation-expand.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from fhir_server.concepts.compose import PLAIN, Compiled, Versions, compiled
from fhir_server.concepts.leaves import Leaf, Listed
from fhir_server.concepts.model import Conn, UnknownError
from fhir_server.concepts.words import query
from fhir_server.search.run import run
from fhir_server.search.sql import Sql

__all__ = [
    "PLAIN",
    "Compiled",
    "Entry",
    "Found",
    "Narrowed",
    "Versions",
    "compiled",
    "contains",
    "page",
    "total",
]

_SHOWN = "x.code, x.n, x.display, x.definition, x.active, x.abstract"


class Entry(NamedTuple):
    """One code of a value set; `n` is its place in the tables, None where it is not loaded; `leaf` what listed it."""

    leaf: Leaf
    code: str
    n: int | None
    display: str
    definition: str
    active: bool
    abstract: bool

    @property
    def listed(self) -> Listed | None:
        """What the value set itself says of the code."""
        return self.leaf.said(self.code)


@dataclass(frozen=True, slots=True)
class Found:
    """Whether a code is in; `member` None: it cannot be told, for `reasons`."""

    member: bool | None
    entry: Entry | None = None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Narrowed:
    """Which codes of a value set are listed: those with words like `text`, active ones, selectable ones."""

    text: str = ""
    active_only: bool = False
    selectable: bool = False

    def conditions(self, sql: Sql, alias: str) -> list[str]:
        """Return the conditions on a row."""
        words = query(self.text)
        found = [f"{alias}.words @@ {sql.text(words)}::tsquery"] if words else []
        found += ["false"] if self.text.strip() and not words else []
        found += [f"{alias}.active"] if self.active_only else []
        return found + ([f"NOT {alias}.abstract"] if self.selectable else [])


ALL = Narrowed()


async def contains(
    conn: Conn, valueset: Compiled, codes: Sequence[str], url: str | None = None
) -> dict[str, Found]:
    """Return whether each code is in; `url` None asks for it in any of the value set's code systems."""
    found: dict[str, Found] = {}
    for leaf in valueset.leaves:
        wanted = [code for code in codes if code not in found]
        if wanted and url in (None, leaf.url):
            for code, entry in (await _having(conn, leaf, wanted)).items():
                found[code] = _checked(valueset, entry)
    for code in codes:
        if code not in found:
            reasons = _reasons(valueset.included, url)
            found[code] = Found(None, None, reasons) if reasons else Found(False)
    return found


def _checked(valueset: Compiled, entry: Entry) -> Found:
    reasons = _reasons(valueset.excluded, entry.leaf.url)
    return Found(None, None, reasons) if reasons else Found(True, entry)


def _reasons(gaps: Sequence[Any], url: str | None) -> tuple[str, ...]:
    return tuple(dict.fromkeys(gap.reason for gap in gaps if url is None or gap.url in (None, url)))


async def _having(conn: Conn, leaf: Leaf, codes: Sequence[str]) -> dict[str, Entry]:
    """Return those of `codes` that a leaf has."""
    if leaf.grammar is not None:
        made = [code for code in codes if not leaf.grammar(code)]
        if made and leaf.where:
            alike = Leaf(leaf.url, leaf.version, None, tuple(map(Listed, made)), None, leaf.where)
            made = list(await _having(conn, alike, made))
        return {code: Entry(leaf, code, None, "", "", True, False) for code in made}
    if leaf.system is None and not leaf.where:
        listed = {one.code: one for one in leaf.listed or ()}
        return {
            code: Entry(leaf, code, None, listed[code].display, "", True, False)
            for code in codes
            if code in listed
        }
    sql = Sql()
    where = " AND ".join(leaf.conditions(sql, "x")) or "true"
    text = f"SELECT x.fold, {_SHOWN} FROM {leaf.source(sql, 'x', codes)} WHERE {where}"
    rows = {row[0]: Entry(leaf, *row[1:]) for row in await run(conn, text, sql.args)}
    folded = {code: rows.get(leaf.fold(code)) for code in codes}
    return {code: entry for code, entry in folded.items() if entry is not None}


async def total(conn: Conn, valueset: Compiled, narrowed: Narrowed = ALL) -> int:
    """Return how many codes a value set has; raises UnknownError where that cannot be told."""
    return sum([await _count(conn, leaf, narrowed) for leaf in _listable(valueset)])


async def page(
    conn: Conn, valueset: Compiled, offset: int, count: int, narrowed: Narrowed = ALL
) -> tuple[list[Entry], int]:
    """Return `count` codes from place `offset` on, and how many there are in all.

    Errors: UnknownError where something that the value set is made of is not loaded, or cannot be listed
    """
    entries: list[Entry] = []
    passed = 0
    for leaf in _listable(valueset):
        there = await _count(conn, leaf, narrowed)
        skipped = max(offset - passed, 0)
        if skipped < there and len(entries) < count:
            entries += await _rows(conn, leaf, narrowed, skipped, count - len(entries))
        passed += there
    return entries, passed


def _listable(valueset: Compiled) -> list[Leaf]:
    valueset.require()
    endless = [leaf.url for leaf in valueset.leaves if leaf.grammar is not None]
    if endless:
        raise UnknownError(
            *(f"the codes of {url} cannot be listed: they are made by rules" for url in endless)
        )
    return valueset.leaves


async def _count(conn: Conn, leaf: Leaf, narrowed: Narrowed) -> int:
    """Return how many codes a leaf has; remembered with it, unless words were asked for."""
    if narrowed.text:
        return await _counted(conn, leaf, narrowed)
    if narrowed not in leaf.counts:
        leaf.counts[narrowed] = await _counted(conn, leaf, narrowed)
    return leaf.counts[narrowed]


async def _counted(conn: Conn, leaf: Leaf, narrowed: Narrowed) -> int:
    if leaf.listed is not None and not leaf.where and narrowed == ALL:
        return len(leaf.listed)
    if leaf.system is not None and leaf.listed is None and not leaf.where and narrowed == ALL:
        return leaf.system.count
    sql = Sql()
    if leaf.placed is not None and _by_place(leaf, narrowed):
        text = f"SELECT count(*) FROM ({leaf.placed.places(sql)}) p"
    else:
        text = f"SELECT count(*) FROM {_chosen(leaf, narrowed, sql)}"
    ((count,),) = await run(conn, text, sql.args)
    return int(count)


async def _rows(conn: Conn, leaf: Leaf, narrowed: Narrowed, offset: int, count: int) -> list[Entry]:
    sql = Sql()
    if _by_place(leaf, narrowed):
        return await _placed_rows(conn, leaf, offset, count)
    text = (
        f"SELECT {_SHOWN} FROM {_chosen(leaf, narrowed, sql)}"
        f" ORDER BY x.ord LIMIT {sql.big(count)} OFFSET {sql.big(offset)}"
    )
    return [Entry(leaf, *row) for row in await run(conn, text, sql.args)]


def _by_place(leaf: Leaf, narrowed: Narrowed) -> bool:
    """Whether the places of one condition are all that is wanted of a leaf."""
    lead = leaf.placed
    return lead is not None and not lead.besides and len(leaf.where) == 1 and narrowed == ALL


async def _placed_rows(conn: Conn, leaf: Leaf, offset: int, count: int) -> list[Entry]:
    assert leaf.placed is not None
    sql = Sql()
    text = (
        f"SELECT {_SHOWN} FROM (SELECT p.n FROM ({leaf.placed.places(sql, offset + count)}) p ORDER BY p.n"
        f" LIMIT {sql.big(count)} OFFSET {sql.big(offset)}) p"
        f" JOIN concept x ON x.system = {sql.big(leaf.number)} AND x.n = p.n ORDER BY x.n"
    )
    return [Entry(leaf, *row) for row in await run(conn, text, sql.args)]


def _chosen(leaf: Leaf, narrowed: Narrowed, sql: Sql) -> str:
    """Return the rows `x` of a leaf that are wanted: where words lead, its own conditions are asked one by one."""
    if narrowed.text:
        source, found = leaf.source(sql, "x"), leaf.conditions(sql, "x")
    else:
        source, found = leaf.listing(sql, "x")
    found += narrowed.conditions(sql, "x")
    return source + (f" WHERE {' AND '.join(found)}" if found else "")
