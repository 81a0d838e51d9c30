"""The resources of a compartment: those that refer to its owner by a parameter that R4 lists, and the owner itself.

Source: http://hl7.org/fhir/R4/compartmentdefinition.html
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fhir_server.search.param import Part
from fhir_server.search.registry import registry
from fhir_server.search.scope import Scope
from fhir_server.search.sql import Patients, Sql, Test, any_of, of_types
from fhir_server.storage.rows import type_number
from resources.definitions import definitions

_RANK = 20


def test(scope: Scope) -> Test:
    """Return the test that resources of the scope's types are in the compartment of its owner."""
    assert scope.owner is not None
    owner, id_ = scope.owner
    carried, edges, own = members(owner, scope.types)

    def rid(sql: Sql) -> str:
        return f"SELECT x.rid FROM resource x WHERE x.type = {type_number(owner)} AND x.id = {sql.text(id_)}"

    def where(sql: Sql, row: str) -> str:
        clauses = [f"({row}.pid = ({rid(sql)}) AND {of_types(row, carried)})"] if carried else []
        clauses += [f"{row}.rid = ({rid(sql)})"] if own else []
        if edges:
            within = f"e.param IN ({_numbers(edges)}) AND e.dst = ({rid(sql)})"
            clauses.append(f"EXISTS (SELECT FROM edge e WHERE e.src = {row}.rid AND {within})")
        return any_of(clauses)

    def rids(sql: Sql) -> str:
        return listing(rid(sql), scope.types, owner)

    alone = Patients(rid, True) if carried == scope.types and not edges else None
    return Test(where, _RANK, rids, patients=alone)


def listing(owners: str, types: Sequence[str], compartment: str) -> str:
    """Return the statement that lists the rows of `types` in the compartments of `owners`, a statement too."""
    carried, edges, own = members(compartment, tuple(types))
    found = [owners] if own else []
    if carried:
        within = f"c.pid = ANY(ARRAY({owners})) AND {of_types('c', carried)}"
        found.append(f"SELECT c.rid FROM resource c WHERE c.live AND {within}")
    if edges:
        within = f"e.dst = ANY(ARRAY({owners})) AND e.param IN ({_numbers(edges)})"
        found.append(f"SELECT e.src FROM edge e WHERE {within}")
    return " UNION ALL ".join(found)


def members(compartment: str, types: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[int, ...], bool]:
    """Return how resources of `types` belong to a compartment.

    Shape:  the types that carry its patient in their row, the numbers of the references by which the others name its
            owner, and whether the owner itself is to be listed apart
    """
    held = definitions().compartment(compartment)
    carried: list[str] = []
    edges: list[int] = []
    for name in types:
        parts = [part for code in held.get(name, ()) for part in _parts(name, code, compartment)]
        if compartment == "Patient" and (name == "Patient" or any(part.patient for part in parts)):
            carried.append(name)
        edges += [part.id for part in parts if not part.patient or compartment != "Patient"]
    own = compartment in types and compartment not in carried
    return tuple(carried), tuple(dict.fromkeys(edges)), own


def _parts(type_name: str, code: str, compartment: str) -> list[Part]:
    param = registry(type_name).params.get(code)
    if param is None or param.place != "reference":
        return []
    return [part for part in param.parts if part.resolves in ("", compartment)]


def _numbers(edges: Iterable[int]) -> str:
    return ", ".join(map(str, edges))
