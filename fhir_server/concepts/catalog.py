"""Which code system, value set or concept map a canonical means, and its concepts in the tables.

A CodeSystem resource is imported when it is first asked for in its current version; so are R4's own. A resource whose
concepts were loaded from files (`content` not-present) stands for what was loaded under its url and version.
Source: http://hl7.org/fhir/R4/references.html#canonical
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from fhir_server.concepts import load, memory
from fhir_server.concepts.model import Conn, Json, System
from fhir_server.concepts.preference import natural, rank
from fhir_server.concepts.stored import LARGE, by_canonical
from fhir_server.search import plan
from fhir_server.search.hashing import token
from fhir_server.search.params import uri
from fhir_server.search.params.token import CODE
from fhir_server.search.registry import registry
from fhir_server.search.run import COLUMNS, run
from fhir_server.search.sql import Sql, all_of
from fhir_server.storage.rows import Row, type_number
from resources.codec.json import parse_json
from resources.definitions.vocabulary import published
from resources.outcome import FhirError
from terminology.known import known
from terminology.records import DeclaredProperty
from terminology.resources import header, records

SYSTEM = "s.id, s.url, s.version, s.name, s.content, s.cased, s.meaning, s.concepts, s.properties"


class _Offer(NamedTuple):
    """A stored CodeSystem: its row without content, and what was imported of that version, if anything."""

    rid: int
    version: int
    updated: datetime
    url: str | None
    business: str | None
    status: str | None
    system: int | None


async def system(conn: Conn, url: str, version: str = "") -> System | None:
    """Return a code system of a url, its concepts in the tables; with an empty version the preferred one.

    Shape:  None where it is not known here, or known without any concept (`content` not-present, nothing loaded)
    """
    return await memory.asked(("system", (url, version)), lambda: _system_of(conn, url, version))


async def _system_of(conn: Conn, url: str, version: str) -> System | None:
    offers = await _offers(conn, url)
    for one in [offer for offer in offers if offer.system is None]:
        offers[offers.index(one)] = await _import(conn, one)
    fitting = [one for one in offers if one.url == url and version in ("", one.business)]
    best = max(fitting, key=_rank, default=None)
    if best is not None:
        found = await by_id(conn, best.system or 0)
        if found is None or found.content != "not-present":
            return found
        version = found.version
    loaded = await _loaded(conn, url, version)
    if loaded is None and best is None and not version.startswith("*"):
        loaded = await _published(conn, url, version)
    return loaded


def _rank(offer: _Offer) -> tuple[Any, ...]:
    return rank(offer.status or "", offer.business or "", offer.updated, offer.rid)


async def _offers(conn: Conn, url: str) -> list[_Offer]:
    """Return the stored CodeSystems that may have a url, and all supplements."""
    sql = Sql()
    params = registry("CodeSystem").params
    supplement = token(params["content-mode"].id, CODE, "=supplement")
    hashes = [*uri.hashes(params["url"], url), supplement]
    chosen = [f"r.tokens && {sql.bigs(hashes)}", f"r.type = {type_number('CodeSystem')}", plan.LIVE]
    seen = plan.known("CodeSystem", "r")
    rows = await run(
        conn,
        "SELECT r.rid, r.version, r.updated, s.url, s.version, s.status, s.id FROM resource r"
        " LEFT JOIN code_system s ON s.rid = r.rid AND s.rversion = r.version AND s.ready"
        f" AND s.origin = 'resource' WHERE {all_of([*chosen, seen] if seen else chosen)}",
        sql.args,
    )
    return [_Offer(*row) for row in rows]


async def _import(conn: Conn, offer: _Offer) -> _Offer:
    """Return an offer after its concepts have been brought into the tables; who comes second waits and finds them."""
    async with conn.transaction():
        await _lock(conn, offer.rid % 2**31)
        row = await _content(conn, offer.rid)
        if row is None:
            return offer
        cursor = await conn.execute(
            "SELECT id, url, version, status FROM code_system"
            " WHERE rid = %s AND rversion = %s AND ready AND origin = 'resource'",
            (row.rid, row.version),
        )
        found = await cursor.fetchone()
        if found is not None:
            id_, url, version, status = found
        else:
            json = await _parsed(row)
            url, version, status = (json.get(name, "") for name in ("url", "version", "status"))
            id_ = await _fill(conn, json, "resource", (row.rid, row.version))
    return _Offer(row.rid, row.version, row.updated, url, version, status, id_)


_LOCK = 0x4842_4353
"""The first key of advisory locks on imports: 'HBCS'."""
PATIENCE = 50
"""How many times who comes second looks, a tenth of a second apart, whether an import is done."""


async def _lock(conn: Conn, key: int) -> None:
    """Take the lock of an import; raises FhirError 503 where another request is long at it."""
    for _ in range(PATIENCE):
        cursor = await conn.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", (_LOCK, key))
        if await cursor.fetchone() == (True,):
            return
        await asyncio.sleep(0.1)
    text = "The code system is large and just being brought into the tables for its first use; try again soon"
    raise FhirError(503, "transient", text, headers={"Retry-After": "10"})


async def _content(conn: Conn, rid: int) -> Row | None:
    sql = Sql()
    rows = await run(
        conn, f"SELECT {COLUMNS} FROM resource r WHERE r.rid = {sql.big(rid)} AND r.live", sql.args
    )
    return Row(*rows[0]) if rows else None


async def _parsed(row: Row) -> Json:
    large = len(row.tail or b"") > LARGE
    json: Json = await asyncio.to_thread(parse_json, row.json()) if large else parse_json(row.json())
    return json


async def _fill(conn: Conn, json: Json, origin: str, source: tuple[int, int] | None) -> int:
    told = msgspec.structs.replace(header(json), resource=json)
    return await load.load(conn, told, records(json), origin=origin, source=source)


async def _loaded(conn: Conn, url: str, version: str) -> System | None:
    """Return what loaders have brought of a url: of several versions the greatest."""
    found = await _systems(
        conn,
        "s.url = %s AND s.origin <> 'resource' AND (%s = '' OR s.version = %s)",
        (url, version, version),
    )
    return max(found, key=lambda one: natural(one.version), default=None)


async def _published(conn: Conn, url: str, version: str) -> System | None:
    """Return one of R4's own code systems, or of ISO's that it names, brought into the tables."""
    json = published("CodeSystem", url, version) or known(url, version)
    if json is None or json.get("content") == "not-present":
        return None
    async with conn.transaction():
        await conn.execute("SELECT pg_advisory_xact_lock(%s, hashtext(%s))", (_LOCK, url))
        found = await _loaded(conn, url, version)
        if found is None:
            found = await by_id(conn, await _fill(conn, json, "published", None))
    return found


async def by_id(conn: Conn, id_: int) -> System | None:
    """Return a code system by its number in the tables, with what supplements it."""
    found = await _systems(conn, "s.id = %s", (id_,))
    return found[0] if found else None


async def _systems(conn: Conn, condition: str, args: Sequence[object]) -> list[System]:
    cursor = await conn.execute(
        f"SELECT {SYSTEM}, ARRAY(SELECT p.id FROM code_system p WHERE p.supplements <> '' AND p.ready"
        " AND p.replaced IS NULL AND p.supplements IN (s.url, s.url || '|' || s.version))"
        f" FROM code_system s WHERE s.ready AND s.replaced IS NULL AND {condition}",
        args,
    )
    return [_system(row) for row in await cursor.fetchall()]


def _system(row: Sequence[Any]) -> System:
    id_, url, version, name, content, cased, meaning, count, properties, supplements = row
    declared = tuple(msgspec.convert(properties, list[DeclaredProperty]))
    return System(id_, url, version, name, content, cased, meaning, count, declared, tuple(supplements))


async def valueset(conn: Conn, canonical: str) -> Json | None:
    """Return the ValueSet of a canonical: stored here, else R4's own."""
    return await memory.asked(("valueset", canonical), lambda: _resource(conn, "ValueSet", canonical))


async def conceptmap(conn: Conn, canonical: str) -> Json | None:
    """Return the ConceptMap of a canonical: stored here, else R4's own."""
    return await _resource(conn, "ConceptMap", canonical)


async def _resource(conn: Conn, kind: str, canonical: str) -> Json | None:
    stored = await by_canonical(conn, kind, [canonical])
    url, _, version = canonical.partition("|")
    return stored.get(canonical) or published(kind, url, version)
