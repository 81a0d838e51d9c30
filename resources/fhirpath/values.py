"""What travels through an evaluation: nodes of the resource, and System values as plain Python ones.

A collection is a list of items; an item is a `Node` (a FHIR element) or a System value: bool, int, Decimal, str,
`Temporal` or `Quantity`.
"""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any, NamedTuple

from resources.fhirpath.model import FHIR_OF_SYSTEM, Kind, Slot, resource_kind
from resources.fhirpath.quantity import Quantity
from resources.fhirpath.temporal import Kind as TemporalKind
from resources.fhirpath.temporal import Temporal

Json = dict[str, Any]
UCUM = "http://unitsofmeasure.org"


class Typed(NamedTuple):
    """A found value: plain, with its FHIR type and where it lies.

    Shape:  `path` is concrete ('Patient.name[0].given[1]'), empty for a computed value; `parent` is the dict or
            list that holds the value under `key` (None for the resource itself and for computed values)
    """

    value: Any
    type_name: str
    path: str = ""
    parent: Any = None
    key: str | int | None = None


class Node:
    """A FHIR element: its value, kind, the `_x` sibling of a primitive, and the way back up."""

    __slots__ = ("extra", "index", "kind", "slot", "up", "value")

    def __init__(
        self,
        value: Any,
        kind: Kind,
        extra: Json | None = None,
        up: Node | None = None,
        slot: Slot | None = None,
        index: int | None = None,
    ) -> None:
        self.value = value
        self.kind = kind
        self.extra = extra
        self.up = up
        self.slot = slot
        self.index = index

    def members(self) -> Json:
        """Return the JSON members that steps read: of a primitive those of its `_x` sibling."""
        return (self.extra or {}) if self.kind.primitive else self.value

    def path(self) -> str:
        """Return the concrete path from the resource down."""
        if self.up is None or self.slot is None:
            return self.kind.name
        index = "" if self.index is None else f"[{self.index}]"
        return f"{self.up.path()}.{self.slot.name}{index}"

    def place(self) -> tuple[Any, str | int | None]:
        """Return (container, key) of the value, (None, None) for the resource itself."""
        if self.up is None or self.slot is None:
            return None, None
        holder, key = self.up.members(), self.slot.key
        return (holder, key) if self.index is None else (holder.get(key), self.index)


Item = Any
"""`Node` or a System value."""

Items = list[Any]


def step(node: Node, slots: tuple[Slot, ...], out: Items) -> None:
    """Append the children of `node` in `slots` to `out`."""
    members = (node.extra or {}) if node.kind.primitive else node.value
    for slot in slots:
        value = members.get(slot.key)
        if slot.primitive:
            extra = members.get(slot.under)
            if value is not None or extra is not None:
                _primitives(node, slot, value, extra, out)
        elif value is not None:
            kind = slot.kind
            if slot.many:
                for index, each in enumerate(value):
                    out.append(Node(each, _actual(kind, each), None, node, slot, index))
            else:
                out.append(Node(value, _actual(kind, value), None, node, slot))


def _actual(kind: Kind, value: Any) -> Kind:
    return (resource_kind(value) or kind) if kind.dynamic else kind


def _primitives(node: Node, slot: Slot, value: Any, extra: Any, out: Items) -> None:
    kind = slot.kind
    if not slot.many:
        out.append(Node(value, kind, extra, node, slot))
        return
    values, extras = value or [], extra or []
    for index in range(max(len(values), len(extras))):
        each = values[index] if index < len(values) else None
        sibling = extras[index] if index < len(extras) else None
        if each is not None or sibling is not None:
            out.append(Node(each, kind, sibling, node, slot, index))


def system(item: Item) -> Any:
    """Return the System value of an item; a complex node stays a node, an element without a value gives None."""
    if type(item) is not Node:
        return item
    kind, value = item.kind.system, item.value
    if kind is None or value is None or kind == "String":
        return item if kind is None else value
    if kind in ("Date", "DateTime", "Time"):
        return _temporal(kind, value)
    if kind == "Decimal":
        return Decimal(value) if isinstance(value, int) else value
    return quantity_of(value) or item if kind == "Quantity" else value


@lru_cache(maxsize=4096)
def _temporal(kind: TemporalKind, text: str) -> Temporal | str:
    return Temporal.parse(kind, text) or text


def quantity_of(value: Json) -> Quantity | None:
    """Return a FHIR Quantity as a System one; None without a value or with a comparator."""
    number = value.get("value")
    if number is None or "comparator" in value:
        return None
    try:
        amount = Decimal(number)
    except (InvalidOperation, TypeError, ValueError):
        return None
    code, scheme = value.get("code"), value.get("system")
    if scheme is None or scheme == UCUM:
        return Quantity(amount, code or value.get("unit") or "1")
    return Quantity(amount, f"{scheme}|{code or value.get('unit') or ''}")


def system_type(value: Any) -> str:
    """Return the name of a System value's type."""
    if isinstance(value, bool):
        return "Boolean"
    if isinstance(value, int):
        return "Integer"
    if isinstance(value, Decimal):
        return "Decimal"
    if isinstance(value, str):
        return "String"
    if isinstance(value, Temporal):
        return value.kind
    return "Quantity" if isinstance(value, Quantity) else "Any"


def type_of(item: Item) -> str:
    """Return the name of an item's type, FHIR or System."""
    return item.kind.name if type(item) is Node else system_type(item)


def plain(item: Item) -> Any:
    """Return an item as FHIR JSON has it: dates as text, quantities as a Quantity's members."""
    if type(item) is Node:
        return item.value
    if isinstance(item, Temporal):
        return str(item)
    if isinstance(item, Quantity):
        found = {"value": item.value, "unit": item.unit}
        code = item.ucum(loose=True)
        return found | ({"system": UCUM, "code": code} if code else {})
    return item


def typed(item: Item) -> Typed:
    """Return an item with its FHIR type and place."""
    if type(item) is not Node:
        return Typed(plain(item), FHIR_OF_SYSTEM.get(system_type(item), "Element"))
    return Typed(item.value, item.kind.name, item.path(), *item.place())
