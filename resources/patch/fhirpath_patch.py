"""FHIRPath Patch: add, insert, delete, replace and move.

Source: http://hl7.org/fhir/R4/fhirpatch.html
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from resources import fhirpath
from resources.definitions import Element, TypeDef, definitions
from resources.fhirpath import USER, Limits
from resources.fhirpath.values import Node
from resources.outcome import FhirError
from resources.patch.content import (
    Content,
    content_of,
    find_element,
    is_primitive,
    malformed,
    parts_of,
    put,
    refused,
    set_single,
)
from resources.patch.tree import (
    check_depth,
    clone,
    read_list,
    read_primitives,
    without_empties,
    write_primitives,
)

Json = dict[str, Any]
MAX_OPERATIONS = 1_000
MAX_SECONDS = 1.0
"""What all paths of one patch may take together."""

_LAST_STEP = re.compile(r"(?:(?P<parent>.+)\.)?`?(?P<name>[A-Za-z][A-Za-z0-9]*)`?", re.DOTALL)


class Operation(NamedTuple):
    """One operation of a patch, as far as its parts are there."""

    type: str
    path: str
    name: str | None
    value: Json | None
    numbers: dict[str, int]

    def number(self, name: str) -> int:
        """Return a needed index; FhirError 400 where it is missing."""
        if name not in self.numbers:
            raise malformed(f"the part {name!r} is missing")
        return self.numbers[name]

    def content(self) -> Json:
        """Return a copy of the part that holds the value; FhirError 400 where it is missing."""
        if self.value is None:
            raise malformed("the part 'value' is missing")
        check_depth(0, self.value)
        return dict(clone(self.value))


def fhirpath_patch(resource: Json, parameters: Json) -> Json:
    """Return a patched copy of `resource`.

    Shape:  `parameters` is a Parameters resource whose parameters are all called 'operation'; none of them leaves the
            resource as it is. An operation sees what those before it did
    Errors: FhirError 400 for malformed parameters or an expression that cannot be read; 422 where an operation cannot
            be applied. The issue names the operation by its index and carries the path as expression
    """
    patched: Json = clone(resource)
    deadline = time.monotonic() + MAX_SECONDS
    for index, operation in enumerate(_operations(parameters)):
        try:
            _Patcher(patched, operation, deadline).apply()
        except FhirError as error:
            raise _located(error, index, operation) from None
    return patched


# ------------------------------------------------------------------------------------------------------- reading


def _operations(parameters: Any) -> list[Operation]:
    if not isinstance(parameters, dict) or parameters.get("resourceType") != "Parameters":
        raise malformed("a FHIRPath Patch is a Parameters resource")
    listed = parts_of(parameters.get("parameter", []))
    if len(listed) > MAX_OPERATIONS:
        raise refused("too-costly", f"a FHIRPath Patch has at most {MAX_OPERATIONS} operations")
    operations = []
    for index, parameter in enumerate(listed):
        try:
            operations.append(_operation(parameter))
        except FhirError as error:
            raise _located(error, index, None) from None
    return operations


def _operation(parameter: Json) -> Operation:
    if parameter["name"] != "operation":
        raise malformed(f"the parameter is called {parameter['name'][:80]!r}, not 'operation'")
    parts: dict[str, Json] = {}
    for part in parts_of(parameter.get("part")):
        if part["name"] not in _PARTS or part["name"] in parts:
            raise malformed(f"the part {part['name'][:80]!r} is unknown or given twice")
        parts[part["name"]] = part
    for needed in ("type", "path"):
        if needed not in parts:
            raise malformed(f"the part {needed!r} is missing")
    return Operation(
        type=_text(parts["type"]),
        path=_text(parts["path"]),
        name=_text(parts["name"]) if "name" in parts else None,
        value=parts.get("value"),
        numbers={name: _number(parts[name]) for name in ("index", "source", "destination") if name in parts},
    )


_PARTS = frozenset({"type", "path", "name", "value", "index", "source", "destination"})


def _single_value(part: Json) -> Any:
    values = [value for key, value in part.items() if key.startswith("value")]
    return values[0] if len(values) == 1 else None


def _text(part: Json) -> str:
    value = _single_value(part)
    if not isinstance(value, str):
        raise malformed(f"the part {part['name']!r} has no text as its value")
    return value


def _number(part: Json) -> int:
    value = _single_value(part)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise malformed(f"the part {part['name']!r} has no whole number from 0 on as its value")
    return value


def _located(error: FhirError, index: int, operation: Operation | None) -> FhirError:
    what = f"operation {index}" + (f" ({operation.type[:40]} {operation.path[:200]})" if operation else "")
    expression = (operation.path,) if operation else (f"Parameters.parameter[{index}]",)
    issues = [
        msgspec.structs.replace(
            issue, text=f"{what}: {issue.text}", expression=issue.expression or expression
        )
        for issue in error.issues
    ]
    return FhirError(error.status, issues=issues)


# ------------------------------------------------------------------------------------------------------ applying


class _List(NamedTuple):
    """A repeating element: the object that holds it, its type, and the element."""

    holder: Json
    typedef: TypeDef
    element: Element

    def read(self) -> list[Any]:
        """Return the items; of primitives (value, `_` sibling) pairs."""
        name = self.element.name
        return (
            read_primitives(self.holder, name) if is_primitive(self.element) else read_list(self.holder, name)
        )

    def write(self, items: list[Any]) -> None:
        """Write the items; without any the member goes."""
        name = self.element.name
        if is_primitive(self.element):
            write_primitives(self.holder, name, items)
        elif items:
            self.holder[name] = items
        else:
            self.holder.pop(name, None)

    def item(self, content: Content) -> Any:
        """Return `content` as `read` would."""
        return (content.value, content.extra) if is_primitive(self.element) else content.value


class _Patcher:
    """One operation on one resource."""

    def __init__(self, resource: Json, operation: Operation, deadline: float) -> None:
        self.resource = resource
        self.operation = operation
        self.deadline = deadline

    def apply(self) -> None:
        action = _ACTIONS.get(self.operation.type)
        if action is None:
            raise malformed("the type is none of " + ", ".join(_ACTIONS))
        action(self)

    def found(self, path: str) -> list[Node]:
        """Return the elements that `path` selects."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise refused("too-costly", f"the paths of the patch take more than {MAX_SECONDS} seconds")
        limits = Limits(steps=USER.steps, seconds=min(left, USER.seconds), text=USER.text)
        try:
            items = fhirpath.compile(path).items(self.resource, {}, None, limits, False, None)
        except FhirError as error:
            raise FhirError(
                422 if error.issues[0].code == "too-costly" else 400, issues=error.issues
            ) from None
        if not all(type(item) is Node for item in items):
            raise refused("processing", "the path yields a computed value, not an element of the resource")
        return items

    def one(self, path: str) -> Node:
        """Return the one element that `path` selects."""
        nodes = self.found(path)
        if len(nodes) != 1:
            raise _not_one(len(nodes))
        return nodes[0]

    def add(self) -> None:
        name = self.operation.name
        if not name:
            raise malformed("the part 'name' is missing")
        node = self.one(self.operation.path)
        typedef = definitions().type(node.kind.name)
        element = find_element(typedef, name)
        content = content_of(typedef, name, self.operation.content())
        check_depth(_depth(node) + 2, content.value)
        put(_members(node), element, content)

    def insert(self) -> None:
        index = self.operation.number("index")
        target, node = self.listed(may_be_empty=index == 0)
        items = target.read()
        if index > len(items):
            raise refused("processing", f"index {index} lies beyond the {len(items)} items of the list")
        content = content_of(target.typedef, target.element.name, self.operation.content())
        check_depth(_depth(node) + 2, content.value)
        target.write([*items[:index], target.item(content), *items[index:]])

    def delete(self) -> None:
        nodes = self.found(self.operation.path)
        if len(nodes) > 1:
            raise _not_one(len(nodes))
        for node in nodes:
            holder = _remove(node)
            if not holder:
                without_empties(self.resource, {id(holder)})

    def replace(self) -> None:
        node = self.one(self.operation.path)
        parent, typedef, element = _place(node)
        content = content_of(typedef, element.name, self.operation.content())
        check_depth(_depth(node), content.value)
        if node.index is None:
            _drop(parent, element)
            set_single(parent, content)
        else:
            target = _List(parent, typedef, element)
            items = target.read()
            items[node.index] = target.item(content)
            target.write(items)

    def move(self) -> None:
        source, destination = self.operation.number("source"), self.operation.number("destination")
        target, _ = self.listed(may_be_empty=False)
        items = target.read()
        for name, index in (("source", source), ("destination", destination)):
            if index >= len(items):
                raise refused("processing", f"{name} {index} lies beyond the {len(items)} items of the list")
        items.insert(destination, items.pop(source))
        target.write(items)

    def listed(self, may_be_empty: bool) -> tuple[_List, Node]:
        """Return the list that the path selects items of, and the element that holds it."""
        nodes = self.found(self.operation.path)
        if not nodes and may_be_empty:
            return self.empty_list()
        if not nodes:
            raise _not_one(0)
        parent, typedef, element = _place(nodes[0])
        if not element.many:
            raise refused("processing", f"{element.path} does not repeat")
        if any(node.up is None or node.slot is None or _place(node)[0] is not parent for node in nodes):
            raise refused("multiple-matches", "the path selects items of several lists")
        if any(_place(node)[2] is not element for node in nodes):
            raise refused("multiple-matches", "the path selects items of several lists")
        up = nodes[0].up
        return _List(parent, typedef, element), up if up is not None else nodes[0]

    def empty_list(self) -> tuple[_List, Node]:
        """Return the list that is not there yet, as the path without its last step and that step name it."""
        match = _LAST_STEP.fullmatch(self.operation.path.strip())
        if match is None:
            raise _not_one(0)
        node = self.one(match["parent"] or "$this")
        typedef = definitions().type(node.kind.name)
        element = find_element(typedef, match["name"])
        if not element.many:
            raise refused("processing", f"{element.path} does not repeat")
        return _List(_members(node), typedef, element), node


_ACTIONS: dict[str, Callable[[_Patcher], None]] = {
    "add": _Patcher.add,
    "insert": _Patcher.insert,
    "delete": _Patcher.delete,
    "replace": _Patcher.replace,
    "move": _Patcher.move,
}


# -------------------------------------------------------------------------------------------------------- places


def _not_one(count: int) -> FhirError:
    if count == 0:
        return refused("not-found", "the path selects no element")
    return refused("multiple-matches", f"the path selects {count} elements, not one")


def _place(node: Node) -> tuple[Json, TypeDef, Element]:
    """Return the object that holds `node`, that object's type, and the element that `node` is of."""
    if node.up is None or node.slot is None:
        raise refused(
            "processing", "the resource itself can be neither deleted, moved nor replaced by a patch"
        )
    typedef = definitions().type(node.up.kind.name)
    return node.up.members(), typedef, typedef.elements[node.slot.name]


def _members(node: Node) -> Json:
    """Return the object that holds the children of `node`: of a primitive its `_` sibling, made where missing."""
    if not node.kind.primitive:
        return dict_of(node.value)
    if node.extra is not None:
        return dict_of(node.extra)
    parent, _, element = _place(node)
    made: Json = {}
    if node.index is None:
        parent["_" + (node.slot.key if node.slot else "")] = made
    else:
        pairs = read_primitives(parent, element.name)
        pairs[node.index] = (pairs[node.index][0], made)
        write_primitives(parent, element.name, pairs)
    return made


def dict_of(value: Any) -> Json:
    """Return `value` where it is an object; FhirError 422 where the resource is malformed."""
    if not isinstance(value, dict):
        raise refused("structure", "the element is no JSON object")
    return value


def _remove(node: Node) -> Json:
    """Take `node` out of its resource; return the object that held it."""
    parent, typedef, element = _place(node)
    if node.index is None:
        _drop(parent, element)
    else:
        target = _List(parent, typedef, element)
        items = target.read()
        del items[node.index]
        target.write(items)
    return parent


def _drop(holder: Json, element: Element) -> None:
    for key, _ in element.json_keys():
        holder.pop(key, None)
        holder.pop("_" + key, None)


def _depth(node: Node) -> int:
    """Return how many JSON levels lie above the value of `node`."""
    depth, at = 0, node
    while at.up is not None:
        depth += 1 if at.index is None else 2
        at = at.up
    return depth
