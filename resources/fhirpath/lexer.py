"""Cut an expression into tokens.

Source: http://hl7.org/fhirpath/N1/grammar.html
"""

from __future__ import annotations

import re
from typing import NamedTuple

from resources.fhirpath.errors import syntax_error


class Token(NamedTuple):
    """One token: `kind` is name, quoted, string, number, temporal, external, symbol or end."""

    kind: str
    text: str
    position: int


_DATE = r"\d{4}(?:-\d\d(?:-\d\d)?)?"
_TIME = r"\d\d(?::\d\d(?::\d\d(?:\.\d+)?)?)?"
_PATTERN = re.compile(
    rf"""
    (?P<space>\s+|//[^\n]*|/\*.*?\*/)
    |(?P<temporal>@T{_TIME}|@{_DATE}(?:T(?:{_TIME}(?:Z|[+-]\d\d:\d\d)?)?)?)
    |(?P<number>\d+(?:\.\d+)?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<quoted>`(?:[^`\\]|\\.)*`)
    |(?P<string>'(?:[^'\\]|\\.)*')
    |(?P<external>%(?:(?:vs|ext)-[A-Za-z0-9_-]+|[A-Za-z_][A-Za-z0-9_]*|`(?:[^`\\]|\\.)*`|'(?:[^'\\]|\\.)*'))
    |(?P<special>\$(?:this|index|total)\b)
    |(?P<symbol><=|>=|!=|!~|/(?!\*)|[-+*&|<>=~.,()\[\]{{}}])
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPES = {"r": "\r", "n": "\n", "t": "\t", "f": "\f"}
_ESCAPE = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_KNOWN_ESCAPES = frozenset("rntf'\"`\\/")


def tokens(expression: str) -> list[Token]:
    """Return the tokens of `expression`, ending with one of kind 'end'."""
    found: list[Token] = []
    position, length = 0, len(expression)
    while position < length:
        match = _PATTERN.match(expression, position)
        if match is None:
            raise syntax_error(expression, position, _problem(expression, position))
        kind = match.lastgroup or ""
        if kind != "space":
            text = match.group()
            if kind == "external":
                text = text[1:]
            if text[0] in "`'" and kind != "symbol":
                text = _unescaped(expression, text[1:-1], position)
            found.append(Token(kind, text, position))
        position = match.end()
    found.append(Token("end", "", length))
    return found


def _problem(expression: str, position: int) -> str:
    character = expression[position]
    if character in "'`":
        return "a quote that is not closed"
    if expression.startswith("/*", position):
        return "a comment that is not closed"
    return f"unexpected character {character!r}"


def _unescaped(expression: str, text: str, position: int) -> str:
    if "\\" not in text:
        return text

    def one(match: re.Match[str]) -> str:
        escape = match.group(1)
        if len(escape) == 5:
            return chr(int(escape[1:], 16))
        if escape not in _KNOWN_ESCAPES:
            raise syntax_error(expression, position, f"unknown escape \\{escape}")
        return _ESCAPES.get(escape, escape)

    return _ESCAPE.sub(one, text)
