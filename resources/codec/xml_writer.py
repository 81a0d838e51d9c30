"""Write a resource as FHIR XML, elements in the order of the definitions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from decimal import Decimal
from itertools import zip_longest
from typing import Any

from resources.codec.xml_div import stands_alone
from resources.codec.xml_plan import FHIR, Slot, is_resource, plan, refused

_ESCAPES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\n": "&#10;", "\r": "&#13;", "\t": "&#9;"}
_ESCAPE = str.maketrans(_ESCAPES)
_SPECIAL = re.compile('[&<>"\n\r\t]')
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_BESIDE = frozenset({"id", "extension"})


class XmlWriter:
    """One document; `write` may be called once."""

    def __init__(self, pretty: bool) -> None:
        self._parts: list[str] = []
        self._pretty = pretty

    def write(self, resource: dict[str, Any]) -> bytes:
        """Return the document; raises FhirError 422 for what the definitions do not know."""
        self._parts.append('<?xml version="1.0" encoding="UTF-8"?>')
        self._resource(resource, "", 0)
        text = "".join(self._parts) + ("\n" if self._pretty else "")
        if found := _FORBIDDEN.search(text):
            raise refused(f"XML cannot hold the character U+{ord(found.group()):04X}")
        return text.encode()

    def _indent(self, depth: int) -> str:
        return "\n" + "  " * depth if self._pretty else ""

    def _resource(self, value: Any, path: str, depth: int) -> None:
        name = value.get("resourceType") if isinstance(value, dict) else None
        if not is_resource(name):
            raise refused(f"Unknown resource type {str(name)[:60]!r}", path)
        space = "" if path else f' xmlns="{FHIR}"'
        self._parts.append(f"{self._indent(depth)}<{name}{space}>")
        self._children(value, str(name), path or str(name), depth + 1)
        self._parts.append(f"{self._indent(depth)}</{name}>")

    def _object(self, tag: str, value: Any, type_name: str, path: str, depth: int) -> None:
        if not isinstance(value, dict):
            raise refused(f"{tag} must be an object", path)
        self._parts.append(f"{self._indent(depth)}<{tag}")
        for name in plan(type_name).attributes:
            if name in value:
                self._parts.append(f' {name}="{_text(value[name], path)}"')
        self._content(tag, value, type_name, path, depth)

    def _content(self, tag: str, value: dict[str, Any], type_name: str, path: str, depth: int) -> None:
        """Close the open tag, with children between where there are any."""
        if value.keys() <= plan(type_name).attributes:
            self._parts.append("/>")
            return
        self._parts.append(">")
        self._children(value, type_name, path, depth + 1)
        self._parts.append(f"{self._indent(depth)}</{tag}>")

    def _children(self, value: dict[str, Any], type_name: str, path: str, depth: int) -> None:
        for slot in _present(value, type_name, path):
            where = f"{path}.{slot.name}"
            if slot.kind == "primitive":
                self._primitives(slot, value.get(slot.key), value.get("_" + slot.key), where, depth)
            elif not slot.many:
                self._child(slot, value[slot.key], where, depth)
            else:
                for index, child in enumerate(_array(value[slot.key], where)):
                    self._child(slot, child, f"{where}[{index}]", depth)

    def _child(self, slot: Slot, value: Any, path: str, depth: int) -> None:
        if slot.kind == "resource":
            self._parts.append(f"{self._indent(depth)}<{slot.key}>")
            self._resource(value, path, depth + 1)
            self._parts.append(f"{self._indent(depth)}</{slot.key}>")
        elif slot.kind == "xhtml":
            if not isinstance(value, str) or not stands_alone(value):
                raise refused("The narrative is not well-formed XHTML", path)
            self._parts.append(self._indent(depth) + value)
        else:
            self._object(slot.key, value, slot.type_name, path, depth)

    def _primitives(self, slot: Slot, values: Any, beside: Any, path: str, depth: int) -> None:
        if not slot.many:
            self._primitive(slot.key, values, beside, path, depth)
            return
        pairs = zip_longest(_array(values or [], path), _array(beside or [], path))
        for index, (value, other) in enumerate(pairs):
            self._primitive(slot.key, value, other, f"{path}[{index}]", depth)

    def _primitive(self, tag: str, value: Any, beside: Any, path: str, depth: int) -> None:
        if value is None and beside is None:
            raise refused("An element must have a value or extensions", path)
        self._parts.append(f"{self._indent(depth)}<{tag}")
        if beside is not None and (not isinstance(beside, dict) or not beside.keys() <= _BESIDE):
            raise refused("Beside a primitive stands an object with an id or extensions", path)
        if beside and "id" in beside:
            self._parts.append(f' id="{_text(beside["id"], path)}"')
        if value is not None:
            self._parts.append(f' value="{_text(value, path)}"')
        self._content(tag, beside or {}, "Element", path, depth)


def _present(value: dict[str, Any], type_name: str, path: str) -> Iterator[Slot]:
    """Yield what of a type is present, in the order of the definitions."""
    slots, attributes = plan(type_name)
    found: dict[str, Slot] = {}
    for key in value:
        name = key[1:] if key[:1] == "_" else key
        slot = slots.get(name)
        if slot is not None and (name == key or slot.kind == "primitive"):
            found[name] = slot
        elif key not in attributes and not (key == "resourceType" and is_resource(type_name)):
            raise refused(f"Unknown element {key[:60]!r} in {type_name}", f"{path}.{name[:60]}")
    yield from sorted(found.values())


def _array(value: Any, path: str) -> list[Any]:
    if not isinstance(value, list):
        raise refused("A repeating element must be an array", path)
    return value


def _text(value: Any, path: str) -> str:
    if isinstance(value, str):
        return value.translate(_ESCAPE) if _SPECIAL.search(value) else value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, Decimal)):
        return str(value)
    raise refused("A primitive value is expected", path)
