"""`is`, `as`, `ofType`: matching items against a type specifier; the type a reference names in its text.

Source: http://hl7.org/fhirpath/N1/#types, http://hl7.org/fhir/R4/fhirpath.html
"""

from __future__ import annotations

import re
from typing import Any

from resources.definitions import definitions
from resources.fhirpath.errors import evaluation_error
from resources.fhirpath.model import FHIR_OF_SYSTEM, is_type
from resources.fhirpath.values import Item, Json, Node, system_type

_REFERENCE = re.compile(r"(?:^|/)([A-Z][A-Za-z]+)/[A-Za-z0-9\-.]{1,64}(?:/_history/[A-Za-z0-9\-.]{1,64})?$")


def check_type(namespace: str, name: str) -> None:
    """Raise the FhirError for a type specifier that names no type."""
    if namespace in ("", "FHIR") and not is_type(name) and name not in FHIR_OF_SYSTEM and name != "Any":
        raise evaluation_error(f"there is no type {name}")
    if namespace not in ("", "FHIR", "System"):
        raise evaluation_error(f"there is no namespace {namespace}")


def matches(item: Item, namespace: str, name: str, *, derived: bool = True, lenient: bool = False) -> bool:
    """Return whether an item is of a type.

    Shape:  `derived` takes types deriving from it too (`is`); without it a primitive must be exactly of the type
            (`as`, `ofType`: a code is no string there); `lenient` reads a System name as the FHIR one, as some
            search parameters are written (`as DateTime`)
    """
    if type(item) is not Node:
        return namespace != "FHIR" and system_type(item) == name
    kind = item.kind
    if namespace == "System":
        return False
    if lenient and name in FHIR_OF_SYSTEM:
        name = FHIR_OF_SYSTEM[name]
    if kind.primitive and not derived:
        return kind.name == name
    return name in kind.ancestors


def reference_type(value: Any, contained: dict[str, Json] | None = None) -> str | None:
    """Return the resource type that a Reference (or a reference's text) names, None where it does not say.

    Shape:  `contained` maps ids of the surrounding resource to contained resources, for '#id'
    """
    text = value.get("reference") if isinstance(value, dict) else value
    if isinstance(text, str):
        if text[:1] == "#":
            found = (contained or {}).get(text[1:])
            return found.get("resourceType") if found else _declared(value)
        match = _REFERENCE.search(text)
        if match is not None and definitions().is_resource(match.group(1)):
            return match.group(1)
    return _declared(value)


def _declared(value: Any) -> str | None:
    declared = value.get("type") if isinstance(value, dict) else None
    return declared if isinstance(declared, str) else None


def contained_by_id(resource: Json) -> dict[str, Json]:
    """Return the contained resources of `resource` by id."""
    return {each["id"]: each for each in resource.get("contained", ()) if isinstance(each.get("id"), str)}
