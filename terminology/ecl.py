"""SNOMED CT's Expression Constraint Language, the common operators: parsed into a tree.

Shape:  `* 123 |term| < << <! <<! > >> >! >>! ^`, parentheses, AND OR MINUS, refinements `: name = value` joined by
        commas, AND, OR; what else the language has (groups, cardinalities, reversed and dotted attributes, concrete
        values, filters) is refused by name
Errors: FhirError 400 'invalid' with the position; 'not-supported' for what is refused
Source: http://snomed.org/ecl (Expression Constraint Language 2.2); http://hl7.org/fhir/R4/snomedct.html#implicit
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from resources.outcome import FhirError

Operator = Literal["<", "<<", "<!", "<<!", ">", ">>", ">!", ">>!"]
Junction = Literal["AND", "OR", "MINUS"]


@dataclass(frozen=True, slots=True)
class Anything:
    """`*`: every concept."""


@dataclass(frozen=True, slots=True)
class Code:
    """One concept."""

    code: str


@dataclass(frozen=True, slots=True)
class Related:
    """The concepts below or above those of `of`; doubled operators count them in, `!` takes one step only."""

    operator: Operator
    of: Expression


@dataclass(frozen=True, slots=True)
class Members:
    """`^`: the members of reference sets."""

    of: Expression


@dataclass(frozen=True, slots=True)
class Joined:
    """Sets of concepts, joined; MINUS has two parts."""

    by: Junction
    parts: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Attribute:
    """A concept that has an attribute of `name` with a value of `value`; not `equal`: with a value that is none."""

    name: Expression
    equal: bool
    value: Expression


@dataclass(frozen=True, slots=True)
class Conditions:
    """Attributes, joined by AND or OR."""

    by: Junction
    parts: tuple[Refinement, ...]


@dataclass(frozen=True, slots=True)
class Refined:
    """Concepts of `focus` for which the refinement holds."""

    focus: Expression
    refinement: Refinement


Expression = Anything | Code | Related | Members | Joined | Refined
Refinement = Attribute | Conditions

LONGEST, DEEPEST = 10_000, 40
"""Characters of an expression, and how deep it may be nested: clients send them."""

_TOKEN = re.compile(
    r"(?P<space>(?:\s|/\*.*?\*/)+)|(?P<term>\|[^|]*\|)|(?P<code>\d{6,18}(?!\d))"
    r"|(?P<operator><<!|<<|<!|<|>>!|>>|>!|>|\^|!=|=|\*|\(|\)|:|,)|(?P<word>[A-Za-z]+)"
    r"|(?P<other>\{\{|\{|\}|\[|\.|#|\"|!!)",
    re.DOTALL,
)
_REFUSED = {
    "{": "groups of attributes",
    "{{": "filters",
    "[": "cardinalities",
    ".": "dotted attributes",
    "#": "concrete values",
    '"': "concrete values",
    "!!": "top and bottom of a set",
}
_RELATIONS = frozenset({"<", "<<", "<!", "<<!", ">", ">>", ">!", ">>!"})


def parse(text: str) -> Expression:
    """Return the tree of an expression constraint."""
    if len(text) > LONGEST:
        raise FhirError(400, "too-costly", f"An ECL expression of more than {LONGEST} characters")
    parser = _Parser(_tokens(text), len(text))
    found = parser.expression()
    if parser.peek() != "":
        raise _wrong(f"'{parser.peek()}' where nothing more is expected", parser.position())
    return found


def _wrong(problem: str, at: int) -> FhirError:
    return FhirError(400, "invalid", f"ECL: {problem}, at character {at + 1}")


def _tokens(text: str) -> list[tuple[str, int]]:
    found: list[tuple[str, int]] = []
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _wrong(f"'{text[at]}' is not understood", at)
        kind, token = match.lastgroup, match.group()
        if kind == "other":
            what = _REFUSED.get(token, f"'{token}'")
            raise FhirError(400, "not-supported", f"ECL: {what} are not supported, at character {at + 1}")
        if kind not in ("space", "term"):
            found.append((token.upper() if kind == "word" else token, at))
        at = match.end()
    return found


class _Parser:
    def __init__(self, tokens: list[tuple[str, int]], end: int) -> None:
        self._tokens = tokens
        self._end = end
        self._at = 0
        self._depth = 0

    def peek(self) -> str:
        """Return the next token, '' at the end."""
        return self._tokens[self._at][0] if self._at < len(self._tokens) else ""

    def position(self) -> int:
        """Return where the next token stands."""
        return self._tokens[self._at][1] if self._at < len(self._tokens) else self._end

    def _take(self, *wanted: str) -> str:
        token = self.peek()
        if token not in wanted or not token:
            return ""
        self._at += 1
        return token

    def _expect(self, wanted: str) -> None:
        if not self._take(wanted):
            raise _wrong(f"'{wanted}' is expected, not '{self.peek() or 'the end'}'", self.position())

    def expression(self) -> Expression:
        """Return what is joined by AND, OR or MINUS, and refined."""
        self._depth += 1
        if self._depth > DEEPEST:
            raise FhirError(400, "too-costly", f"An ECL expression nested more than {DEEPEST} deep")
        found = self._refined()
        by = self._junction()
        if by:
            parts = [found]
            while (next_by := self._take("AND", ",", "OR", "MINUS")) != "":
                if _plain(next_by) != by or (by == "MINUS" and len(parts) > 1):
                    raise _wrong("AND, OR and MINUS are mixed only with parentheses", self.position())
                parts.append(self._refined())
            found = Joined(by, tuple(parts))
        self._depth -= 1
        return found

    def _junction(self) -> Junction | None:
        token = self.peek()
        return _plain(token) if token in ("AND", ",", "OR", "MINUS") else None

    def _refined(self) -> Expression:
        focus = self._simple()
        if not self._take(":"):
            return focus
        return Refined(focus, self._refinement())

    def _refinement(self) -> Refinement:
        parts: list[Refinement] = [self._attribute()]
        by: Junction | None = None
        while self.peek() in ("AND", ",", "OR"):
            joined = _plain(self.peek())
            if by is not None and joined != by:
                raise _wrong("AND and OR are mixed only with parentheses", self.position())
            by = joined
            self._at += 1
            parts.append(self._attribute())
        return parts[0] if by is None else Conditions(by, tuple(parts))

    def _attribute(self) -> Refinement:
        start = self._at
        if self._take("("):
            self._depth += 1
            inner = self._refinement() if self._depth <= DEEPEST and self._is_refinement(start) else None
            if inner is not None:
                self._expect(")")
                self._depth -= 1
                return inner
            self._depth -= 1
            self._at = start
        if self.peek() == "R":
            raise FhirError(400, "not-supported", "ECL: reversed attributes are not supported")
        name = self._simple()
        equal = self._take("=", "!=")
        if not equal:
            raise _wrong(f"'=' or '!=' is expected, not '{self.peek() or 'the end'}'", self.position())
        return Attribute(name, equal == "=", self._simple())

    def _is_refinement(self, start: int) -> bool:
        """Whether the parentheses that open at `start` hold attributes, and not names of attributes."""
        depth = 0
        for mark, _ in self._tokens[start:]:
            depth += (mark == "(") - (mark == ")")
            if mark in ("=", "!="):
                return depth > 0
            if depth == 0:
                return False
        return False

    def _simple(self) -> Expression:
        if relation := self._take(*_RELATIONS):
            return Related(relation, self._member())  # type: ignore[arg-type]
        return self._member()

    def _member(self) -> Expression:
        if self._take("^"):
            return Members(self._focus())
        return self._focus()

    def _focus(self) -> Expression:
        token = self.peek()
        if token.isdigit():
            self._at += 1
            return Code(token)
        if self._take("*"):
            return Anything()
        if self._take("("):
            found = self.expression()
            self._expect(")")
            return found
        raise _wrong(f"a concept, '*' or '(' is expected, not '{token or 'the end'}'", self.position())


def _plain(mark: str) -> Junction:
    return "AND" if mark in ("AND", ",") else "OR" if mark == "OR" else "MINUS"


def codes(tree: Expression | Refinement) -> set[str]:
    """Return every concept that an expression names."""
    match tree:
        case Code(code):
            return {code}
        case Related(_, of) | Members(of):
            return codes(of)
        case Joined(_, parts):
            return {code for part in parts for code in codes(part)}
        case Conditions(_, refinements):
            return {code for part in refinements for code in codes(part)}
        case Refined(focus, refinement):
            return codes(focus) | codes(refinement)
        case Attribute(name, _, value):
            return codes(name) | codes(value)
    return set()
