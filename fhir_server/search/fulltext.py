"""Full text: a resource goes in, the text of its tsvector comes out. Compiled once per resource type.

    weight A    the words of the narrative (`Resource.text.div`): what `_text` looks at
    weight D    the words of every other string, markdown and XHTML: with the narrative what `_content` looks at

Codes, ids, addresses, dates and numbers are no text, nor is what an attachment encodes; `Reference.reference` is an
address, although its type is string. Contained resources and the entries of a Bundle are part of the whole.
A resource's type is a word of its own (`/17`), so that common words of rare types are found fast.

Source: http://hl7.org/fhir/R4/search.html#content
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, lru_cache
from typing import Any

from fhir_server.search.words import plain_text, words
from fhir_server.storage.rows import type_number
from resources.definitions import definitions

TEXT_TYPES = frozenset({"string", "markdown", "xhtml"})
LINKS = frozenset({"Reference.reference"})
"""Elements of type string that hold no text."""

LAST_POSITION = 16_383
"""PostgreSQL gives no word a later position: phrases are found up to here."""
MOST_POSITIONS = 255
"""PostgreSQL keeps no more positions of one word in one resource."""
MOST_BYTES = 900_000
"""PostgreSQL's tsvector holds 1 MB of words and positions: later words are left out, and `CUT` stands for them."""
CUT = "/cut"
"""The word of a resource with text that is not all indexed."""
_PER_WORD, _PER_POSITION = 8, 2
_CACHED = 4_000
"""Resources with no more characters of text than this are remembered: many differ in codes and numbers alone."""


def document(resource: dict[str, Any], *, contained: bool = False) -> str:
    """Return the tsvector's literal of a resource, empty where it has no words.

    Shape:  a `contained` resource has another word for its type, so that it is no match of a plain search
    """
    narrative = _narrative(resource)
    found: list[str] = []
    _collect(resource, _table(resource["resourceType"], True), found)
    texts = tuple(found)
    small = len(narrative) + sum(map(len, texts)) <= _CACHED
    body = (_remembered if small else _literal)(narrative, texts)
    return f"{kind(resource['resourceType'], contained=contained)} {body}" if body else ""


def kind(type_name: str, *, contained: bool = False) -> str:
    """Return the word that stands for a resource type."""
    return f"/{'c' if contained else ''}{type_number(type_name)}"


def has_narrative(document: str) -> bool:
    """Whether a document holds words of a narrative, which come first."""
    return document.partition(":")[2].partition(" ")[0].partition(",")[0].endswith("A")


def _narrative(resource: dict[str, Any]) -> str:
    text = resource.get("text")
    div = text.get("div") if text.__class__ is dict else None
    return div if div.__class__ is str else ""


def _collect(node: dict[str, Any], table: dict[str, str], found: list[str]) -> None:
    """Add every text below `node` to `found`, in the order of the JSON."""
    for key, value in node.items():
        what = table.get(key)
        if what is None:
            continue
        for item in value if value.__class__ is list else (value,):
            if item.__class__ is dict:
                _collect(item, _table(what or item["resourceType"]), found)
            elif item.__class__ is str:
                found.append(plain_text(item) if what is _XHTML else item)


_TEXT, _XHTML, _ANY_RESOURCE = "text", "markup", ""


@cache
def _table(type_name: str, own_narrative: bool = False) -> dict[str, str]:
    """Return what each JSON key of a type holds: text, markup, values of a type, or any resource.

    Shape:  without the resource's own narrative where that is looked at for itself
    """
    table: dict[str, str] = {}
    for key, (element, leaf) in definitions().type(type_name).by_json.items():
        primitive = definitions().type(leaf).kind == "primitive"
        if primitive:
            table["_" + key] = "Element"
        if leaf in TEXT_TYPES and f"{type_name}.{element.name}" not in LINKS:
            table[key] = _XHTML if leaf == "xhtml" else _TEXT
        elif leaf in ("Resource", "DomainResource"):
            table[key] = _ANY_RESOURCE
        elif not primitive and not (own_narrative and leaf == "Narrative"):
            table[key] = leaf
    return table


def _literal(narrative: str, texts: Sequence[str]) -> str:
    places: dict[str, list[str]] = {}
    position, room = 1, MOST_BYTES
    whole = True
    parts = [(plain_text(narrative), "A")] if narrative else []
    parts += [(text, "") for text in texts]
    for text, weight in parts:
        for word in words(text):
            at = places.get(word)
            if at is None:
                room -= len(word.encode()) + _PER_WORD
                at = places[word] = []
            room -= _PER_POSITION
            if room < 0:
                break
            if len(at) < MOST_POSITIONS and position < LAST_POSITION:
                at.append(f"{position}{weight}")
            elif not at:
                at.append(f"{LAST_POSITION}{weight}")
            else:
                whole = False
            position += 1
        position += 1
    return _joined(places, whole and room >= 0 and position < LAST_POSITION)


def _joined(places: dict[str, list[str]], whole: bool) -> str:
    found = [f"{word}:{','.join(at)}" for word, at in places.items() if at]
    return " ".join(found if whole else [*found, CUT])


_remembered = lru_cache(8_192)(_literal)
