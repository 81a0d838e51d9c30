"""How search values are written, and how strings compare.

Source: http://hl7.org/fhir/R4/search.html#escaping, #prefix, #string
"""

from __future__ import annotations

import re
import unicodedata

_PREFIX = re.compile(r"(eq|ne|gt|lt|ge|le|sa|eb|ap)(?=[-+.\d])")


def split(text: str, separator: str) -> list[str]:
    """Return the parts between separators that no backslash precedes; escapes stay."""
    parts = [""]
    at = 0
    while at < len(text):
        if text[at] == "\\":
            parts[-1] += text[at : at + 2]
            at += 2
        elif text[at] == separator:
            parts.append("")
            at += 1
        else:
            parts[-1] += text[at]
            at += 1
    return parts


def plain(text: str) -> str:
    """Return a value without its escapes."""
    return re.sub(r"\\(.)", r"\1", text)


def escape(text: str) -> str:
    """Return a value with its separators escaped."""
    return re.sub(r"([\\,|$])", r"\\\1", text)


def prefixed(text: str) -> tuple[str, str]:
    """Return the prefix, eq where there is none, and the rest."""
    found = _PREFIX.match(text)
    return (found[1], text[2:]) if found else ("eq", text)


def folded(text: str) -> str:
    """Return a string without case, accents and runs of white space.

    Shape:  marks that make another letter stay: virama and the voicing of kana (combining classes 9 and 8); Turkish
            tells i and dotless i apart by case alone, so that they are one; syllables of Hangul are letters
    """
    bare = text
    for _ in range(2):
        decomposed = unicodedata.normalize("NFKD", bare.casefold())
        bare = "".join(char for char in decomposed if unicodedata.combining(char) in (0, 8, 9))
    return unicodedata.normalize("NFC", " ".join(bare.replace("ı", "i").split()))
