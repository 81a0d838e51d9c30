"""Which code systems are here, without reading any of them."""

from __future__ import annotations

from typing import NamedTuple

from fhir_server.concepts.model import Conn
from fhir_server.search import plan
from fhir_server.search.registry import registry
from fhir_server.storage.binary import Int4s
from fhir_server.storage.rows import type_number


class Held(NamedTuple):
    """A code system whose concepts are in the tables."""

    url: str
    version: str
    properties: tuple[str, ...]


async def systems(conn: Conn) -> list[Held]:
    """Return the code systems whose concepts are in the tables, by url and version; supplements are left out."""
    cursor = await conn.execute(
        "SELECT url, version, ARRAY(SELECT p ->> 'code' FROM jsonb_array_elements(properties) p) FROM code_system s"
        " WHERE ready AND replaced IS NULL AND supplements = '' AND content <> 'not-present' AND url <> ''"
        f" AND {_still_stored()} ORDER BY url, version"
    )
    return [Held(url, version, tuple(names)) for url, version, names in await cursor.fetchall()]


def _still_stored() -> str:
    """Return the condition that an import's resource is there in that version, and may be seen; `s` is the import."""
    seen = plan.known("CodeSystem", "r")
    there = (
        "SELECT FROM resource r WHERE r.rid = s.rid AND r.version = s.rversion AND r.live"
        f"{' AND ' + seen if seen else ''}"
    )
    return f"(s.rid IS NULL OR EXISTS ({there}))"


async def with_hierarchy(conn: Conn) -> frozenset[str]:
    """Return the urls of code systems in the tables whose codes subsume one another."""
    cursor = await conn.execute(
        "SELECT DISTINCT url FROM code_system s WHERE ready AND replaced IS NULL AND meaning = 'is-a'"
        " AND EXISTS (SELECT FROM concept_parent p WHERE p.system = s.id)"
    )
    return frozenset(url for (url,) in await cursor.fetchall())


async def stored_urls(conn: Conn) -> list[str]:
    """Return the urls of stored CodeSystems, as far as they are web addresses."""
    params = Int4s([part.id for part in registry("CodeSystem").params["url"].parts])
    seen = plan.known("CodeSystem", "r")
    cursor = await conn.execute(
        "SELECT DISTINCT l.norm FROM label l WHERE l.param = ANY(%s) AND EXISTS (SELECT FROM resource r"
        f" WHERE r.tokens @> ARRAY[l.h] AND r.type = {type_number('CodeSystem')} AND {plan.LIVE}"
        f"{' AND ' + seen if seen else ''}) ORDER BY 1",
        (params,),
    )
    return [url for (url,) in await cursor.fetchall()]
