"""Concept maps in the tables: found by canonical or by the code systems they are between, asked one code at a time.

A ConceptMap is brought into the tables when it is asked for the first time, in the version that is stored; large ones
are never parsed again after that. What replaces an older import leaves it for some minutes to whoever reads it.
Source: http://hl7.org/fhir/R4/conceptmap.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

from fhir_server.concepts.model import Conn, Json
from fhir_server.concepts.preference import rank
from fhir_server.search import plan
from fhir_server.search.params import uri
from fhir_server.search.registry import registry
from fhir_server.search.run import run
from fhir_server.search.sql import Sql, all_of
from fhir_server.storage import read
from fhir_server.storage.locks import hold
from fhir_server.storage.rows import POST, Row, type_number
from resources.codec.json import dump_json, parse_json
from resources.definitions.vocabulary import published, published_urls

MOST_MAPS = 50
"""The most concept maps that are asked where none is named."""
SWEPT_AFTER = "10 minutes"


class Mapped(NamedTuple):
    """What one group of a map says of one code: `element` (code, display), and one `target` or None."""

    part: int
    element: Json
    target: Json | None


@dataclass(frozen=True, slots=True)
class ConceptMap:
    """A concept map.

    Shape:  `header` is the resource, its groups without elements; `id` its number in the tables, 0 for one that is not
            there and holds `rows`
    """

    header: Json
    id: int = 0
    rows: tuple[Mapped, ...] = ()

    @property
    def called(self) -> str:
        """Its canonical, else its id."""
        url, version = self.header.get("url", ""), self.header.get("version", "")
        return (url + (f"|{version}" if version else "")) or f"ConceptMap/{self.header.get('id', '?')}"

    @property
    def groups(self) -> list[Json]:
        """Its groups, without elements."""
        held: list[Json] = self.header.get("group", [])
        return held

    def between(self, side: str) -> str:
        """Return the value set that it maps from (`source`) or to (`target`), empty where it names none."""
        said = self.header.get(f"{side}Canonical") or self.header.get(f"{side}Uri") or ""
        return str(said)


async def mappings(conn: Conn, known: ConceptMap, code: str, *, reverse: bool = False) -> list[Mapped]:
    """Return what a map says of a code, as its source or (`reverse`) its target; in the order of the map."""
    if not known.id:
        return [one for one in known.rows if code == (_target(one) if reverse else one.element.get("code"))]
    cursor = await conn.execute(
        "SELECT part, element FROM concept_mapping"
        f" WHERE map = %s AND {'target' if reverse else 'code'} = %s ORDER BY n",
        (known.id, code),
    )
    return [Mapped(part, one["element"], one.get("target")) for part, one in await cursor.fetchall()]


def _target(one: Mapped) -> str | None:
    return one.target.get("code") if one.target else None


def given(resource: Json) -> ConceptMap:
    """Return a map that came with a request; it is not kept."""
    return ConceptMap(_header(resource), rows=tuple(_mapped(resource)))


async def by_canonical(conn: Conn, canonical: str) -> ConceptMap | None:
    """Return the map of a url (or url|version): a stored one, else R4's own; None where there is none."""
    url, _, version = canonical.partition("|")
    stored = [
        (known, row)
        for known, row in await _stored(conn, "url", url)
        if known.header.get("url") == url and version in ("", known.header.get("version", ""))
    ]
    if stored:
        return max(stored, key=_preferred)[0]
    return await _published(conn, url, version)


def _preferred(one: tuple[ConceptMap, Row]) -> tuple[Any, ...]:
    header, row = one[0].header, one[1]
    return rank(header.get("status", ""), header.get("version", ""), row.updated, row.rid)


async def by_id(conn: Conn, id_: str) -> ConceptMap | None:
    """Return the stored map of an id, None where it is not there."""
    found = await _found(conn, lambda sql: f"r.id = {sql.text(id_)}")
    return found[0][0] if found else None


async def between(conn: Conn, source: str, target: str) -> list[ConceptMap]:
    """Return the maps with a group from one code system to another; empty `target`: to any.

    Shape:  stored ones before R4's own, those that are not retired; at most MOST_MAPS
    """
    side, url = ("source-system", source) if source else ("target-system", target)
    found = [known for known, _ in await _stored(conn, side, url)]
    stored = {known.header.get("url") for known in found}
    own = [
        await _published(conn, one, "")
        for one, pairs in _published_pairs().items()
        if one not in stored and any(_fits(pair, source, target) for pair in pairs)
    ]
    fitting = [
        known
        for known in (*found, *own)
        if known is not None
        and known.header.get("status") != "retired"
        and any(_fits((g.get("source", ""), g.get("target", "")), source, target) for g in known.groups)
    ]
    return fitting[:MOST_MAPS]


def _fits(pair: tuple[str, str], source: str, target: str) -> bool:
    return source in ("", pair[0]) and target in ("", pair[1])


@cache
def _published_pairs() -> dict[str, frozenset[tuple[str, str]]]:
    """Return {url: (source, target) of its groups} of R4's own concept maps."""
    found = ((url, published("ConceptMap", url) or {}) for url in published_urls("ConceptMap"))
    return {
        url: frozenset((g.get("source", ""), g.get("target", "")) for g in one.get("group", ()))
        for url, one in found
    }


async def _stored(conn: Conn, param: str, url: str) -> list[tuple[ConceptMap, Row]]:
    hashes = uri.hashes(registry("ConceptMap").params[param], url)
    return await _found(conn, lambda sql: f"r.tokens && {sql.bigs(hashes)}")


async def _found(conn: Conn, condition: Any) -> list[tuple[ConceptMap, Row]]:
    """Return the stored maps that meet a condition, brought into the tables where they are not there yet."""
    sql = Sql()
    seen = plan.known("ConceptMap", "r")
    chosen = [condition(sql), f"r.type = {type_number('ConceptMap')}", plan.LIVE, *([seen] if seen else [])]
    text = (
        "SELECT r.rid, r.type, r.id, r.version, r.updated, m.id, m.header FROM resource r LEFT JOIN concept_map m"
        f" ON m.rid = r.rid AND m.rversion = r.version AND m.ready WHERE {all_of(chosen)} LIMIT {MOST_MAPS}"
    )
    found = []
    for rid, type_, id_, version, updated, number, header in await run(conn, text, sql.args):
        row: Row | None = Row(rid, type_, id_, version, updated, True, POST, None)
        known = ConceptMap(header, number) if number is not None else None
        if known is None:
            row = await read.current(conn, "ConceptMap", id_)
            if row is None or not row.live:
                continue
            known = await _import(conn, parse_json(row.json()), "resource", (row.rid, row.version))
        assert row is not None
        found.append((known, row))
    return found


async def _published(conn: Conn, url: str, version: str) -> ConceptMap | None:
    cursor = await conn.execute(
        "SELECT id, header FROM concept_map WHERE url = %s AND origin = 'published' AND ready", (url,)
    )
    row = await cursor.fetchone()
    if row is not None:
        fits = version in ("", row[1].get("version", ""))
        return ConceptMap(row[1], row[0]) if fits else None
    found = published("ConceptMap", url, version)
    return await _import(conn, found, "published", None) if found is not None else None


async def _import(conn: Conn, resource: Json, origin: str, source: tuple[int, int] | None) -> ConceptMap:
    """Return a map after it was brought into the tables, by us or by somebody who was faster."""
    rid, version = source or (None, None)
    header = _header(resource)
    async with conn.transaction():
        await conn.execute("SET LOCAL statement_timeout = 0")
        await hold(conn, [f"ConceptMap {rid or header.get('url')}"])
        cursor = await conn.execute(
            "SELECT id FROM concept_map WHERE ready AND origin = %s AND"
            " CASE WHEN %s::bigint IS NULL THEN url = %s ELSE rid = %s AND rversion = %s END",
            (origin, rid, header.get("url", ""), rid, version),
        )
        there = await cursor.fetchone()
        number = int(there[0]) if there is not None else await _write(conn, resource, header, origin, source)
    return ConceptMap(header, number)


async def _write(
    conn: Conn, resource: Json, header: Json, origin: str, source: tuple[int, int] | None
) -> int:
    rid, version = source or (None, None)
    cursor = await conn.execute(
        "INSERT INTO concept_map (url, version, header, origin, rid, rversion, ready)"
        " VALUES (%s, %s, %s, %s, %s, %s, true) RETURNING id",
        (
            *(header.get("url", ""), header.get("version", ""), dump_json(header).decode()),
            *(origin, rid, version),
        ),
    )
    found = await cursor.fetchone()
    assert found is not None, "RETURNING returns"
    number = int(found[0])
    statement = "COPY concept_mapping (map, n, part, code, target, element) FROM STDIN"
    async with conn.cursor() as copying, copying.copy(statement) as sink:
        for n, one in enumerate(_mapped(resource)):
            held = {"element": one.element} | ({"target": one.target} if one.target else {})
            await sink.write_row(
                (number, n, one.part, one.element["code"], _target(one), dump_json(held).decode())
            )
    await _replace(conn, number, rid)
    return number


async def _replace(conn: Conn, number: int, rid: int | None) -> None:
    """Mark older imports of the same resource, and remove what was marked long enough ago."""
    await conn.execute(
        "UPDATE concept_map SET replaced = clock_timestamp() WHERE rid = %s AND id <> %s AND replaced IS NULL",
        (rid, number),
    )
    gone = await conn.execute(
        f"DELETE FROM concept_map WHERE replaced < clock_timestamp() - interval '{SWEPT_AFTER}' RETURNING id"
    )
    old = [id_ for (id_,) in await gone.fetchall()]
    if old:
        await conn.execute("DELETE FROM concept_mapping WHERE map = ANY(%s)", (old,))


def _header(resource: Json) -> Json:
    """Return a resource without narrative and elements."""
    groups = [
        {name: child for name, child in group.items() if name != "element"}
        for group in resource.get("group", ())
    ]
    kept = {name: child for name, child in resource.items() if name not in ("group", "text", "contained")}
    return kept | {"group": groups}


def _mapped(resource: Json) -> Iterator[Mapped]:
    """Yield what a map says of each code: a row for each target, one without where there is none."""
    groups: Sequence[Json] = resource.get("group", ())
    for part, group in enumerate(groups):
        for element in group.get("element", ()):
            if "code" not in element:
                continue
            said = {name: element[name] for name in ("code", "display") if name in element}
            for target in element.get("target") or (None,):
                yield Mapped(part, said, target)
