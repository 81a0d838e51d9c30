"""How types are walked: for each type, which JSON keys a FHIRPath step reads and what type it finds there."""

from __future__ import annotations

from functools import cache
from typing import Any, Final

from resources.definitions import Element, definitions

Json = dict[str, Any]

_SYSTEM_OF_PRIMITIVE: Final = {
    "boolean": "Boolean",
    "integer": "Integer",
    "positiveInt": "Integer",
    "unsignedInt": "Integer",
    "decimal": "Decimal",
    "date": "Date",
    "dateTime": "DateTime",
    "instant": "DateTime",
    "time": "Time",
}
FHIR_OF_SYSTEM: Final = {
    "Boolean": "boolean",
    "Integer": "integer",
    "Decimal": "decimal",
    "String": "string",
    "Date": "date",
    "DateTime": "dateTime",
    "Time": "time",
    "Quantity": "Quantity",
}
"""The FHIR type that a System value is reported as."""


class Slot:
    """One way an element is written: step name, JSON key, key of the primitive's sibling, type, array or not."""

    __slots__ = ("_kind", "key", "many", "name", "primitive", "type_name", "under")

    def __init__(self, name: str, key: str, type_name: str, many: bool) -> None:
        self.name = name
        self.key = key
        self.under = "_" + key
        self.type_name = type_name
        self.many = many
        self.primitive = type_name[0].islower()
        self._kind: Kind | None = None

    @property
    def kind(self) -> Kind:
        """The kind of what the slot holds (for a contained resource: of any resource)."""
        found = self._kind
        if found is None:
            found = self._kind = kind_of(self.type_name)
        return found


class Kind:
    """A type as the evaluator sees it.

    Shape:  `steps` maps a step's name to its slots, the choices of value[x] all under 'value';
            `ancestors` holds the type itself and all it derives from; `system` is the System type of its value
    """

    __slots__ = ("ancestors", "dynamic", "name", "primitive", "steps", "system")

    def __init__(self, name: str) -> None:
        typedef = definitions().type(name)
        self.name = name
        self.primitive = typedef.kind == "primitive"
        self.dynamic = typedef.kind == "resource" and typedef.abstract
        self.ancestors = _ancestors(name)
        self.system = self._system()
        self.steps: dict[str, tuple[Slot, ...]] = {
            element.name: tuple(_slots(element))
            for element in typedef.elements.values()
            if not (self.primitive and element.name == "value")
        }

    def _system(self) -> str | None:
        if self.primitive:
            return _SYSTEM_OF_PRIMITIVE.get(self.name, "String")
        return "Quantity" if "Quantity" in self.ancestors else None


def _slots(element: Element) -> list[Slot]:
    return [Slot(element.name, key, _plain(name), element.many) for key, name in element.json_keys()]


def _plain(type_name: str) -> str:
    return "string" if type_name.startswith("http://hl7.org/fhirpath/") else type_name


@cache
def kind_of(type_name: str) -> Kind:
    """Return the kind of a type; KeyError where there is none."""
    return Kind(type_name)


@cache
def _ancestors(name: str) -> frozenset[str]:
    found = {name}
    base = definitions().type(name).base
    while base is not None and base not in found:
        found.add(base)
        try:
            base = definitions().type(base).base
        except KeyError:
            break
    return frozenset(found)


def resource_kind(resource: Json) -> Kind | None:
    """Return the kind of a resource by its `resourceType`, None where that is no R4 type."""
    name = resource.get("resourceType")
    return kind_of(name) if isinstance(name, str) and definitions().is_resource(name) else None


def is_type(name: str) -> bool:
    """Whether `name` is an R4 type."""
    return name in definitions().package.types
