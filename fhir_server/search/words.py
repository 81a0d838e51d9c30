"""The words of a text, in order: without case and accents, alike for what is stored and for what is asked.

Writing without spaces (Chinese, Japanese, Korean, Thai, Lao, Khmer, Burmese …) gives its pairs of neighbouring
characters, and its last character alone: whatever is asked for is then found within the run.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from html import unescape

from fhir_server.search.params.string import normalize

LONGEST = 255
"""How many characters of a word count; PostgreSQL's limit is 2,046 bytes."""
_CACHED = 200
"""Texts up to this length are remembered: most are names of codes, and come again."""

_ASCII_WORD = re.compile(r"[a-z0-9]+")
_UNSPACED = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1100-\u11ff\u1780-\u17ff\u3005-\u3007\u3041-\u30ff\u3130-\u318f\u3400-\u4dbf"
    "\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U0001aff0-\U0001b16f\U00020000-\U0003ffff]"
)
"""Thai, Lao, Burmese, Hangul, Khmer, kana and Han."""
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_INLINE = re.compile(r"</?(?:a|abbr|b|big|em|i|small|span|strong|sub|sup|tt|u)\b[^>]*>", re.IGNORECASE)
_TAG = re.compile(r"<(?:[^<>\"']|\"[^\"]*\"|'[^']*')*>")


def words(text: str) -> tuple[str, ...]:
    """Return the words of `text` in order, with the pairs of what is written without spaces."""
    return _remembered(text) if len(text) <= _CACHED else _words(text)


def runs(text: str) -> list[tuple[str, bool]]:
    """Return the pieces that `text` is made of: words, and (True) runs written without spaces."""
    plain = normalize(text)
    if plain.isascii():
        return [(found[:LONGEST], False) for found in _ASCII_WORD.findall(plain)]
    found: list[tuple[str, bool]] = []
    piece, unspaced = "", False
    for char in unicodedata.normalize("NFC", plain):
        if _ignored(char):
            continue
        inside = _belongs(char)
        kind = inside and _UNSPACED.match(char) is not None
        if piece and (not inside or kind != unspaced):
            found.append((piece if unspaced else piece[:LONGEST], unspaced))
            piece = ""
        if inside:
            piece, unspaced = piece + char, kind
    if piece:
        found.append((piece if unspaced else piece[:LONGEST], unspaced))
    return found


def pairs(run: str) -> list[str]:
    """Return each character of a run with the one after it, the last one alone."""
    return [run[place : place + 2] for place in range(len(run))]


def plain_text(xhtml: str) -> str:
    """Return the text of an XHTML fragment: inline markup does not end a word, everything else does."""
    if "<!--" in xhtml:
        xhtml = _COMMENT.sub(" ", xhtml)
    return unescape(_TAG.sub(" ", _INLINE.sub("", xhtml)))


def _words(text: str) -> tuple[str, ...]:
    if text.isascii():
        return tuple(word[:LONGEST] for word in _ASCII_WORD.findall(text.lower()))
    return tuple(word for run, unspaced in runs(text) for word in (pairs(run) if unspaced else (run,)))


_remembered = lru_cache(16_384)(_words)


def _ignored(char: str) -> bool:
    """Whether a character only says how others look: soft hyphens, joiners, variation selectors."""
    return (
        unicodedata.category(char) == "Cf"
        or "\ufe00" <= char <= "\ufe0f"
        or "\U000e0100" <= char <= "\U000e01ef"
    )


def _belongs(char: str) -> bool:
    """Whether a character is part of a word: letters, digits, and marks on them."""
    return char.isalnum() or unicodedata.category(char)[0] == "M"
