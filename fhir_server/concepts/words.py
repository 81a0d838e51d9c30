"""The words of a concept as full text: what `filter` of an expansion looks for."""

from __future__ import annotations

import re
from collections.abc import Iterable

from fhir_server.search.params.string import normalize

_WORD = re.compile(r"[^\W_]+")
_LONGEST = 100
"""Characters of a word that count."""


def words(text: str) -> list[str]:
    """Return the words of a text without case and accents."""
    return [word[:_LONGEST] for word in _WORD.findall(normalize(text))]


def vector(texts: Iterable[str]) -> str:
    """Return the words of texts as PostgreSQL writes a tsvector."""
    return " ".join(f"'{word}'" for word in sorted({word for text in texts for word in words(text)}))


def query(text: str) -> str:
    """Return the tsquery for texts with a word that begins so for each word of `text`, empty where it has none."""
    return " & ".join(f"'{word}':*" for word in words(text))
