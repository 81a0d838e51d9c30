"""`=`, `~` and order of items and collections.

Source: http://hl7.org/fhirpath/N1/#equality, #equivalence, #comparison
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from resources.fhirpath.errors import evaluation_error
from resources.fhirpath.quantity import Quantity, equivalent_decimals
from resources.fhirpath.temporal import Temporal
from resources.fhirpath.values import Item, Items, Node, system, type_of


def equal(left: Item, right: Item) -> bool | None:
    """Return whether two items are equal, None where that is open (precision, units)."""
    one, other = system(left), system(right)
    if isinstance(one, Node) or isinstance(other, Node):
        return isinstance(one, Node) and isinstance(other, Node) and one.value == other.value
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, Temporal) and isinstance(other, Temporal):
        if not one.comparable(other):
            return False
        order = one.compare(other)
        return None if order is None else order == 0
    if isinstance(one, Quantity) or isinstance(other, Quantity):
        pair = _quantities(one, other)
        return False if pair is None else pair[0].equals(pair[1])
    return bool(one == other) if one is not None and other is not None else None


def _quantities(one: Any, other: Any) -> tuple[Quantity, Quantity] | None:
    """Return both as quantities: a number is one of unit '1'."""
    pair = [Quantity(Decimal(v), "1") if _is_number(v) else v for v in (one, other)]
    first, second = pair
    return (first, second) if isinstance(first, Quantity) and isinstance(second, Quantity) else None


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, Decimal)) and not isinstance(value, bool)


def equal_collections(left: Items, right: Items) -> bool | None:
    """Return whether both hold equal items in the same order; None where either is empty or an item is open."""
    if not left or not right:
        return None
    if len(left) != len(right):
        return False
    open_item = False
    for one, other in zip(left, right, strict=True):
        same = equal(one, other)
        if same is False:
            return False
        open_item = open_item or same is None
    return None if open_item else True


def equivalent(left: Item, right: Item) -> bool:
    """Return whether two items are equivalent."""
    one, other = system(left), system(right)
    if isinstance(one, Node) or isinstance(other, Node):
        return isinstance(one, Node) and isinstance(other, Node) and _equivalent_json(one.value, other.value)
    if isinstance(one, str) and isinstance(other, str):
        return _squeezed(one) == _squeezed(other)
    if _is_number(one) and _is_number(other):
        return equivalent_decimals(Decimal(one), Decimal(other))
    if isinstance(one, Temporal) and isinstance(other, Temporal):
        return one.comparable(other) and one.compare(other) == 0
    if isinstance(one, Quantity) or isinstance(other, Quantity):
        pair = _quantities(one, other)
        return pair is not None and pair[0].equivalent(pair[1])
    return one is other


def _squeezed(text: str) -> str:
    return " ".join(text.split()).casefold()


def _equivalent_json(one: Any, other: Any) -> bool:
    if isinstance(one, dict) and isinstance(other, dict):
        mine, theirs = one.keys() - {"id"}, other.keys() - {"id"}
        return mine == theirs and all(_equivalent_json(one[key], other[key]) for key in mine)
    if isinstance(one, list) and isinstance(other, list):
        return _matched(one, other, _equivalent_json)
    if isinstance(one, str) and isinstance(other, str):
        return _squeezed(one) == _squeezed(other)
    if _is_number(one) and _is_number(other):
        return equivalent_decimals(Decimal(one), Decimal(other))
    return bool(one == other)


def equivalent_collections(left: Items, right: Items) -> bool:
    """Return whether both hold equivalent items in any order."""
    return _matched(left, right, equivalent)


def _matched(left: list[Any], right: list[Any], same: Any) -> bool:
    if len(left) != len(right):
        return False
    rest = list(right)
    for one in left:
        found = next((i for i, other in enumerate(rest) if same(one, other)), None)
        if found is None:
            return False
        del rest[found]
    return True


def compare(left: Item, right: Item) -> int | None:
    """Return −1, 0 or 1, None where the order is open; FhirError where the types have no order."""
    one, other = system(left), system(right)
    if one is None or other is None:
        return None
    if isinstance(one, str) and isinstance(other, str):
        return (one > other) - (one < other)
    if _is_number(one) and _is_number(other):
        return int(one > other) - int(one < other)
    if isinstance(one, Temporal) and isinstance(other, Temporal) and one.comparable(other):
        return one.compare(other)
    if isinstance(one, Quantity) or isinstance(other, Quantity):
        pair = _quantities(one, other)
        if pair is not None:
            return pair[0].compare(pair[1])
    raise evaluation_error(f"{type_of(one)} and {type_of(other)} cannot be compared")


def contains(items: Iterable[Item], wanted: Item) -> bool:
    """Return whether an item equal to `wanted` is among `items`."""
    return any(equal(item, wanted) is True for item in items)


class Distinct:
    """Tells new items from those equal to an earlier one; in constant time but for quantities, dates and times."""

    __slots__ = ("_nodes", "_others", "_simple", "_spend")

    def __init__(self, spend: Callable[[int], None]) -> None:
        self._spend = spend
        self._simple: set[tuple[bool, Any]] = set()
        self._nodes: dict[int, list[Any]] = {}
        self._others: Items = []

    def is_new(self, item: Item) -> bool:
        """Return whether no equal item was seen before; from now on it was."""
        value = system(item)
        if isinstance(value, (str, int, Decimal)):
            key = (isinstance(value, bool), value)
            known = len(self._simple)
            self._simple.add(key)
            return len(self._simple) > known
        is_node = isinstance(value, Node)
        alike = self._nodes.setdefault(_hash(value.value), []) if is_node else self._others
        self._spend(len(alike) + 1)
        if contains(alike, item):
            return False
        alike.append(item)
        return True


def _hash(value: Any) -> int:
    """Return a hash of JSON that agrees with `==` (1.0 and 1.00 are one)."""
    if isinstance(value, dict):
        return hash(frozenset((key, _hash(each)) for key, each in value.items()))
    if isinstance(value, list):
        return hash(tuple(_hash(each) for each in value))
    return hash(value)


def distinct(items: Items, spend: Callable[[int], None]) -> Items:
    """Return the items without those equal to an earlier one, in order; `spend` takes the comparisons made."""
    if len(items) < 2:
        return items
    seen = Distinct(spend)
    return [item for item in items if seen.is_new(item)]
