"""The guides and profiles that are stored here, as the CapabilityStatement names them."""

from __future__ import annotations

from typing import Any, NamedTuple

from psycopg import AsyncConnection

from fhir_server.conformance.kept import Kept, kept
from fhir_server.exchange import Session
from fhir_server.search import plan
from fhir_server.search.stored import document
from fhir_server.storage.rows import type_number

GUIDE, PROFILE = "ImplementationGuide", "StructureDefinition"


class Listed(NamedTuple):
    """What is stored.

    Shape:  `guides` are canonicals with their versions; `profiles` (resource type, canonicals) of constraints, in order
    """

    guides: tuple[str, ...] = ()
    profiles: tuple[tuple[str, tuple[str, ...]], ...] = ()


async def listed(session: Session) -> Listed:
    """Return what is stored; read anew only where that has changed."""
    known = await kept(session)
    found = known.lists.get("", None)
    if found is None:
        async with session.connection() as conn:
            found = await _read(conn)
        _keep(known, found)
    return Listed(*found)


def _keep(known: Kept, found: Listed) -> None:
    known.lists.put("", tuple(found))


async def _read(conn: AsyncConnection[Any]) -> Listed:
    guides = await _canonicals(conn, GUIDE, "", "TRUE")
    constraint = "d.json ->> 'derivation' = 'constraint' AND d.json ->> 'kind' = 'resource'"
    rows = await _canonicals(conn, PROFILE, '"derivation":"constraint"', constraint)
    profiles: dict[str, list[str]] = {}
    for url, _, name in rows:
        profiles.setdefault(name, []).append(url)
    return Listed(
        tuple(dict.fromkeys(f"{url}|{version}" if version else url for url, version, _ in guides)),
        tuple((name, tuple(dict.fromkeys(urls))) for name, urls in sorted(profiles.items())),
    )


async def _canonicals(
    conn: AsyncConnection[Any], type_name: str, text: str, condition: str
) -> list[tuple[str, str, str]]:
    """Return (url, version, type) of the stored resources of a type whose JSON has a text and meets a condition."""
    seen = plan.known(type_name, "r")
    cursor = await conn.execute(
        "SELECT d.json ->> 'url', COALESCE(d.json ->> 'version', ''), COALESCE(d.json ->> 'type', '')"
        f" FROM (SELECT {document('r')} AS json FROM resource r WHERE r.type = %s AND r.live"
        f"{' AND ' + seen if seen else ''} AND position(%s::bytea in r.tail) > 0 OFFSET 0) d"
        f" WHERE {condition} AND d.json ? 'url' AND COALESCE(d.json ->> 'status', '') <> 'retired' ORDER BY 1, 2",
        (type_number(type_name), text.encode()),
        binary=True,
    )
    return await cursor.fetchall()
