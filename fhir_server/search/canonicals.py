"""Canonical references between resources that are stored here, which no edge holds: followed by url and version.

A canonical without a version means the latest one that is here; a resource is meant by canonicals with its version
and by those without any, if it is the latest.

Source: http://hl7.org/fhir/R4/references.html#canonical
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg import AsyncConnection

from fhir_server.search import plan
from fhir_server.search.hashing import token
from fhir_server.search.param import Param
from fhir_server.search.params.uri import FULL
from fhir_server.search.query import Include
from fhir_server.search.registry import registry
from fhir_server.search.run import COLUMNS, run
from fhir_server.search.sql import Sql
from fhir_server.storage.rows import Row
from resources import fhirpath
from resources.codec.json import parse_json
from resources.definitions import definitions

_ADDRESSES = frozenset({"canonical", "uri"})


@dataclass(frozen=True, slots=True)
class Named:
    """A stored resource that canonicals can name."""

    row: Row
    url: str
    version: str

    @property
    def age(self) -> tuple[tuple[tuple[int, int, str], ...], Any]:
        """What orders versions: their numbers as numbers, then the time of writing."""
        pieces = re.findall(r"\d+|[^\d.]+", self.version)
        return tuple((1, int(p), "") if p.isdigit() else (0, 0, p) for p in pieces), self.row.updated


async def neighbours(
    conn: AsyncConnection[Any], includes: Sequence[Include], rows: Sequence[Row]
) -> list[int]:
    """Return the numbers of the rows to which canonicals of `rows` lead, or from which they lead here."""
    types = {row.type_name for row in rows}
    forth = [(param, one) for one in includes if not one.reverse for param in _by_address(one, types)]
    back = [(param, one) for one in includes if one.reverse for param in _by_address(one, None)]
    found: list[int] = []
    if forth:
        found += await _named(conn, forth, rows)
    if back and any("url" in registry(name).params for name in types):
        found += await _naming(conn, back, rows)
    return found


def _by_address(one: Include, types: Iterable[str] | None) -> list[Param]:
    return [
        param
        for param in one.params
        if (types is None or param.type in types)
        and any(_ADDRESSES & set(path.types) for path in param.paths)
        and (not one.target or "url" in registry(one.target).params)
    ]


async def _named(
    conn: AsyncConnection[Any], forth: Sequence[tuple[Param, Include]], rows: Sequence[Row]
) -> list[int]:
    """Return the rows that canonicals in `rows` name."""
    wanted: dict[str, set[str]] = {}
    for row in rows:
        params = [(param, one) for param, one in forth if param.type == row.type_name]
        resource = parse_json(row.json()) if params else None
        for param, one in params:
            targets = {one.target} if one.target else _targets(param)
            for address in _addresses(param, resource):
                for target in targets:
                    wanted.setdefault(target, set()).add(address.partition("#")[0])
    known = await _stored(conn, {t: {a.partition("|")[0] for a in listed} for t, listed in wanted.items()})
    return [
        meant.row.rid
        for address, target in {(a, t) for t, listed in wanted.items() for a in listed}
        if (meant := _meant(address, [k for k in known if k.row.type_name == target])) is not None
    ]


def _targets(param: Param) -> set[str]:
    named = param.targets or tuple(definitions().resource_types)
    return {name for name in named if "url" in registry(name).params}


def _addresses(param: Param, resource: Any) -> list[str]:
    values = fhirpath.compile(param.expression).evaluate(resource)
    return [value for value in values if isinstance(value, str)]


def _meant(address: str, known: Sequence[Named]) -> Named | None:
    """Return the resource that a canonical names: that version of it, or the latest."""
    url, _, version = address.partition("|")
    fitting = [one for one in known if one.url == url and version in ("", one.version)]
    return max(fitting, key=lambda one: one.age, default=None)


async def _stored(conn: AsyncConnection[Any], urls: dict[str, set[str]]) -> list[Named]:
    """Return the resources {type: urls} that are here, in every version."""
    places = {name: [part.id for part in registry(name).params["url"].parts] for name in urls}
    hashes = [
        token(id_, FULL, url) for name, listed in urls.items() for url in listed for id_ in places[name]
    ]
    if not hashes:
        return []
    sql = Sql()
    seen = plan.visible("", "r", sql)
    text = (
        f"SELECT {COLUMNS} FROM resource r WHERE r.tokens && {sql.bigs(hashes)} AND {plan.LIVE}"
        f"{' AND ' + seen if seen else ''} ORDER BY r.rid + 0"
    )
    return [_name(Row(*found)) for found in await run(conn, text, sql.args)]


def _name(row: Row) -> Named:
    resource = parse_json(row.json())
    return Named(row, str(resource.get("url", "")), str(resource.get("version", "")))


async def _naming(
    conn: AsyncConnection[Any], back: Sequence[tuple[Param, Include]], rows: Sequence[Row]
) -> list[int]:
    """Return the rows whose canonicals name one of `rows`."""
    own = [_name(row) for row in rows if "url" in registry(row.type_name).params]
    known = await _stored(conn, _urls(own))
    hashes: list[int] = []
    for one in own:
        siblings = [k for k in known if k.row.type == one.row.type and k.url == one.url]
        latest = max(siblings, key=lambda k: k.age, default=one)
        written = [f"{one.url}|{one.version}"] if one.version else []
        written += [one.url] if latest.row.rid == one.row.rid else []
        for param, include in back:
            if include.target in ("", one.row.type_name) and one.row.type_name in _targets(param):
                hashes += [token(part.id, FULL, text) for part in param.parts for text in written]
    if not hashes:
        return []
    sql = Sql()
    text = f"SELECT r.rid FROM resource r WHERE r.tokens && {sql.bigs(hashes)} AND {plan.LIVE}"
    return [found[0] for found in await run(conn, text, sql.args)]


def _urls(own: Iterable[Named]) -> dict[str, set[str]]:
    urls: dict[str, set[str]] = {}
    for one in own:
        if one.url:
            urls.setdefault(one.row.type_name, set()).add(one.url)
    return urls
