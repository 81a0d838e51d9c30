"""Concepts into the tables: copied in batches, then their hierarchy; seen by readers whole or not at all.

A code system gets a new number each time. It counts once it is `ready`; what it replaces is swept some minutes later,
so that nobody who is just reading that finds it gone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import msgspec

from fhir_server.concepts.climb import climb
from fhir_server.concepts.model import Conn
from fhir_server.concepts.words import vector
from fhir_server.storage import epochs
from terminology.records import ConceptRecord, SystemHeader

BATCH = 2_000
LARGE = 20_000
"""Concepts from which on the tables are analysed."""
SWEPT_AFTER = "10 minutes"
TOO_DEEP = "too-deep"
"""The meaning of a hierarchy with too many ancestors to be followed: nothing is asked of it then."""

Progress = Callable[[int], None]
"""Told how many concepts are in."""

_COLUMNS = {
    "concept": "system, n, code, fold, display, definition, active, abstract, words",
    "concept_parent_code": "system, child, parent",
    "concept_property": "system, n, name, kind, value, value_system, value_display",
    "designation": "system, n, language, use_system, use_code, use_display, value",
}
TABLES = (*_COLUMNS, "concept_parent", "concept_ancestor")
"""Every table with rows of a code system."""


async def load(
    conn: Conn,
    header: SystemHeader,
    records: Iterable[ConceptRecord],
    *,
    origin: str = "loader",
    source: tuple[int, int] | None = None,
    progress: Progress | None = None,
) -> int:
    """Return the number of a code system after all of its concepts have been written, in one transaction.

    Shape:  `source` is (rid, version) of the resource that they come from
    """
    async with conn.transaction():
        await conn.execute("SET LOCAL statement_timeout = 0")
        system = await begin(conn, header, origin, source)
        await copy(conn, system, header.cased, records, progress=progress)
        await finish(conn, system)
        await publish(conn, system)
    return system


async def begin(conn: Conn, header: SystemHeader, origin: str, source: tuple[int, int] | None = None) -> int:
    """Return the number of a new code system, which is not ready yet."""
    rid, rversion = source or (None, None)
    cursor = await conn.execute(
        "INSERT INTO code_system (url, version, name, status, content, cased, meaning, supplements, valueset,"
        " properties, origin, rid, rversion) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) RETURNING id",
        (
            *(header.url, header.version, header.title or header.name, header.status, header.content),
            *(header.cased, header.meaning, header.resource.get("supplements", "")),
            header.resource.get("valueSet", ""),
            *(json.dumps(msgspec.to_builtins(header.properties)), origin, rid, rversion),
        ),
    )
    found = await cursor.fetchone()
    assert found is not None, "RETURNING returns"
    return int(found[0])


async def copy(
    conn: Conn,
    system: int,
    cased: bool,
    records: Iterable[ConceptRecord],
    *,
    start: int = 0,
    progress: Progress | None = None,
) -> int:
    """Write concepts from place `start` on and return the place after the last one."""
    place = start
    for batch in _batches(records):
        rows = _rows(system, cased, batch, place)
        for table, columns in _COLUMNS.items():
            if rows[table]:
                await _copy(conn, f"COPY {table} ({columns}) FROM STDIN", rows[table])
        place += len(batch)
        if progress is not None:
            progress(place)
    return place


async def _copy(conn: Conn, statement: str, rows: list[tuple[Any, ...]]) -> None:
    async with conn.cursor() as cursor, cursor.copy(statement) as sink:
        for row in rows:
            await sink.write_row(row)


def _batches(records: Iterable[ConceptRecord]) -> Iterator[list[ConceptRecord]]:
    stream = iter(records)
    while batch := list(islice(stream, BATCH)):
        yield batch


def _rows(system: int, cased: bool, batch: list[ConceptRecord], start: int) -> dict[str, list[Any]]:
    """Return the rows of a batch by table."""
    rows: dict[str, list[Any]] = {table: [] for table in _COLUMNS}
    for n, one in enumerate(batch, start):
        code = _clean(one.code)
        names = (code, one.display, *(other.value for other in one.designations))
        rows["concept"].append(
            (
                *(system, n, code, code if cased else code.casefold(), _clean(one.display)),
                *(_clean(one.definition), one.active, one.abstract, vector(names)),
            )
        )
        rows["concept_parent_code"] += [
            (system, n, _clean(parent if cased else parent.casefold())) for parent in one.parents
        ]
        rows["concept_property"] += [
            (system, n, p.name, p.kind, _clean(p.value), p.system, _clean(p.display)) for p in one.properties
        ]
        rows["designation"] += [
            (system, n, d.language, *(d.use or ("", "", "")), _clean(d.value)) for d in one.designations
        ]
    return rows


def _clean(text: str) -> str:
    """Return `text` without the one character that PostgreSQL cannot store."""
    return text.replace("\0", "") if "\0" in text else text


async def finish(conn: Conn, system: int) -> None:
    """Turn the parents' codes into a hierarchy, follow it to the top, and count.

    A concept that is its own ancestor is told in `code_system.problem`.
    """
    await conn.execute(
        "INSERT INTO concept_parent (system, child, parent) SELECT DISTINCT p.system, p.child, c.n"
        " FROM concept_parent_code p JOIN concept c ON c.system = p.system AND c.fold = p.parent"
        " WHERE p.system = %s ON CONFLICT DO NOTHING",
        (system,),
    )
    await conn.execute("DELETE FROM concept_parent_code WHERE system = %s", (system,))
    cursor = await conn.execute("SELECT count(*) FROM concept WHERE system = %s", (system,))
    ((count,),) = await cursor.fetchall()
    if count > LARGE:
        await conn.execute("ANALYZE concept, concept_parent, concept_property, designation")
    climbed = await climb(conn, system, count)
    if not climbed.whole:
        await conn.execute("UPDATE code_system SET meaning = %s WHERE id = %s", (TOO_DEEP, system))
    await conn.execute(
        "UPDATE code_system SET concepts = %s, problem = (SELECT 'circles in the hierarchy: '"
        " || string_agg(code, ', ') FROM (SELECT code FROM concept WHERE system = %s AND n = ANY(%s) LIMIT 20) c)"
        " WHERE id = %s",
        (count, system, climbed.circles, system),
    )
    if count > LARGE:
        await conn.execute("ANALYZE concept_ancestor")


async def publish(conn: Conn, system: int) -> None:
    """Let a code system count, in place of older imports of the same.

    Answers change by that only where a loader brought it, since a resource's own write has ended the epoch.
    """
    await conn.execute(
        "UPDATE code_system o SET replaced = clock_timestamp() FROM code_system n"
        " WHERE n.id = %s AND o.id <> n.id AND o.replaced IS NULL AND o.origin = n.origin AND o.ready"
        " AND CASE WHEN n.rid IS NULL THEN (o.url, o.version) = (n.url, n.version) ELSE o.rid = n.rid END",
        (system,),
    )
    cursor = await conn.execute(
        "UPDATE code_system SET ready = true WHERE id = %s RETURNING origin = 'loader'", (system,)
    )
    loaded = await cursor.fetchone() == (True,)
    if loaded:
        await epochs.end(conn, {"terminology"}, ())
    await sweep(conn, None if loaded else LARGE)


async def sweep(conn: Conn, most: int | None = None) -> None:
    """Remove what was replaced long enough ago.

    Shape:  `most`: only code systems with so many concepts; what is larger is left to loads, which nobody waits for
    """
    cursor = await conn.execute(
        f"SELECT id FROM code_system WHERE replaced < clock_timestamp() - interval '{SWEPT_AFTER}'"
        " AND concepts <= coalesce(%s, concepts) FOR UPDATE SKIP LOCKED",
        (most,),
    )
    gone = [id_ for (id_,) in await cursor.fetchall()]
    if gone:
        await remove(conn, gone)


async def remove(conn: Conn, systems: list[int]) -> None:
    """Remove code systems with all their concepts."""
    for table in TABLES:
        await conn.execute(f"DELETE FROM {table} WHERE system = ANY(%s)", (systems,))
    await conn.execute("DELETE FROM code_system WHERE id = ANY(%s)", (systems,))
