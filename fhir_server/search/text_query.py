"""What a text search asks for: words, "phrases", beginnings*, AND, OR, NOT and parentheses, read into a tsquery.

    bone OR liver and metastases      AND binds more than OR; NOT more than both; words side by side mean AND
    "bone metastases" metast*         one after the other; every word that begins so
    bone, liver                       a comma is an OR that binds least

A word that is written with other characters between (`follow-up`) is a phrase of its parts.

Source: http://hl7.org/fhir/R4/search.html#content
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from fhir_server.search.words import pairs, runs
from resources.outcome import FhirError

MAX_TERMS = 100
"""The most words and phrases of one search."""
MAX_DEPTH = 50
"""The most parentheses and NOTs within each other."""

_TOKEN = re.compile(r'\s*(?:(?P<mark>[(),])|"(?P<phrase>[^"]*)(?P<end>"?)|(?P<word>[^\s(),"]+))')
_MISPLACED = re.compile(r"\*\S|(?<!\S)\*")
_ESCAPED = re.compile(r"\\[\\,$|]")


@dataclass(frozen=True, slots=True)
class Term:
    """Words one after the other, each with whether it is only the beginning of one."""

    words: tuple[tuple[str, bool], ...]


@dataclass(frozen=True, slots=True)
class Not:
    """What must not be."""

    part: Node


@dataclass(frozen=True, slots=True)
class All:
    """Parts that must all be."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Any:
    """Parts of which one must be."""

    parts: tuple[Node, ...]


Node = Term | Not | All | Any


def parse(code: str, text: str) -> Node:
    """Return what `text`, the value of the search parameter `code`, asks for.

    Errors: 400 value with the position (from 1) of what is wrong; too-costly
    """
    return _Reader(code, text).read()


def holds_without_words(node: Node) -> bool:
    """Whether a resource without any words is what is asked for."""
    match node:
        case Term():
            return False
        case Not(part):
            return not holds_without_words(part)
        case All(parts):
            return all(map(holds_without_words, parts))
        case Any(parts):
            return any(map(holds_without_words, parts))


def tsquery(node: Node, weight: str = "") -> str:
    """Return the literal of PostgreSQL's tsquery; with a `weight` only words of that weight count."""
    match node:
        case Term(found):
            return "(" + " <-> ".join(_lexeme(word, begins, weight) for word, begins in found) + ")"
        case Not(part):
            return f"!{tsquery(part, weight)}"
        case All(parts):
            return "(" + " & ".join(tsquery(part, weight) for part in parts) + ")"
        case Any(parts):
            return "(" + " | ".join(tsquery(part, weight) for part in parts) + ")"


def _lexeme(word: str, begins: bool, weight: str) -> str:
    marks = ("*" if begins else "") + weight
    return f"'{word}'" + (f":{marks}" if marks else "")


class _Reader:
    """Reads one query from left to right."""

    def __init__(self, code: str, text: str) -> None:
        self.code = code
        self.tokens = list(self._tokens(text))
        self.place = self.depth = self.terms = 0
        self.end = len(text) + 1

    def read(self) -> Node:
        found = self._several(self._either, lambda: self._takes(","), Any)
        if self.place < len(self.tokens):
            raise self._wrong("an opening parenthesis is missing before ')'")
        return found

    def _tokens(self, text: str) -> list[tuple[str, str, int]]:
        """Return (kind, text, position) of each piece: `(`, `)`, `,`, AND, OR, NOT, word, phrase."""
        plain = _ESCAPED.sub("  ", text).rstrip()
        found: list[tuple[str, str, int]] = []
        for match in _TOKEN.finditer(plain):
            kind = match.lastgroup or ""
            if match["mark"]:
                found.append((match["mark"], match["mark"], match.start("mark") + 1))
            elif match["word"]:
                word, start = match["word"], match.start("word") + 1
                upper = word.upper()
                found.append((upper if upper in ("AND", "OR", "NOT") else "word", word, start))
            elif kind:
                start = match.start("phrase")
                if not match["end"]:
                    raise self._error("the quotation mark is never closed", start)
                found.append(("phrase", match["phrase"], start))
        return found

    def _peek(self) -> str:
        return self.tokens[self.place][0] if self.place < len(self.tokens) else ""

    def _takes(self, kind: str) -> bool:
        if self._peek() != kind:
            return False
        self.place += 1
        return True

    def _several(
        self, part: Callable[[], Node], more: Callable[[], bool], kind: Callable[[tuple[Node, ...]], Node]
    ) -> Node:
        parts = [part()]
        while more():
            parts.append(part())
        return parts[0] if len(parts) == 1 else kind(tuple(parts))

    def _either(self) -> Node:
        return self._several(self._both, lambda: self._takes("OR"), Any)

    def _both(self) -> Node:
        return self._several(
            self._negated, lambda: self._takes("AND") or self._peek() in ("word", "phrase", "(", "NOT"), All
        )

    def _negated(self) -> Node:
        self.depth += 1
        if self.depth > MAX_DEPTH:
            raise FhirError(400, "too-costly", f"'{self.code}' nests more than {MAX_DEPTH} parts")
        found = Not(self._negated()) if self._takes("NOT") else self._single()
        self.depth -= 1
        return found

    def _single(self) -> Node:
        if self._takes("("):
            found = self._several(self._either, lambda: self._takes(","), Any)
            if not self._takes(")"):
                raise self._wrong("a closing parenthesis is missing")
            return found
        if self._peek() not in ("word", "phrase"):
            raise self._wrong("a word is missing")
        _, text, position = self.tokens[self.place]
        self.place += 1
        self.terms += 1
        if self.terms > MAX_TERMS:
            raise FhirError(400, "too-costly", f"'{self.code}' asks for more than {MAX_TERMS} words")
        return self._term(text, position)

    def _term(self, text: str, position: int) -> Term:
        if _MISPLACED.search(text):
            raise self._error("'*' ends a word, to ask for every word that begins so", position)
        found = [
            (run, unspaced, piece.endswith("*") and place == len(parts) - 1)
            for piece in text.split()
            for parts in (runs(piece),)
            for place, (run, unspaced) in enumerate(parts)
        ]
        if not found:
            raise self._error(f"'{text[:50]}' holds no word", position)
        last = len(found) - 1
        return Term(tuple(word for place, one in enumerate(found) for word in _asked(*one, place == last)))

    def _wrong(self, said: str) -> FhirError:
        position = self.tokens[self.place][2] if self.place < len(self.tokens) else self.end
        return self._error(said, position)

    def _error(self, said: str, position: int) -> FhirError:
        return FhirError(400, "value", f"'{self.code}' cannot be read at character {position}: {said}")


def _asked(run: str, unspaced: bool, begins: bool, last: bool) -> list[tuple[str, bool]]:
    """Return the words to look for in place of a run: what is written without spaces is looked for by its pairs."""
    if not unspaced:
        return [(run, begins)]
    if not last:
        return [(pair, False) for pair in pairs(run)]
    return [(run, True)] if len(run) == 1 else [(pair, False) for pair in pairs(run)[:-1]]
