"""From the text of a filter to its tree, by recursive descent; what is wrong is told with its position.

`and` and `or` are read from left to right without precedence, as R4 has it. Beyond R4's grammar a name may be followed
by `:Type`, since a chain over a reference to several types could not be said otherwise.

Source: http://hl7.org/fhir/R4/search_filter.html
"""

from __future__ import annotations

import json
import re

from fhir_server.search.filter.syntax import OPERATORS, Comparison, Filter, Logical, Not, Step
from resources.outcome import FhirError

MAX_LENGTH = 8_000
"""The most characters of a filter."""
MAX_DEPTH = 12
"""How deep parentheses, brackets and `not` may nest."""
MAX_COMPARISONS = 100
"""The most comparisons of a filter."""

_SPACE = re.compile(r"\s*")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_\-]*")
_WORD = re.compile(r"[A-Za-z]+")
_BARE = re.compile(r"[^\s\])]+")
_STRING = re.compile(r'"(?:[^"\\\x00-\x1f]|\\.)*"')


def parse(text: str) -> Filter:
    """Return the tree of a filter.

    Errors: 400 invalid with the position (in characters, from 1), too-long, too-costly
    """
    if len(text) > MAX_LENGTH:
        raise FhirError(400, "too-long", f"The filter is longer than {MAX_LENGTH} characters")
    reader = _Reader(text)
    tree = reader.filter(0)
    if reader.position < len(text):
        raise reader.wrong("'and', 'or' or the end")
    return tree


class _Reader:
    """A place in a filter's text; every method reads on from it and leaves it behind white space."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.position = 0
        self.comparisons = 0
        self._skip()

    def filter(self, depth: int) -> Filter:
        """Return what stands here up to a closing bracket or the end."""
        if depth > MAX_DEPTH:
            raise FhirError(400, "too-costly", f"The filter nests deeper than {MAX_DEPTH} levels")
        tree = self._one(depth)
        while (word := self._peek()) in ("and", "or"):
            self._take(word)
            tree = Logical(word, tree, self._one(depth))
        return tree

    def wrong(self, wanted: str) -> FhirError:
        """Return the error that something else was expected here."""
        found = self.text[self.position : self.position + 20]
        there = f"'{found}'" if found else "nothing more"
        return FhirError(
            400,
            "invalid",
            f"'_filter', character {self.position + 1}: {wanted} expected, but there is {there}",
        )

    def _one(self, depth: int) -> Filter:
        if self._at("("):
            return self._inside(depth, ")")
        if self._peek() == "not" and self.text[self.position + 3 :].lstrip().startswith("("):
            self._take("not")
            return Not(self._inside(depth, ")"))
        return self._comparison(depth)

    def _inside(self, depth: int, closing: str) -> Filter:
        self._take(self.text[self.position])
        tree = self.filter(depth + 1)
        if not self._at(closing):
            raise self.wrong(f"'{closing}', 'and' or 'or'")
        self._take(closing)
        return tree

    def _comparison(self, depth: int) -> Comparison:
        self.comparisons += 1
        if self.comparisons > MAX_COMPARISONS:
            raise FhirError(400, "too-costly", f"The filter holds more than {MAX_COMPARISONS} comparisons")
        path = self._path(depth)
        operator = self._peek()
        if operator not in OPERATORS:
            raise self.wrong(f"an operator ({', '.join(OPERATORS)})")
        self.position += len(operator)
        if not self._skip():
            raise self.wrong("a space")
        return Comparison(path, operator, self._value())

    def _path(self, depth: int) -> tuple[Step, ...]:
        steps = [self._step(depth)]
        while self.text.startswith(".", self.position):
            self.position += 1
            steps.append(self._step(depth))
        if steps[-1].filter is not None:
            raise self.wrong("'.' and a search parameter")
        if not self._skip():
            raise self.wrong("a space and an operator")
        return tuple(steps)

    def _step(self, depth: int) -> Step:
        at = self.position + 1
        name = self._name("a search parameter")
        kind = ""
        if self.text.startswith(":", self.position):
            self.position += 1
            kind = self._name("a resource type")
        inner = None
        if self._at("["):
            inner = self._inside_brackets(depth)
        return Step(name, kind, inner, at)

    def _inside_brackets(self, depth: int) -> Filter:
        """Return the filter in brackets; white space behind them belongs to what follows."""
        tree = self._inside(depth, "]")
        self.position = len(self.text[: self.position].rstrip())
        return tree

    def _name(self, wanted: str) -> str:
        found = _NAME.match(self.text, self.position)
        if found is None:
            raise self.wrong(wanted)
        self.position = found.end()
        return found[0]

    def _value(self) -> str:
        quoted = self._at('"')
        found = (_STRING if quoted else _BARE).match(self.text, self.position)
        if found is None:
            raise self.wrong("a string with its closing quote" if quoted else "a value")
        try:
            value = str(json.loads(found[0])) if quoted else found[0]
        except ValueError:
            raise self.wrong("a JSON string") from None
        if any(char == "\0" or "\ud800" <= char <= "\udfff" for char in value):
            raise self.wrong("a text")
        self.position = found.end()
        if not self._skip() and self.position < len(self.text) and self.text[self.position] not in ")]":
            raise self.wrong("a space")
        return value

    def _peek(self) -> str:
        found = _WORD.match(self.text, self.position)
        return found[0] if found else ""

    def _at(self, char: str) -> bool:
        return self.text.startswith(char, self.position)

    def _take(self, text: str) -> None:
        self.position += len(text)
        self._skip()

    def _skip(self) -> bool:
        """Pass over white space; return whether there was any."""
        start = self.position
        found = _SPACE.match(self.text, start)
        self.position = found.end() if found else start
        return self.position > start
