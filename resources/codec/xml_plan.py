"""How each type is written in XML, worked out once per type from the definitions, for the reader and the writer."""

from __future__ import annotations

from functools import cache
from typing import Literal, NamedTuple

from resources.definitions import definitions
from resources.outcome import FhirError

FHIR = "http://hl7.org/fhir"
XHTML = "http://www.w3.org/1999/xhtml"

Kind = Literal["primitive", "object", "resource", "xhtml"]


class Slot(NamedTuple):
    """One JSON key of a type: its place in the order, whether it repeats, and what its value is."""

    order: int
    key: str
    name: str
    many: bool
    kind: Kind
    type_name: str


class Plan(NamedTuple):
    """A type in XML: its child elements by tag and its attributes."""

    slots: dict[str, Slot]
    attributes: frozenset[str]


@cache
def plan(type_name: str) -> Plan:
    """Return how the resource, complex or backbone type is written in XML."""
    slots, attributes = {}, set()
    order = {name: place for place, name in enumerate(definitions().type(type_name).elements)}
    for key, (element, code) in definitions().type(type_name).by_json.items():
        if element.xml == "attribute":
            attributes.add(key)
        else:
            slots[key] = Slot(order[element.name], key, element.name, element.many, _kind(code), code)
    return Plan(slots, frozenset(attributes))


def _kind(code: str) -> Kind:
    if code == "xhtml":
        return "xhtml"
    if code == "Resource":
        return "resource"
    return "primitive" if "." not in code and definitions().type(code).kind == "primitive" else "object"


def is_resource(name: object) -> bool:
    """Whether `name` is a concrete resource type."""
    return isinstance(name, str) and definitions().is_resource(name)


def refused(text: str, expression: str = "") -> FhirError:
    """Return the error for a resource that cannot be written as XML."""
    return FhirError(422, "structure", text, *([expression] if expression else []))
