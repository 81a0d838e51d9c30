"""What the tables say of one concept: names, properties, parents and children; and whether one subsumes another.

Source: http://hl7.org/fhir/R4/codesystem-operation-lookup.html, codesystem-operation-subsumes.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

from fhir_server.concepts import load
from fhir_server.concepts.model import Concept, Conn, System, UnknownError
from terminology.records import Designation, PropertyKind, PropertyValue

Subsumption = Literal["equivalent", "subsumes", "subsumed-by", "not-subsumed"]

_COLUMNS = "c.n, c.code, c.display, c.definition, c.active, c.abstract"


async def concept(conn: Conn, system: System, code: str) -> Concept | None:
    """Return a concept of a code system, None where it has no such code; case counts as the system says."""
    return (await concepts(conn, system, [code])).get(code)


async def concepts(conn: Conn, system: System, codes: Sequence[str]) -> dict[str, Concept]:
    """Return the concepts of a code system by code as asked for; codes that it does not have are left out."""
    folds = [system.fold(code) for code in codes]
    cursor = await conn.execute(
        f"SELECT c.fold, {_COLUMNS} FROM concept c WHERE c.system = %s AND c.fold = ANY(%s) ORDER BY c.n DESC",
        (system.id, folds),
    )
    rows = await cursor.fetchall()
    exact = {row[2]: Concept(system, *row[1:]) for row in rows}
    alike = {row[0]: Concept(system, *row[1:]) for row in rows}
    found = {code: exact.get(code) or alike.get(fold) for code, fold in zip(codes, folds, strict=True)}
    return {code: one for code, one in found.items() if one is not None}


async def properties(conn: Conn, one: Concept) -> list[PropertyValue]:
    """Return a concept's properties, those that supplements add included."""
    cursor = await conn.execute(
        "SELECT p.name, p.kind, p.value, p.value_system, p.value_display FROM concept c JOIN concept_property p"
        " ON (p.system, p.n) = (c.system, c.n) WHERE c.system = ANY(%s) AND c.fold = %s",
        (_systems(one), one.system.fold(one.code)),
    )
    rows = await cursor.fetchall()
    return [PropertyValue(name, cast("PropertyKind", kind), *rest) for name, kind, *rest in rows]


async def designations(conn: Conn, one: Concept) -> list[Designation]:
    """Return a concept's other names, those that supplements add included."""
    return (await all_designations(conn, one.system, [one.n])).get(one.n, [])


async def all_designations(conn: Conn, system: System, ns: Sequence[int]) -> dict[int, list[Designation]]:
    """Return the other names of concepts of one code system, by place."""
    cursor = await conn.execute(
        "SELECT c.n, d.language, d.use_system, d.use_code, d.use_display, d.value FROM concept c"
        " JOIN concept o ON o.system = ANY(%s) AND o.fold = c.fold"
        " JOIN designation d ON (d.system, d.n) = (o.system, o.n) WHERE c.system = %s AND c.n = ANY(%s)",
        ([system.id, *system.supplements], system.id, list(ns)),
    )
    found: dict[int, list[Designation]] = {}
    for n, language, *use, value in await cursor.fetchall():
        told = (use[0], use[1], use[2]) if any(use) else None
        found.setdefault(n, []).append(Designation(value, language, told))
    return found


async def all_properties(
    conn: Conn, system: System, ns: Sequence[int], names: Sequence[str]
) -> dict[int, list[PropertyValue]]:
    """Return the properties `names` of concepts of one code system, by place."""
    cursor = await conn.execute(
        "SELECT c.n, p.name, p.kind, p.value, p.value_system, p.value_display FROM concept c"
        " JOIN concept o ON o.system = ANY(%s) AND o.fold = c.fold"
        " JOIN concept_property p ON (p.system, p.n) = (o.system, o.n)"
        " WHERE c.system = %s AND c.n = ANY(%s) AND p.name = ANY(%s)",
        ([system.id, *system.supplements], system.id, list(ns), list(names)),
    )
    found: dict[int, list[PropertyValue]] = {}
    for n, name, kind, *rest in await cursor.fetchall():
        found.setdefault(n, []).append(PropertyValue(name, cast("PropertyKind", kind), *rest))
    return found


async def edges(conn: Conn, system: System, ns: Sequence[int]) -> list[tuple[int, int]]:
    """Return (child, parent) of concepts that are directly below others, as places, in order."""
    cursor = await conn.execute(
        "SELECT child, parent FROM concept_parent WHERE system = %s AND child = ANY(%s) ORDER BY child, parent",
        (system.id, list(ns)),
    )
    return [(child, parent) for child, parent in await cursor.fetchall()]


def _systems(one: Concept) -> list[int]:
    return [one.system.id, *one.system.supplements]


async def parents(conn: Conn, one: Concept) -> list[Concept]:
    """Return the concepts directly above one."""
    return await _related(conn, one, "r.child = %s AND c.n = r.parent")


async def children(conn: Conn, one: Concept) -> list[Concept]:
    """Return the concepts directly below one."""
    return await _related(conn, one, "r.parent = %s AND c.n = r.child")


async def _related(conn: Conn, one: Concept, join: str) -> list[Concept]:
    cursor = await conn.execute(
        f"SELECT {_COLUMNS} FROM concept_parent r, concept c"
        f" WHERE r.system = %s AND {join} AND c.system = r.system ORDER BY c.n",
        (one.system.id, one.n),
    )
    return [Concept(one.system, *row) for row in await cursor.fetchall()]


async def subsumes(conn: Conn, system: System, a: str, b: str) -> Subsumption:
    """Return how two codes of a code system relate.

    Errors: UnknownError where the hierarchy does not mean subsumption, or a code is not there
    """
    require_subsumption(system)
    found = await concepts(conn, system, [a, b])
    missing = [code for code in (a, b) if code not in found]
    if missing:
        raise UnknownError(
            *(f"the code system {system.called} has no code '{code[:100]}'" for code in missing)
        )
    first, second = found[a].n, found[b].n
    if first == second:
        return "equivalent"
    cursor = await conn.execute(
        "SELECT ancestor FROM concept_ancestor WHERE system = %s"
        " AND (descendant, ancestor) IN ((%s, %s), (%s, %s))",
        (system.id, first, second, second, first),
    )
    above = {ancestor for (ancestor,) in await cursor.fetchall()}
    if {first, second} <= above:
        return "equivalent"
    return "subsumes" if first in above else "subsumed-by" if second in above else "not-subsumed"


def require_subsumption(system: System) -> None:
    """Raise UnknownError where the hierarchy of a code system says something else than subsumption."""
    require_followed(system)
    if system.meaning != "is-a":
        raise UnknownError(f"the hierarchy of {system.called} means '{system.meaning}', not subsumption")


def require_followed(system: System) -> None:
    """Raise UnknownError where nobody knows the ancestors of the concepts of a code system."""
    if system.meaning == load.TOO_DEEP:
        raise UnknownError(f"the hierarchy of {system.called} is too deep to be followed")


def best_name(one: Designation, languages: Sequence[str]) -> int:
    """Return how well a designation fits the languages asked for: 0 not at all, more is better.

    Source: RFC 4647, section 3.4 (lookup: `de-CH` also takes `de`)
    """
    for place, wanted in enumerate(languages):
        subtags = wanted.lower().split("-")
        for length in range(len(subtags), 0, -1):
            if one.language.lower() == "-".join(subtags[:length]):
                return (len(languages) - place) * 100 + length
    return 0
