"""JSON values as trees: copied, measured, compared."""

from __future__ import annotations

from decimal import Decimal
from itertools import zip_longest
from typing import Any

from resources.codec.json_problem import MAX_DEPTH
from resources.outcome import FhirError

MAX_COPIED = 200_000
"""How many values the copies of one patch may add up to: copies of copies double with each operation."""


def clone(value: Any) -> Any:
    """Return `value` with every object and array copied."""
    kind = type(value)
    if kind is dict:
        return {key: clone(child) if type(child) in _HOLDERS else child for key, child in value.items()}
    if kind is list:
        return [clone(child) if type(child) in _HOLDERS else child for child in value]
    return value


_HOLDERS = frozenset({dict, list})


def measure(value: Any) -> tuple[int, int]:
    """Return (depth, number of values); a primitive has depth 0. Stops counting just beyond `MAX_DEPTH`."""
    depth, size, level = 0, 1, [value]
    while level := [child for parent in level if type(parent) in _HOLDERS for child in _children(parent)]:
        depth += 1
        size += len(level)
        if depth > MAX_DEPTH:
            break
    return depth, size


def _children(parent: Any) -> Any:
    return parent.values() if type(parent) is dict else parent


def check_depth(above: int, value: Any) -> int:
    """Return the number of values in `value`; FhirError 422 where it would lie too deep below `above` levels."""
    depth, size = measure(value)
    if above + depth > MAX_DEPTH:
        raise FhirError(422, "too-costly", f"the patch nests the resource deeper than {MAX_DEPTH} levels")
    return size


def same(left: Any, right: Any) -> bool:
    """Whether two JSON values are equal: numbers by value, never a number to a boolean.

    Source: RFC 6902, section 4.6
    """
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(value, right[key]) for key, value in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, (int, Decimal)) and isinstance(right, (int, Decimal)):
        return left == right
    return type(left) is type(right) and bool(left == right)


def without_empties(value: Any, emptied: set[int]) -> Any:
    """Return `value`, changed in place, without the objects and arrays that the patch emptied.

    Shape:  `emptied` holds their `id`; what vanishes may empty its parent, which then vanishes too. In the array of a
            primitive's extensions (`_given`) an item becomes null, so that both arrays stay aligned
    Source: http://hl7.org/fhir/R4/json.html (arrays and objects are never empty)
    """
    if type(value) is dict:
        for key in [key for key, child in value.items() if type(child) in _HOLDERS]:
            _tidy_member(value, key, emptied)
    elif type(value) is list:
        value[:] = [child for child in value if not _vanishes(child, emptied)]
    return value


def _vanishes(child: Any, emptied: set[int]) -> bool:
    if type(child) not in _HOLDERS:
        return False
    had = bool(child)
    without_empties(child, emptied)
    return not child and (had or id(child) in emptied)


def _tidy_member(holder: dict[str, Any], key: str, emptied: set[int]) -> None:
    child = holder[key]
    if key[:1] != "_" or type(child) is not list:
        if _vanishes(child, emptied):
            del holder[key]
        return
    items = [None if _vanishes(item, emptied) else item for item in child]
    if items != child or (not items and id(child) in emptied):
        write_primitives(holder, key[1:], list(zip_longest(_array(holder, key[1:]), items)))


def _array(holder: dict[str, Any], key: str) -> list[Any]:
    value = holder.get(key)
    return value if type(value) is list else []


def read_primitives(holder: dict[str, Any], key: str) -> list[tuple[Any, Any]]:
    """Return the (value, its `_` sibling) pairs of a repeating primitive, None where one is missing."""
    return list(zip_longest(read_list(holder, key), read_list(holder, "_" + key)))


def read_list(holder: dict[str, Any], key: str) -> list[Any]:
    """Return a copy of the array `holder[key]`, empty where it is missing.

    Errors: FhirError 422 where it is no array: an earlier operation may have put anything there
    """
    value = holder.get(key, [])
    if type(value) is not list:
        raise FhirError(422, "structure", f"{key} is not an array")
    return list(value)


def write_primitives(holder: dict[str, Any], key: str, pairs: list[tuple[Any, Any]]) -> None:
    """Write what `read_primitives` reads: both arrays aligned, none that holds nothing.

    Source: http://hl7.org/fhir/R4/json.html#primitive
    """
    pairs = [pair for pair in pairs if pair != (None, None)]
    for name, items in ((key, [pair[0] for pair in pairs]), ("_" + key, [pair[1] for pair in pairs])):
        if any(item is not None for item in items):
            holder[name] = items
        else:
            holder.pop(name, None)
