"""Which rules an element of a type carries: what the gate and the explanation both go by."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache
from typing import Any

from resources.definitions import Element, TypeDef, definitions
from resources.validate.narrative import is_div
from resources.validate.primitives import PRIMITIVES, Check

RELATIVE_HELP = "Type/id, Type/id/_history/version, Type?query, #id or an absolute URI"


def is_primitive(type_name: str) -> bool:
    """Whether values of the type are JSON scalars."""
    return type_name in PRIMITIVES or type_name == "xhtml"


def is_resource(type_name: str) -> bool:
    """Whether the type is a resource, so that JSON writes its `resourceType`."""
    return "." not in type_name and definitions().type(type_name).kind == "resource"


def extensible(element: Element, type_name: str) -> bool:
    """Whether JSON may write `_name` beside the element (never for ids, extension urls and the narrative)."""
    return type_name in PRIMITIVES and element.xml == "element" and element.name != "id"


@cache
def bound_codes(element: Element) -> frozenset[tuple[str, str]] | None:
    """Return every (system, code) that a required binding allows, None where nothing can be refused.

    Source: http://hl7.org/fhir/R4/terminologies.html#required
    """
    if element.binding is None or element.binding[0] != "required":
        return None
    return definitions().valueset_codes(element.binding[1])


@cache
def _code_check(element: Element) -> Check:
    allowed = bound_codes(element)
    if allowed is None:
        return PRIMITIVES["code"].check
    return frozenset(code for _, code in allowed).__contains__


def primitive_check(element: Element, type_name: str) -> Check:
    """Return the check of one value, the codes of a required binding included."""
    if type_name == "xhtml":
        return is_div
    if type_name == "code":
        return _code_check(element)
    if element.path == "Reference.reference":
        return reference_check()
    return PRIMITIVES[type_name].check


def is_bound(codes: Collection[tuple[str, str]], value: dict[str, Any]) -> bool:
    """Whether a Coding, or one coding of a CodeableConcept, is among `codes`; extensions may stand in for it."""
    if "coding" in value:
        return any((coding.get("system"), coding.get("code")) in codes for coding in value["coding"])
    if "code" in value:
        return (value.get("system"), value["code"]) in codes
    return value.keys() <= {"id", "extension"}


_is_uri = re.compile(r"[^\x00-\x20\ud800-\udfff\ufffe\uffff]+").fullmatch
_is_id = PRIMITIVES["id"].check


@cache
def reference_check() -> Check:
    """Return the check of Reference.reference.

    Source: http://hl7.org/fhir/R4/references.html#literal, http.html#trules (conditional references)
    """
    types = frozenset(definitions().resource_types)

    def is_reference(value: Any) -> Any:
        head, slash, rest = value.partition("/")
        if slash and head in types:
            return _is_id(rest) or _is_versioned(rest)
        if not _is_uri(value):
            return False
        if value[0] == "#":
            return True
        if "?" in head:
            return head.partition("?")[0] in types
        scheme, colon, _ = head.partition(":")
        return colon and scheme[:1].isalpha() and scheme.isascii()

    return is_reference


def _is_versioned(rest: str) -> bool:
    name, _, version = rest.partition("/_history/")
    return bool(_is_id(name) and _is_id(version))


def choices(typedef: TypeDef) -> list[tuple[Element, frozenset[str]]]:
    """Return the choice elements of a type with the JSON keys of which one may be present."""
    return [(e, frozenset(key for key, _ in e.json_keys())) for e in typedef.elements.values() if e.choice]
