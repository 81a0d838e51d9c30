"""Epochs: states of what the whole server reads by, which processes keep in memory.

`search` is the state of the search parameters, `terminology` that of code systems, value sets and concept maps,
`conformance` that of profiles, Questionnaires and guides, `policy` that of who may see what. A write that changes one
ends the epoch, in its own statement. Rows are indexed under an epoch of search, and their statement writes nothing once
that has ended: a snapshot that does not see the end began before it, and reindexing waits for such transactions.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from psycopg import AsyncConnection

from fhir_server.storage.binary import Int8s, Texts
from fhir_server.storage.rows import type_name

SEVERAL = 0
"""The source of a parameter that is made of several SearchParameters: every write of one may change it."""

_ENDED_BY = {
    "SearchParameter": ("search", "policy"),
    "ValueSet": ("terminology",),
    "CodeSystem": ("terminology", "policy"),
    "ConceptMap": ("terminology",),
    "StructureDefinition": ("conformance",),
    "Questionnaire": ("conformance",),
    "ImplementationGuide": ("conformance",),
    "Consent": ("policy",),
    "RelatedPerson": ("policy",),
    "CareTeam": ("policy",),
    "PractitionerRole": ("policy",),
}


def ended_by(type_: int) -> tuple[str, ...]:
    """Return the epochs that a write of a resource of a type (its number) ends."""
    return _ENDED_BY.get(type_name(type_), ())


_END = """INSERT INTO epoch AS e (name, value) SELECT x.name, 1 FROM unnest(%s) AS x(name) {}
ON CONFLICT (name) DO UPDATE SET value = e.value + 1"""

SQL = {
    "guard": "guard AS (SELECT value FROM epoch WHERE name = 'search' AND value = ALL(%s))",
    "unguarded": "guard AS (SELECT 1)",
    "end": f"""ended AS ({_END.format("WHERE EXISTS (SELECT FROM done)")})""",
    "forget": f"forgotten AS (DELETE FROM custom_param p USING done WHERE p.source IN (done.rid, {SEVERAL}))",
}
"""Parts of a write statement: rows made under an epoch, or none; the end of epochs; what has to be indexed anew."""


async def current(conn: AsyncConnection[Any], name: str) -> int:
    """Return the epoch that is in force."""
    cursor = await conn.execute("SELECT value FROM epoch WHERE name = %s", (name,), binary=True)
    found = await cursor.fetchone()
    return int(found[0]) if found else 0


async def begin_anew(conn: AsyncConnection[Any]) -> None:
    """End the epochs of search and policy within a transaction, all search parameters staying as they are.

    Whoever is about to write by what they knew before writes nothing, looks again and repeats it.
    """
    await conn.execute(_END.format(""), (Texts(["policy", "search"]),))


async def end(conn: AsyncConnection[Any], names: Collection[str], rids: Sequence[int]) -> None:
    """End epochs within a transaction, as its last statement: `rids` are the resources whose writes end them."""
    if names:
        await conn.execute(_END.format(""), (Texts(sorted(names)),))
    if "search" in names:
        await conn.execute("DELETE FROM custom_param WHERE source = ANY(%s)", (Int8s([*rids, SEVERAL]),))
