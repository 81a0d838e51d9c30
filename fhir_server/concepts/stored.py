"""Stored resources by canonical, many at once: of several versions the one that searches take, too."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from psycopg import AsyncConnection

from fhir_server.concepts.preference import rank
from fhir_server.search import plan
from fhir_server.search.params import uri
from fhir_server.search.registry import registry
from fhir_server.search.run import COLUMNS, run
from fhir_server.search.sql import Sql, all_of
from fhir_server.storage.rows import Row, type_number
from resources.codec.json import parse_json

Json = dict[str, Any]

LARGE = 1_000_000
"""Bytes of JSON from which on a resource is read beside the event loop."""


async def by_canonical(
    conn: AsyncConnection[Any], type_name: str, canonicals: Iterable[str]
) -> dict[str, Json]:
    """Return the stored resources of a type by canonical (`url` or `url|version`); those not stored are left out."""
    wanted = {canonical: canonical.partition("|") for canonical in canonicals}
    if not wanted:
        return {}
    found = await _rows(conn, type_name, {url for url, _, _ in wanted.values()})
    return {
        canonical: best
        for canonical, (url, _, version) in wanted.items()
        if (best := _best(found, url, version)) is not None
    }


async def _rows(conn: AsyncConnection[Any], type_name: str, urls: set[str]) -> list[tuple[Json, Row]]:
    param = registry(type_name).params["url"]
    sql = Sql()
    hashes = [found for url in sorted(urls) for found in uri.hashes(param, url)]
    chosen = [f"r.tokens && {sql.bigs(hashes)}", f"r.type = {type_number(type_name)}", plan.LIVE]
    seen = plan.known(type_name, "r")
    text = f"SELECT {COLUMNS} FROM resource r WHERE {all_of([*chosen, seen] if seen else chosen)}"
    rows = [Row(*row) for row in await run(conn, text, sql.args)]
    if sum(len(row.tail or b"") for row in rows) > LARGE:
        return await asyncio.to_thread(_parsed, rows)
    return _parsed(rows)


def _parsed(rows: Sequence[Row]) -> list[tuple[Json, Row]]:
    return [(parse_json(row.json()), row) for row in rows]


def _best(found: Sequence[tuple[Json, Row]], url: str, version: str) -> Json | None:
    fitting = [
        (rank(json.get("status", ""), json.get("version", ""), row.updated, row.rid), json)
        for json, row in found
        if json.get("url") == url and version in ("", json.get("version", ""))
    ]
    return max(fitting, key=lambda one: one[0])[1] if fitting else None
