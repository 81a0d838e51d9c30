"""Concepts on their way from a file or a CodeSystem resource to the tables: what every loader yields.

Source: http://hl7.org/fhir/R4/codesystem.html
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

PropertyKind = Literal["code", "Coding", "string", "integer", "boolean", "dateTime", "decimal"]


class PropertyValue(msgspec.Struct, frozen=True, gc=False):
    """A property of a concept; `value` as text (booleans true/false), a Coding by its code with `system`, `display`."""

    name: str
    kind: PropertyKind
    value: str
    system: str = ""
    display: str = ""


class Designation(msgspec.Struct, frozen=True, gc=False):
    """Another name of a concept; `use` is (system, code, display)."""

    value: str
    language: str = ""
    use: tuple[str, str, str] | None = None


class ConceptRecord(msgspec.Struct, frozen=True, gc=False):
    """One concept.

    Shape:  `parents` are codes of the same code system, which may come later in the stream
    """

    code: str
    display: str = ""
    definition: str = ""
    parents: tuple[str, ...] = ()
    active: bool = True
    abstract: bool = False
    properties: tuple[PropertyValue, ...] = ()
    designations: tuple[Designation, ...] = ()


class DeclaredProperty(msgspec.Struct, frozen=True):
    """A property that a code system declares."""

    code: str
    kind: PropertyKind
    uri: str = ""
    description: str = ""


class SystemHeader(msgspec.Struct, frozen=True):
    """What is said of a code system besides its concepts; `resource` are further elements of its CodeSystem."""

    url: str
    version: str
    name: str
    title: str = ""
    status: str = "active"
    content: Literal["complete", "fragment", "example", "supplement", "not-present"] = "complete"
    cased: bool = True
    meaning: str = "is-a"
    compositional: bool = False
    properties: tuple[DeclaredProperty, ...] = ()
    copyright: str = ""
    resource: dict[str, Any] = {}
