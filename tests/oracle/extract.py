"""The values of a search parameter in a resource: `fhirpathpy` over plain JSON, with the FHIR type of each value."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

import fhirpathpy
from fhirpathpy.engine.nodes import ResourceNode
from fhirpathpy.models import models

from tests.oracle.definitions import resource_types

Json = dict[str, Any]


@dataclass(frozen=True)
class Value:
    """One value: its FHIR type, its JSON, and the alternative of the expression that found it."""

    type: str
    data: Any
    path: str


_AS = re.compile(r"\(([\w.]+)\s+as\s+(\w+)\)")
_HAS_EXTENSION = re.compile(r"hasExtension\(('[^']*')\)")
_BASE = re.compile(r"\b(Domain)?Resource\.")


def alternatives(expression: str) -> list[str]:
    """Return the parts of a union at its top level."""
    parts, depth, start = [], 0, 0
    for at, char in enumerate(expression):
        depth += (char == "(") - (char == ")")
        if char == "|" and not depth:
            parts.append(expression[start:at])
            start = at + 1
    return [part.strip() for part in [*parts, expression[start:]]]


def _readable(alternative: str, type_name: str) -> str:
    """Return an expression as fhirpathpy reads it.

    `as` on several items is an error by the letter of FHIRPath, which R4's parameters rely on: it is `ofType` here.
    It has no hasExtension() and does not see a Patient as a Resource at the start of a path.
    """
    text = (
        _AS.sub(r"\1.ofType(\2)", alternative).replace(".as(", ".ofType(").replace("(DateTime)", "(dateTime)")
    )
    text = _HAS_EXTENSION.sub(r"extension(\1).exists()", text)
    return _BASE.sub(f"{type_name}.", text)


_contained: dict[str, str] = {}


def _resolve(nodes: Iterable[Any]) -> list[Any]:
    """Return an empty resource of the type that each reference names; all that the parameters ask is its type."""
    found = []
    for node in nodes:
        data = node.data if isinstance(node, ResourceNode) else node
        name = named_type(data) if isinstance(data, dict) else ""
        if name:
            found.append(ResourceNode({"resourceType": name}, name))  # type: ignore[no-untyped-call]
    return found


def named_type(reference: Json) -> str:
    """Return the resource type that a Reference says it is to, '' where it does not."""
    text = str(reference.get("reference", ""))
    if text.startswith("#"):
        return _contained.get(text[1:], "") or str(reference.get("type", ""))
    parts = text.partition("/_history/")[0].split("/")
    if len(parts) > 1 and parts[-2] in resource_types():
        return parts[-2]
    return str(reference.get("type", ""))


_OPTIONS = {"returnRawData": True, "userInvocationTable": {"resolve": {"fn": _resolve, "arity": {0: []}}}}


@cache
def _compiled(expression: str) -> Any:
    return fhirpathpy.compile(expression, models["r4"], options=_OPTIONS)


def nodes(resource: Json, expression: str) -> list[tuple[str, Any]]:
    """Return (alternative, node) for everything that an expression finds in a resource."""
    _contained.clear()
    _contained.update({one.get("id", ""): one["resourceType"] for one in resource.get("contained", ())})
    name = resource["resourceType"]
    found = []
    for alternative in alternatives(expression):
        head = re.match(r"\(*([A-Z]\w+)", alternative)
        if head and head[1] not in (name, "Resource", "DomainResource"):
            continue
        found += [(alternative, node) for node in _compiled(_readable(alternative, name))(resource)]
    return found


def values(resource: Json, expression: str) -> list[Value]:
    """Return the values of an expression, in order."""
    return [one for alternative, node in nodes(resource, expression) for one in _value(alternative, node)]


def parts(resource: Json, node: Any, expression: str) -> list[Value]:
    """Return the values of a component's expression, evaluated on one item of a composite."""
    found = []
    for alternative in alternatives(expression):
        context = {"resource": resource}
        for child in _compiled(_readable(alternative, resource["resourceType"]))(node, context):
            found += _value(alternative, child)
    return found


def _value(alternative: str, node: Any) -> list[Value]:
    if isinstance(node, bool):
        return [Value("boolean", node, alternative)]
    if isinstance(node, ResourceNode):
        data, name = node.data, node.path or ""
        if data is None:
            return []
        if name == "Extension":
            return [
                _of_extension(alternative, key, child) for key, child in data.items() if key[:5] == "value"
            ]
        return [Value(name, data, alternative)]
    return [Value("string", node, alternative)]


_COMPLEX = (
    "CodeableConcept",
    "Coding",
    "Identifier",
    "ContactPoint",
    "Reference",
    "Quantity",
    "Period",
    "Range",
)


def _of_extension(alternative: str, key: str, data: Any) -> Value:
    name = key.removeprefix("value")
    return Value(name if name in _COMPLEX else name[0].lower() + name[1:], data, alternative)
