"""Stored SearchParameters as rows: which there are, and which of them every resource is indexed by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from psycopg import AsyncConnection

from fhir_server.storage.binary import Int4s, Int8s
from fhir_server.storage.rows import head, type_number

Found = tuple[int, int, str, bytes | None]
"""Row number, version, id and JSON; None where that version is known."""

_ACTIVE = """
SELECT e.value, r.rid, r.version, r.id, r.updated, CASE WHEN k.rid IS NULL THEN r.tail END
FROM epoch e LEFT JOIN (resource r LEFT JOIN unnest(%s, %s) AS k(rid, version) USING (rid, version))
ON r.type = %s AND r.tail IS NOT NULL WHERE e.name = 'search' ORDER BY r.rid
"""


async def active(conn: AsyncConnection[Any], known: Mapping[int, int]) -> tuple[int, list[Found]]:
    """Return the epoch of search and its SearchParameters, oldest first; `known` are versions by row number."""
    number = type_number("SearchParameter")
    arguments = Int8s(list(known)), Int4s(list(known.values())), number
    rows = await (await conn.execute(_ACTIVE, arguments, binary=True)).fetchall()
    found = [
        (rid, version, id_, head(number, id_, version, updated) + tail if tail is not None else None)
        for _, rid, version, id_, updated, tail in rows
        if rid is not None
    ]
    return (rows[0][0] if rows else 0), found


async def progress(conn: AsyncConnection[Any]) -> tuple[set[int], dict[int, int]]:
    """Return the parameters that are indexed, and the percentage of those that a job is at."""
    cursor = await conn.execute(
        "SELECT param, 100, true FROM custom_param WHERE ready UNION ALL"
        " SELECT unnest(params), CASE WHEN total > 0 THEN LEAST(99, done * 100 / total)::int ELSE 0 END, false"
        " FROM reindex_job WHERE state IN ('queued', 'running')"
    )
    rows = await cursor.fetchall()
    return {param for param, _, ready in rows if ready}, {
        param: percent for param, percent, ready in rows if not ready
    }


_UPGRADE = """
SELECT CASE WHEN u.total > 0 THEN LEAST(99, u.done * 100 / u.total)::int ELSE 0 END FROM reindex_job u
WHERE u.why = 'upgrade' AND u.state <> 'done' AND NOT EXISTS (
    SELECT FROM reindex_job d WHERE d.state = 'done' AND d.types = '{}' AND d.created >= u.created)
LIMIT 1
"""


async def upgrading(conn: AsyncConnection[Any]) -> int | None:
    """Return the percentage of resources that have the rows of this version; None where all have.

    Shape:  the job of an upgrade counts until it, or one of all types that came later, is done
    """
    row = await (await conn.execute(_UPGRADE)).fetchone()
    return row[0] if row is not None else None
