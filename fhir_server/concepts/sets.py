"""Questions to a compiled value set: is a code in it, how many are, and a page of them in the order of definition.

Codes are counted and listed by PostgreSQL, leaf by leaf; never are all of them in memory.
Source: http://hl7.org/fhir/R4/valueset-operation-expand.html
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

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
    "page_soon",
    "total",
]

FEW = 5_000
"""Places up to which a list is made from all of them."""
LATE = 10_000
"""Place of a page from which on all places are collected first."""
Lead = Literal["places", "words", "order"]

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
    entries, known = await _page(conn, valueset, offset, count, narrowed)
    return entries, await total(conn, valueset, narrowed) if known is None else known


async def page_soon(
    conn: Conn, valueset: Compiled, offset: int, count: int, narrowed: Narrowed = ALL
) -> tuple[list[Entry], int | None]:
    """Return what `page` does, with no total where all codes of a code system would be asked for it one by one.

    Shape:  the total is there on the last page, and of a set that is listed from what few codes have or is below a code
    """
    entries, known = await _page(conn, valueset, offset, count, narrowed)
    if known is None:
        counts = [await _counted_soon(conn, leaf, narrowed) for leaf in valueset.leaves]
        known = None if None in counts else sum(one for one in counts if one is not None)
    return entries, known


async def _page(
    conn: Conn, valueset: Compiled, offset: int, count: int, narrowed: Narrowed
) -> tuple[list[Entry], int | None]:
    """Return a page, and how many codes there are in all where that came to light."""
    entries: list[Entry] = []
    passed = 0
    for leaf in _listable(valueset):
        there = leaf.counts.get(narrowed)
        skipped, wanted = max(offset - passed, 0), count - len(entries)
        if not wanted and there is None:
            return entries, None
        if wanted and (there is None or skipped < there):
            found = await _rows(conn, leaf, narrowed, skipped, wanted)
            entries += found
            if there is None and len(found) < wanted and (found or not skipped):
                there = skipped + len(found)
                _remember(leaf, narrowed, there)
            elif there is None and len(found) == wanted:
                return entries, None
        passed += await _count(conn, leaf, narrowed) if there is None else there
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
    known = leaf.counts.get(narrowed)
    if known is None:
        known = await _counted(conn, leaf, narrowed)
        _remember(leaf, narrowed, known)
    return known


def _remember(leaf: Leaf, narrowed: Narrowed, count: int) -> None:
    if not narrowed.text:
        leaf.counts[narrowed] = count


async def _counted(conn: Conn, leaf: Leaf, narrowed: Narrowed) -> int:
    known = _plainly(leaf, narrowed)
    if known is not None:
        return known
    sql = Sql()
    if leaf.placed is not None and _by_place(leaf, narrowed):
        text = f"SELECT count(*) FROM ({leaf.placed.places(sql)}) p"
    else:
        lead: Lead = "places" if leaf.placed is not None else "words"
        text = f"SELECT count(*) FROM {_chosen(leaf, narrowed, sql, lead)}"
    ((count,),) = await run(conn, text, sql.args)
    return int(count)


def _plainly(leaf: Leaf, narrowed: Narrowed) -> int | None:
    """Return how many codes a leaf has where nothing has to be counted."""
    if leaf.where or narrowed != ALL:
        return None
    if leaf.listed is not None:
        return len(leaf.listed)
    return leaf.system.count if leaf.system is not None else None


async def _counted_soon(conn: Conn, leaf: Leaf, narrowed: Narrowed) -> int | None:
    """Return how many codes a leaf has, None where that takes long."""
    known = leaf.counts.get(narrowed, _plainly(leaf, narrowed))
    if known is not None or _by_place(leaf, narrowed):
        return await _count(conn, leaf, narrowed) if known is None else known
    return None if await _lead(conn, leaf, narrowed) == "order" else await _count(conn, leaf, narrowed)


async def _rows(conn: Conn, leaf: Leaf, narrowed: Narrowed, offset: int, count: int) -> list[Entry]:
    if _by_place(leaf, narrowed):
        return await _placed_rows(conn, leaf, offset, count)
    if leaf.listed is not None and not leaf.where and narrowed == ALL:
        sql = Sql()
        rows = leaf.source(sql, "x", part=slice(offset, offset + count))
        found = await run(conn, f"SELECT {_SHOWN} FROM {rows} ORDER BY x.ord", sql.args)
        return [Entry(leaf, *row) for row in found]
    late = leaf.placed is not None and offset >= LATE
    lead: Lead = "places" if late else await _lead(conn, leaf, narrowed)
    sql = Sql()
    text = (
        f"SELECT {_SHOWN} FROM {_chosen(leaf, narrowed, sql, lead)}"
        f" ORDER BY x.ord LIMIT {sql.big(count)} OFFSET {sql.big(offset)}"
    )
    return [Entry(leaf, *row) for row in await run(conn, text, sql.args)]


async def _lead(conn: Conn, leaf: Leaf, narrowed: Narrowed) -> Lead:
    """Return where a list begins: from few places, from few codes with the words, else from all codes in order."""
    if leaf.listed is not None or leaf.system is None:
        return "words"
    if leaf.placed is not None and leaf.few is None:
        sql = Sql()
        leaf.few = await _few(conn, leaf.placed.places(sql), sql)
    if leaf.few:
        return "places"
    if not narrowed.text.strip():
        return "order"
    sql = Sql()
    found = " AND ".join(Narrowed(narrowed.text).conditions(sql, "c"))
    rare = await _few(
        conn, f"SELECT c.n FROM concept c WHERE c.system = {sql.big(leaf.number)} AND {found}", sql
    )
    return "words" if rare else "order"


async def _few(conn: Conn, rows: str, sql: Sql) -> bool:
    text = f"SELECT count(*) FROM (SELECT FROM ({rows}) r LIMIT {sql.big(FEW + 1)}) p"
    ((count,),) = await run(conn, text, sql.args)
    return int(count) <= FEW


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


def _chosen(leaf: Leaf, narrowed: Narrowed, sql: Sql, lead: Lead) -> str:
    """Return the rows `x` of a leaf that are wanted; only what leads may use an index of its own."""
    if lead == "places":
        source, found = leaf.listing(sql, "x")
    else:
        source, found = leaf.source(sql, "x"), leaf.conditions(sql, "x")
    others = narrowed.conditions(sql, "x")
    found += others if lead == "words" else [f"({one}) IS TRUE" for one in others]
    return source + (f" WHERE {' AND '.join(found)}" if found else "")
