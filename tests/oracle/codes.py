"""Tokens and strings.

Source: http://hl7.org/fhir/R4/search.html#token and #string; http://hl7.org/fhir/R4/datatypes.html#Identifier
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.oracle.definitions import binding, case_sensitive, systems
from tests.oracle.extract import Value
from tests.oracle.text import folded, plain, split

Json = dict[str, Any]
NO_PIPE = ("boolean", "ContactPoint", "uri", "url", "canonical", "oid", "uuid", "string", "id", "markdown")
"""Types whose values have no system, so that no pipe may be asked for."""
CODED = ("CodeableConcept", "Coding")


def _same(code: str, other: str, exact: bool) -> bool:
    return code == other if exact else code.casefold() == other.casefold()


def codings(value: Value) -> Iterator[Json]:
    """Yield the codings of a Coding, a CodeableConcept, or a `code` with the systems of its value set."""
    if value.type == "Coding":
        yield value.data
    elif value.type == "CodeableConcept":
        yield from (one for one in value.data.get("coding", ()) if one)
    elif value.type == "code":
        for system in systems(binding(value.path), value.data):
            yield {"system": system, "code": value.data}


def token_matches(value: Value, text: str) -> bool:
    """Whether a value passes code, system|code, |code or system|."""
    pieces = [plain(piece) for piece in split(text, "|")]
    system, code = pieces if len(pieces) == 2 else (None, pieces[0])
    if value.type in CODED:
        return any(_coding(one, system, code) for one in codings(value))
    if value.type == "code":
        if system is None:
            exact = any(case_sensitive(one["system"]) for one in codings(value))
            return _same(value.data, code, exact)
        return any(_coding(one, system, code) for one in codings(value))
    if value.type == "Identifier":
        return identifier_matches(value.data, system, code)
    if system is not None:
        return False
    if value.type == "boolean":
        return code == ("true" if value.data else "false")
    if value.type == "ContactPoint":
        return _same(value.data.get("value", ""), code, exact=False) and "value" in value.data
    if value.type == "string":
        return _same(value.data, code, exact=False)
    return isinstance(value.data, str) and value.data == code


def _coding(coding: Json, system: str | None, code: str) -> bool:
    own = coding.get("system")
    if system is not None and (own or "") != system:
        return False
    if not code:
        return bool(system)
    return "code" in coding and _same(coding["code"], code, case_sensitive(own))


def identifier_matches(identifier: Json, system: str | None, text: str) -> bool:
    """Whether an Identifier passes; its value differs by case."""
    if system is not None and identifier.get("system", "") != system:
        return False
    if not text:
        return bool(system)
    return bool(identifier.get("value") == text)


def of_type_matches(value: Value, text: str) -> bool:
    """Whether an Identifier has the type system|code and the value of `:of-type`."""
    system, code, wanted = (plain(piece) for piece in split(text, "|"))
    if value.type != "Identifier" or value.data.get("value") != wanted:
        return False
    kinds = value.data.get("type", {}).get("coding", ())
    return any(_coding(one, system, code) for one in kinds)


def labels(value: Value) -> Iterator[str]:
    """Yield the texts of a code: CodeableConcept.text, Coding.display, Identifier.type.text."""
    if value.type == "CodeableConcept" and "text" in value.data:
        yield value.data["text"]
    if value.type == "Identifier" and "text" in value.data.get("type", {}):
        yield value.data["type"]["text"]
    if value.type in CODED:
        yield from (one["display"] for one in codings(value) if "display" in one)


def text_matches(value: Value, text: str) -> bool:
    """Whether a code's text passes `:text`, a normal string search."""
    return any(starts(label, plain(text)) for label in labels(value))


def starts(stored: str, asked: str) -> bool:
    """Whether a string passes the search of strings without modifier."""
    return folded(stored).startswith(folded(asked))


NAME = ("text", "family", "given", "prefix", "suffix")
ADDRESS = ("text", "line", "city", "district", "state", "postalCode", "country")


def strings(value: Value) -> Iterator[str]:
    """Yield the strings of a value: all string elements of a name or an address."""
    if isinstance(value.data, str):
        yield value.data
    elif isinstance(value.data, dict):
        for key in NAME if value.type == "HumanName" else ADDRESS if value.type == "Address" else ():
            found = value.data.get(key)
            yield from (one for one in (found if isinstance(found, list) else [found]) if one)


def string_matches(value: Value, modifier: str, text: str) -> bool:
    """Whether a value passes a search of strings."""
    asked = plain(text)
    if modifier == "exact":
        return any(one == asked for one in strings(value))
    if modifier == "contains":
        return any(folded(asked) in folded(one) for one in strings(value))
    return any(starts(one, asked) for one in [*strings(value), *_further_words(value)])


def _further_words(value: Value) -> Iterator[str]:
    """Yield a family name from each of its further words on: these "should" be searched independently."""
    family = value.data.get("family") if value.type == "HumanName" else value.data
    if isinstance(family, str) and (value.type == "HumanName" or value.path.endswith("family")):
        words = folded(family).split()
        yield from (" ".join(words[start:]) for start in range(1, min(len(words), 16)))
