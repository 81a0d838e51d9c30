"""Regular expressions of value sets as PostgreSQL writes them: with the same meaning, or not at all.

R4 names no dialect; what Perl, Java, XML Schema and Python have in common is taken. A feature that PostgreSQL lacks or
reads in another way (possessive quantifiers, Unicode classes, sets within sets …) is refused by name.
Source: http://hl7.org/fhir/R4/valueset-filter-operator.html (regex),
https://www.postgresql.org/docs/current/functions-matching.html#POSIX-SYNTAX-DETAILS
"""

from __future__ import annotations

import re
from collections.abc import Iterator

MOST_REPEATS = 255
"""What a counted repetition may say in PostgreSQL."""

_TOKEN = re.compile(
    r"(?P<escape>\\(?:u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|.))"
    r"|(?P<open>\((?:\?(?:[:=!]|<[=!]))?)"
    r"|(?P<set>\[\^?\]?(?:\\.|[^\]\\])*\])"
    r"|(?P<count>\{\d+(?:,\d*)?\})"
    r"|(?P<repeat>[*+?])"
    r"|(?P<plain>.)",
    re.DOTALL,
)
_IN_SET = re.compile(r"\\(?:u[0-9A-Fa-f]{4}|x[0-9A-Fa-f]{2}|.)|.", re.DOTALL)

_SHORT = {**{letter: "\\" + letter for letter in "dDwWsSntrfvAZ"}, "b": r"\y", "B": r"\Y"}
"""Escapes of classes and places, as PostgreSQL has them."""

_SHORT_IN_SET = {**{letter: "\\" + letter for letter in "dwsntrfv"}, "b": r"\u0008"}


_PLACES = frozenset({"^", "$", r"\A", r"\Z", r"\b", r"\B"})
"""What matches no character, so that PostgreSQL does not let it be repeated."""


_CAPTURING = ("(", "(?:")
"""Groups that match characters."""


class PatternError(Exception):
    """A regular expression that cannot be written for PostgreSQL; the text says what of it."""


def postgresql(pattern: str) -> str:
    """Return a valid regular expression in PostgreSQL's words, to be matched as a whole.

    Errors: PatternError
    """
    options = "(?i)" if pattern.startswith("(?i)") else ""
    return f"{options}^(?:{''.join(_pieces(pattern.removeprefix('(?i)')))})$"


def _pieces(pattern: str) -> Iterator[str]:
    repeated, fixed = False, False
    groups: list[str] = []
    for token in _TOKEN.finditer(pattern):
        kind, text = token.lastgroup, token.group()
        if kind == "repeat" and repeated:
            if text == "+":
                raise PatternError("a possessive quantifier")
            repeated = False  # a lazy quantifier finds the same whole matches
            continue
        again, repeated = repeated, kind in ("repeat", "count")
        if repeated and (fixed or again):
            raise PatternError("a quantifier of what is no character, set or group")
        fixed = text in _PLACES or (text == ")" and groups.pop() not in _CAPTURING)
        groups += [text] if kind == "open" else []
        yield _piece(kind or "", text, pattern[token.end() : token.end() + 1])


def _piece(kind: str, text: str, following: str) -> str:
    match kind:
        case "escape":
            return _escaped(text, following, _SHORT)
        case "open":
            return _opened(text, following)
        case "set":
            return _set(text)
        case "count":
            return _counted(text)
    return "\\" + text if text in "[]{}" else text


def _escaped(text: str, following: str, short: dict[str, str]) -> str:
    letter = text[1]
    if letter in "xu" and len(text) > 2:
        return "\\u" + text[2:].rjust(4, "0")
    if letter in short:
        return short[letter]
    if letter in "123456789" and not following.isdigit() and "D" in short:
        return text
    if letter.isalnum() or letter == "_":
        raise PatternError(f"the escape '{text}'")
    return text if letter.isascii() and not letter.isspace() else letter


def _opened(text: str, following: str) -> str:
    if text == "(" and following == "?":
        raise PatternError("a group '(?…'")
    return text


def _counted(text: str) -> str:
    if any(int(number) > MOST_REPEATS for number in re.findall(r"\d+", text)):
        raise PatternError(f"more than {MOST_REPEATS} repetitions")
    return text


def _set(text: str) -> str:
    """Return a set of characters; one within another, and operations on sets, mean different things elsewhere."""
    head = "[^" if text.startswith("[^") else "["
    inner = text[len(head) : -1]
    if any(mark in inner.replace("\\\\", "").replace("\\[", "") for mark in ("[", "&&", "||", "--", "~~")):
        raise PatternError("a set within a set of characters")
    pieces = [
        _escaped(piece, "", _SHORT_IN_SET) if len(piece) > 1 else piece for piece in _IN_SET.findall(inner)
    ]
    return f"{head}{''.join(pieces)}]"
