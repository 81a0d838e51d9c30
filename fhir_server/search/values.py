"""How search values are written: escapes, alternatives, pipes, prefixes.

Source: http://hl7.org/fhir/R4/search.html#escaping and #prefix
"""

from __future__ import annotations

import re

from resources.outcome import FhirError

_ESCAPED = re.compile(r"\\([\\,$|])")
_PREFIX = re.compile(r"(eq|ne|gt|lt|ge|le|sa|eb|ap)(?=[\d+\-.])")


def split(text: str, separator: str) -> list[str]:
    """Return the parts of `text` between unescaped separators, escapes kept."""
    if "\\" not in text:
        return text.split(separator)
    parts, start, position = [], 0, 0
    while position < len(text):
        if text[position] == "\\":
            position += 2
        elif text[position] == separator:
            parts.append(text[start:position])
            position += 1
            start = position
        else:
            position += 1
    parts.append(text[start:])
    return parts


def unescape(text: str) -> str:
    """Return `text` with its escaped characters plain.

    Errors: 400 value where a backslash escapes nothing
    """
    if "\\" not in text:
        return text
    if "\\" in _ESCAPED.sub("", text):
        wanted = "'\\' stands before '\\', ',', '$' or '|' only: a plain one is written '\\\\'"
        raise FhirError(400, "value", f"'{text[:100]}' is no search value: {wanted}")
    return _ESCAPED.sub(r"\1", text)


def piped(text: str) -> list[str]:
    """Return the parts of a value between its unescaped pipes, plain."""
    return [unescape(part) for part in split(text, "|")]


def prefixed(text: str) -> tuple[str, str]:
    """Return the prefix (eq where there is none) and the rest of an ordered value."""
    found = _PREFIX.match(text)
    return (found[1], text[2:]) if found else ("eq", text)


def bad_value(code: str, text: str, wanted: str) -> FhirError:
    """Return the error for a value that a parameter cannot take."""
    return FhirError(400, "value", f"'{text[:100]}' is no value for the search parameter '{code}': {wanted}")
