"""What a filter says, as a tree, and how such a tree is written.

Source: http://hl7.org/fhir/R4/search_filter.html
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass

OPERATORS = (
    *("eq", "ne", "co", "sw", "ew", "gt", "lt", "ge", "le", "ap"),
    *("sa", "eb", "pr", "po", "ss", "sb", "in", "ni", "re"),
)
"""The comparisons of R4's table."""

BARE = re.compile(r'[^\s\])"][^\s\])]*\Z')
"""A value that needs no quotes: no white space, no closing bracket, no quote at its start."""


@dataclass(frozen=True, slots=True)
class Step:
    """One name of a path: a search parameter, the resource type its references shall name, and a filter in brackets.

    Shape:  `at` is the position of the name in the text, from 1; it does not tell two steps apart
    """

    name: str
    type: str = ""
    filter: Filter | None = None
    at: int = 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Step) and self._told() == other._told()

    def __hash__(self) -> int:
        return hash(self._told())

    def _told(self) -> tuple[str, str, Filter | None]:
        return self.name, self.type, self.filter


@dataclass(frozen=True, slots=True)
class Comparison:
    """`path operator value`; a value is the same with and without quotes."""

    path: tuple[Step, ...]
    operator: str
    value: str


@dataclass(frozen=True, slots=True)
class Not:
    """`not (filter)`."""

    inner: Filter


@dataclass(frozen=True, slots=True)
class Logical:
    """`left and right`, `left or right`: read from left to right, neither binds more tightly."""

    operator: str
    left: Filter
    right: Filter


Filter = Comparison | Not | Logical


def written(tree: Filter) -> str:
    """Return the text of a filter, which reads as the same tree."""
    match tree:
        case Not(inner):
            return f"not ({written(inner)})"
        case Logical(operator, left, right):
            after = f"({written(right)})" if isinstance(right, Logical) else written(right)
            return f"{written(left)} {operator} {after}"
        case Comparison(path, operator, value):
            return f"{'.'.join(map(_step, path))} {operator} {_value(value)}"


def _step(step: Step) -> str:
    kind = f":{step.type}" if step.type else ""
    inner = f"[{written(step.filter)}]" if step.filter else ""
    return step.name + kind + inner


def _value(value: str) -> str:
    return value if BARE.match(value) else json.dumps(value)
