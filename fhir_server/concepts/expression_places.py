"""SNOMED CT's expressions as statements for the places of their concepts: sets that are joined, not asked one by one.

Source: http://snomed.org/ecl
"""

from __future__ import annotations

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
)

_JOINS = {"AND": " INTERSECT ", "OR": " UNION ", "MINUS": " EXCEPT "}
RELATIONS = {
    "<": ("concept_ancestor", "descendant", "ancestor"),
    "<!": ("concept_parent", "child", "parent"),
    ">": ("concept_ancestor", "ancestor", "descendant"),
    ">!": ("concept_parent", "parent", "child"),
}
"""Operator: the table, its column of the concept itself, and of the one that it is related to."""
ATTRIBUTE = "'^[0-9]{6,18}$'"
"""What the names of attributes look like, those of other properties not."""


class Lister:
    """Writes statements with one column, the places of concepts; a place may come more than once."""

    def __init__(self, system: int, numbers: dict[str, int], sql: Sql) -> None:
        self.numbers = numbers
        self.sql = sql
        self.system = sql.big(system)

    def places(self, tree: Expression) -> str:
        """Return the statement for the concepts of an expression, active or not."""
        match tree:
            case Anything():
                return f"SELECT c.n FROM concept c WHERE c.system = {self.system}"
            case Code(code):
                return f"SELECT {self.sql.big(self.numbers[code])}::integer AS n"
            case Related(operator, of):
                return self._related(operator, of)
            case Members(Code(code)):
                return self._valued("p.name = 'refset'", self._equal(code))
            case Members(of):
                return self._valued("p.name = 'refset'", "true" if isinstance(of, Anything) else self._in(of))
            case Joined(by, parts):
                return _JOINS[by].join(f"({self.places(part)})" for part in parts)
            case Refined(Anything(), refinement):
                return self._refinement(refinement)
            case Refined(focus, refinement):
                return f"({self.places(focus)}) INTERSECT ({self._refinement(refinement)})"

    def _related(self, operator: str, of: Expression) -> str:
        itself = operator[:2] in ("<<", ">>")
        table, own, other = RELATIONS[operator[1:] if itself else operator]
        single = f"= {self.sql.big(self.numbers[of.code])}" if isinstance(of, Code) else ""
        found = (
            f"SELECT h.{own} AS n FROM {table} h WHERE h.system = {self.system}"
            f" AND h.{other} {single or f'IN ({self.places(of)})'}"
        )
        return f"({found}) UNION ALL ({self.places(of)})" if itself else found

    def _refinement(self, tree: Refinement) -> str:
        if isinstance(tree, Conditions):
            return _JOINS[tree.by].join(f"({self._refinement(part)})" for part in tree.parts)
        return self._attribute(tree)

    def _attribute(self, tree: Attribute) -> str:
        name = f"p.name ~ {ATTRIBUTE}"
        if isinstance(tree.name, Code):
            name = f"p.name = {self.sql.text(tree.name.code)}"
        elif not isinstance(tree.name, Anything):
            name = f"p.name IN ({self._codes(tree.name)})"
        if isinstance(tree.value, Anything):
            return self._valued(name, "true" if tree.equal else "false")
        if not tree.equal:
            return self._valued(name, f"p.value NOT IN ({self._codes(tree.value)})")
        return self._valued(
            name, self._equal(tree.value.code) if isinstance(tree.value, Code) else self._in(tree.value)
        )

    def _valued(self, name: str, value: str) -> str:
        return f"SELECT p.n FROM concept_property p WHERE p.system = {self.system} AND {name} AND {value}"

    def _equal(self, code: str) -> str:
        """Return the condition on a property's value, in words that its index has."""
        return f"left(p.value, 200) = {self.sql.text(code[:200])} AND p.value = {self.sql.text(code)}"

    def _in(self, tree: Expression) -> str:
        return f"left(p.value, 200) IN ({self._codes(tree)})"

    def _codes(self, tree: Expression) -> str:
        """Return the statement for the codes of an expression's concepts; they are numbers, never longer than 18."""
        if isinstance(tree, Code):
            return f"SELECT {self.sql.text(tree.code)}"
        return f"SELECT c.fold FROM concept c WHERE c.system = {self.system} AND c.n IN ({self.places(tree)})"
