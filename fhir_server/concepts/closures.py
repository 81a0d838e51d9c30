"""Closure tables of clients: which of the codes that a client has are broader than which.

A table is a name with a version, that every change raises. What was said once stays: adding a code says how it stands
to those before it.
Source: http://hl7.org/fhir/R4/terminology-service.html#closure
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from fhir_server.concepts.model import Conn, System
from fhir_server.storage.binary import Texts
from fhir_server.storage.locks import hold

MOST_CONCEPTS = 100_000
"""The most codes of a closure table."""


class Relation(NamedTuple):
    """One code is narrower than another of the same code system."""

    system: str
    narrow: str
    broad: str


class TooManyError(Exception):
    """A closure table would have more than MOST_CONCEPTS codes."""


async def begin(conn: Conn, name: str) -> int:
    """Return the version of a table that begins anew: no codes, no relations. In the caller's transaction."""
    await hold(conn, [f"closure {name}"])
    await conn.execute("DELETE FROM closure_concept WHERE name = %s", (name,))
    await conn.execute("DELETE FROM closure_relation WHERE name = %s", (name,))
    await conn.execute(
        "INSERT INTO closure (name, version) VALUES (%s, 0) ON CONFLICT (name) DO UPDATE SET version = 0",
        (name,),
    )
    return 0


async def version(conn: Conn, name: str) -> int | None:
    """Return the version of a table, None where it was never begun."""
    cursor = await conn.execute("SELECT version FROM closure WHERE name = %s", (name,))
    found = await cursor.fetchone()
    return int(found[0]) if found else None


async def add(conn: Conn, name: str, codes: Sequence[tuple[System, str]]) -> int:
    """Return the new version of a table after codes were added, each as its code system spells it.

    Shape:  the caller's transaction; nothing new leaves the version as it is
    Errors: TooManyError
    """
    await hold(conn, [f"closure {name}"])
    cursor = await conn.execute("SELECT version FROM closure WHERE name = %s", (name,))
    ((old,),) = await cursor.fetchall()
    new = int(old) + 1
    added = []
    for system in {one.id: one for one, _ in codes}.values():
        own = sorted({code for one, code in codes if one.id == system.id})
        added += [(system, fresh)] if (fresh := await _insert(conn, name, new, system, own)) else []
    if not added:
        return int(old)
    await _check_size(conn, name)
    for system, fresh in added:
        await _relate(conn, name, new, system, fresh)
    await conn.execute("UPDATE closure SET version = %s WHERE name = %s", (new, name))
    return new


async def _insert(conn: Conn, name: str, new: int, system: System, codes: Sequence[str]) -> list[str]:
    """Return those of `codes` that the table did not have."""
    cursor = await conn.execute(
        "INSERT INTO closure_concept (name, system, code, version) SELECT %s, %s, c, %s FROM unnest(%s) c"
        " ON CONFLICT DO NOTHING RETURNING code",
        (name, system.url, new, Texts(codes)),
    )
    return [code for (code,) in await cursor.fetchall()]


async def _check_size(conn: Conn, name: str) -> None:
    cursor = await conn.execute("SELECT count(*) FROM closure_concept WHERE name = %s", (name,))
    ((count,),) = await cursor.fetchall()
    if count > MOST_CONCEPTS:
        raise TooManyError


_ADJACENT = """
INSERT INTO closure_relation (name, version, system, narrow, broad)
SELECT {name}, {new}, {url}, d.code, a.code
FROM unnest({fresh}) AS f(code)
JOIN concept fresh ON fresh.system = {system} AND fresh.fold = {folded} AND fresh.code = f.code
JOIN concept_ancestor x ON x.system = {system} AND x.{near} = fresh.n
JOIN concept other ON other.system = {system} AND other.n = x.{far}
JOIN closure_concept had ON had.name = {name} AND had.system = {url} AND had.code = other.code
CROSS JOIN LATERAL (SELECT CASE WHEN '{near}' = 'descendant' THEN fresh.code ELSE other.code END) AS d(code)
CROSS JOIN LATERAL (SELECT CASE WHEN '{near}' = 'descendant' THEN other.code ELSE fresh.code END) AS a(code)
ON CONFLICT DO NOTHING
"""


async def _relate(conn: Conn, name: str, new: int, system: System, fresh: Sequence[str]) -> None:
    """Say how codes stand to all others that the table has; without subsumption they stand alone."""
    if system.meaning != "is-a":
        return
    for near, far in (("descendant", "ancestor"), ("ancestor", "descendant")):
        text = _ADJACENT.format(
            name="%(name)s",
            new="%(new)s",
            url="%(url)s",
            fresh="%(fresh)s",
            system=system.id,
            folded="f.code" if system.cased else "any(%(folds)s)",
            near=near,
            far=far,
        )
        args = {"name": name, "new": new, "url": system.url, "fresh": Texts(fresh)}
        if not system.cased:
            args["folds"] = Texts([system.fold(code) for code in fresh])
        await conn.execute(text, args)


async def relations(conn: Conn, name: str, after: int) -> list[Relation]:
    """Return what a table says since a version, in order."""
    cursor = await conn.execute(
        "SELECT system, narrow, broad FROM closure_relation WHERE name = %s AND version > %s"
        " ORDER BY version, system, narrow, broad",
        (name, after),
    )
    return [Relation(*row) for row in await cursor.fetchall()]
