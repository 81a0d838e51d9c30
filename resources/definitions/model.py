"""What we keep of the official definitions: types, elements, search parameters, compartments, operations."""

from __future__ import annotations

from functools import cached_property
from typing import Literal

import msgspec


class Element(msgspec.Struct, frozen=True, gc=False):
    """One element of a type.

    Shape:  `name` is plain ('value' for value[x]); `types` are FHIR type codes; `max` None means unbounded;
            `type_name` is the `TypeDef` that holds the children of a backbone or a contentReference
            ('Patient.contact', 'Questionnaire.item'), empty where `types` says it all
    """

    name: str
    path: str
    types: tuple[str, ...]
    min: int
    max: int | None
    choice: bool = False
    summary: bool = False
    modifier: bool = False
    binding: tuple[str, str] | None = None
    targets: tuple[str, ...] = ()
    type_name: str = ""
    xml: Literal["element", "attribute", "xhtml"] = "element"

    @property
    def many(self) -> bool:
        """Whether JSON writes the element as an array."""
        return self.max != 1

    def json_keys(self) -> tuple[tuple[str, str], ...]:
        """Return (JSON key, type name) for every way the element can be written."""
        if not self.choice:
            return ((self.name, self.type_name or self.types[0]),)
        return tuple((self.name + code[0].upper() + code[1:], code) for code in self.types)


Kind = Literal["resource", "complex", "backbone", "primitive"]


class TypeDef(msgspec.Struct, frozen=True, dict=True):
    """A resource, data type or backbone element: its elements in order, inherited ones included.

    Shape:  `regex` is the official pattern of a primitive's value, where one is published
    """

    name: str
    kind: Kind
    base: str | None
    abstract: bool
    elements: dict[str, Element]
    regex: str | None = None

    @cached_property
    def by_json(self) -> dict[str, tuple[Element, str]]:
        """Map each JSON key (choices expanded: 'valueQuantity') to its element and type name."""
        return {
            key: (element, code) for element in self.elements.values() for key, code in element.json_keys()
        }


class SearchParam(msgspec.Struct, frozen=True, gc=False):
    """An official SearchParameter: `components` are (definition url, expression) of a composite."""

    url: str
    code: str
    type: str
    base: tuple[str, ...]
    expression: str
    targets: tuple[str, ...] = ()
    components: tuple[tuple[str, str], ...] = ()
    description: str = ""


class OperationParam(msgspec.Struct, frozen=True, gc=False):
    """One parameter of an OperationDefinition."""

    name: str
    use: str
    min: int
    max: str
    type: str = ""


class Operation(msgspec.Struct, frozen=True, gc=False):
    """An official OperationDefinition, as far as routing and metadata need it."""

    url: str
    code: str
    resources: tuple[str, ...]
    system: bool
    type: bool
    instance: bool
    affects_state: bool
    parameters: tuple[OperationParam, ...] = ()


class Package(msgspec.Struct, frozen=True):
    """Everything compiled from one definitions package."""

    name: str
    version: str
    types: dict[str, TypeDef]
    search: tuple[SearchParam, ...]
    compartments: dict[str, dict[str, tuple[str, ...]]]
    operations: tuple[Operation, ...]
    valuesets: dict[str, tuple[tuple[str, tuple[str, ...]], ...]]
