"""SNOMED CT's expressions as conditions on concepts.

Shape:  reference sets are the property `refset` (code) of their members; attributes are properties named by the
        concept of the attribute, their values codes; only active concepts count
Errors: FhirError 400 for what is no expression; UnknownError for concepts that are not there
Source: http://snomed.org/ecl; http://hl7.org/fhir/R4/snomedct.html
"""

from __future__ import annotations

from fhir_server.concepts import lookup
from fhir_server.concepts.expression_places import ATTRIBUTE, RELATIONS, Lister
from fhir_server.concepts.leaves import ACTIVE, REPEATED, Clause, Placed
from fhir_server.concepts.model import Conn, System, UnknownError
from fhir_server.search.sql import Sql
from terminology.ecl import (
    Anything,
    Attribute,
    Code,
    Conditions,
    Expression,
    Joined,
    Members,
    Refined,
    Refinement,
    Related,
    codes,
    parse,
)

_JOINS = {"AND": " AND ", "OR": " OR ", "MINUS": " AND NOT "}


async def clause(conn: Conn, system: System, text: str) -> Clause:
    """Return the condition that an active concept of `system` is in the set of the expression."""
    tree = parse(text)
    lookup.require_subsumption(system)
    named = sorted(codes(tree))
    found = await lookup.concepts(conn, system, named)
    if missing := [code for code in named if code not in found]:
        raise UnknownError(*(f"the code system {system.called} has no code '{code}'" for code in missing))
    numbers = {code: one.n for code, one in found.items()}
    return _placed(system, numbers, tree, (ACTIVE,))


def _placed(system: System, numbers: dict[str, int], tree: Expression, besides: tuple[Clause, ...]) -> Placed:
    """Return the condition of an expression, and what `besides` it has to hold."""

    def condition(sql: Sql, alias: str) -> str:
        inside = _Writer(system, numbers, sql).concept(tree, alias + ".n")
        return " AND ".join([*(one(sql, alias) for one in besides), inside])

    def places(sql: Sql, _first: int | None = None) -> str:
        return Lister(system.id, numbers, sql).places(tree)

    return Placed(condition, places, besides)


async def members(conn: Conn, system: System, code: str) -> Clause:
    """Return the condition that a concept of `system` is a member of the reference set `code`."""
    if await lookup.concept(conn, system, code) is None:
        raise UnknownError(f"the code system {system.called} has no code '{code[:100]}'")
    return _placed(system, {}, Members(Code(code)), (REPEATED,))


class _Writer:
    """Writes the condition of an expression on a number of a concept, or on a code of a property."""

    def __init__(self, system: System, numbers: dict[str, int], sql: Sql) -> None:
        self.numbers = numbers
        self.sql = sql
        self.system = sql.big(system.id)
        self.aliases = 0

    def alias(self) -> str:
        """Return a new alias."""
        self.aliases += 1
        return f"e{self.aliases}"

    def concept(self, tree: Expression, n: str) -> str:
        """Return the condition that the concept numbered `n` is in the set."""
        match tree:
            case Anything():
                return "true"
            case Code(code):
                return f"{n} = {self.sql.big(self.numbers[code])}"
            case Related(operator, of):
                return self._related(operator, of, n)
            case Members(of):
                p = self.alias()
                return self._property(p, n, f"{p}.name = 'refset' AND {self.code(of, f'{p}.value')}")
            case Joined(by, parts):
                return "(" + _JOINS[by].join(self.concept(part, n) for part in parts) + ")"
            case Refined(focus, refinement):
                return f"({self.concept(focus, n)} AND {self._refinement(refinement, n)})"

    def _related(self, operator: str, of: Expression, n: str) -> str:
        itself = operator[:2] in ("<<", ">>")
        table, own, other = RELATIONS[operator[1:] if itself else operator]
        h = self.alias()
        found = (
            f"(SELECT true FROM {table} {h} WHERE {h}.system = {self.system} AND {h}.{own} = {n}"
            f" AND {self.concept(of, f'{h}.{other}')} LIMIT 1) IS NOT NULL"
        )
        return f"({self.concept(of, n)} OR {found})" if itself else f"({found})"

    def _property(self, p: str, n: str, condition: str) -> str:
        return (
            f"((SELECT true FROM concept_property {p} WHERE {p}.system = {self.system} AND {p}.n = {n}"
            f" AND {condition} LIMIT 1) IS NOT NULL)"
        )

    def _refinement(self, tree: Refinement, n: str) -> str:
        if isinstance(tree, Conditions):
            return "(" + _JOINS[tree.by].join(self._refinement(part, n) for part in tree.parts) + ")"
        return self._attribute(tree, n)

    def _attribute(self, tree: Attribute, n: str) -> str:
        p = self.alias()
        sign = "" if tree.equal else "NOT "
        name = self.code(tree.name, f"{p}.name")
        if isinstance(tree.name, Anything):
            name = f"{p}.name ~ {ATTRIBUTE}"
        return self._property(p, n, f"{name} AND {sign}{self.code(tree.value, f'{p}.value')}")

    def code(self, tree: Expression, value: str) -> str:
        """Return the condition that the concept whose code is `value` is in the set."""
        match tree:
            case Anything():
                return "true"
            case Code(code):
                return f"{value} = {self.sql.text(code)}"
        c = self.alias()
        return (
            f"EXISTS (SELECT FROM concept {c} WHERE {c}.system = {self.system} AND {c}.fold = {value}"
            f" AND {self.concept(tree, f'{c}.n')})"
        )
