"""The difference of two resources, as the FHIRPath Patch that turns one into the other.

Source: http://hl7.org/fhir/R4/fhirpatch.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any

from resources.codec.json import dump_json
from resources.definitions import Element, TypeDef, definitions
from resources.patch.content import is_primitive
from resources.patch.tree import read_list, read_primitives, same

Json = dict[str, Any]
MATCHED = 500
"""The longest lists whose items are matched by content; those of longer ones by their place."""


def diff(before: Json, after: Json) -> Json:
    """Return the Parameters of the patch that makes `after` of `before`; without parameters where they are the same.

    Shape:  both of one resource type; a part `previousValue` says what was there; list items are worked on from the
            last to the first, so that every path means the item it names
    """
    typedef = definitions().type(after["resourceType"])
    operations = list(_object(typedef.name, typedef, before, after))
    parameters: Json = {"resourceType": "Parameters"}
    return parameters | ({"parameter": operations} if operations else {})


def _object(path: str, typedef: TypeDef, before: Json, after: Json) -> Iterator[Json]:
    """Yield the operations inside of an object: members that go come last, so that it is never left empty."""
    stays = [
        e
        for e in typedef.elements.values()
        if any(key in after or "_" + key in after for key, _ in e.json_keys())
    ]
    goes = [element for element in typedef.elements.values() if element not in stays]
    for element in (*stays, *goes):
        yield from (_list if element.many else _single)(path, element, before, after)


def _single(path: str, element: Element, before: Json, after: Json) -> Iterator[Json]:
    old, new = _one(element, before), _one(element, after)
    if old is None and new is None:
        return
    here = f"{path}.{element.name}"
    if old is None and new is not None:
        yield _operation("add", path, name=element.name, value=new)
    elif old is not None and new is None:
        yield _operation("delete", here, previous=old)
    elif old is not None and new is not None:
        yield from _changed(here, old, new)


class _Value:
    """A value with its type: of a primitive with its `_` sibling."""

    __slots__ = ("extra", "type_name", "value")

    def __init__(self, type_name: str, value: Any, extra: Any = None) -> None:
        self.type_name = type_name
        self.value = value
        self.extra = extra

    def is_same(self, other: _Value) -> bool:
        """Whether type, value and `_` sibling are the same, digits of numbers included."""
        if self.type_name != other.type_name or not same(self.extra, other.extra):
            return False
        return same(self.value, other.value) and self.key() == other.key()

    def key(self) -> bytes:
        """Return bytes that are the same for the same value."""
        return dump_json([self.value, self.extra])

    def part(self, name: str) -> Json:
        """Return the parameter part that says this value."""
        if self.type_name in ("Resource", "DomainResource") or (
            isinstance(self.value, dict) and "resourceType" in self.value
        ):
            return {"name": name, "resource": self.value}
        known = definitions().type("Parameters.parameter").by_json
        plain = self.type_name if not self.type_name.startswith("http:") else "string"
        key = "value" + plain[:1].upper() + plain[1:]
        if self._is_primitive() and key not in known:
            key = "valueString"
        if key not in known:
            return {"name": name, "part": list(_parts(definitions().type(plain), self.value))}
        part = {"name": name}
        if self.value is not None:
            part[key] = self.value
        return part | ({"_" + key: self.extra} if self.extra is not None else {})

    def _is_primitive(self) -> bool:
        return not isinstance(self.value, dict)


def _one(element: Element, holder: Json) -> _Value | None:
    for key, type_name in element.json_keys():
        if key in holder or "_" + key in holder:
            return _Value(type_name, holder.get(key), holder.get("_" + key))
    return None


def _many(element: Element, holder: Json) -> list[_Value]:
    type_name = element.json_keys()[0][1]
    if is_primitive(element):
        return [_Value(type_name, value, extra) for value, extra in read_primitives(holder, element.name)]
    return [_Value(type_name, value) for value in read_list(holder, element.name)]


def _changed(path: str, old: _Value, new: _Value) -> Iterator[Json]:
    """Yield what makes `new` of `old` at the same place."""
    if old.is_same(new):
        return
    inside = isinstance(old.value, dict) and isinstance(new.value, dict) and old.type_name == new.type_name
    if inside and "resourceType" not in new.value:
        yield from _object(path, definitions().type(new.type_name), old.value, new.value)
    else:
        yield _operation("replace", path, value=new, previous=old)


def _list(path: str, element: Element, before: Json, after: Json) -> Iterator[Json]:
    old, new = _many(element, before), _many(element, after)
    here = f"{path}.{element.name}"
    if not old:
        for value in new:
            yield _operation("add", path, name=element.name, value=value)
        return
    for kind, i1, i2, j1, j2 in reversed(_opcodes(old, new)):
        if kind == "equal":
            continue
        common = min(i2 - i1, j2 - j1)
        for index in range(i2 - 1, i1 + common - 1, -1):
            yield _operation("delete", f"{here}[{index}]", previous=old[index])
        for index in range(common, j2 - j1):
            yield _operation("insert", here, index=i1 + index, value=new[j1 + index])
        for index in range(common):
            yield from _changed(f"{here}[{i1 + index}]", old[i1 + index], new[j1 + index])


def _opcodes(old: list[_Value], new: list[_Value]) -> Sequence[tuple[str, int, int, int, int]]:
    if max(len(old), len(new)) > MATCHED:
        return [("replace", 0, len(old), 0, len(new))]
    keys = [[one.key() for one in side] for side in (old, new)]
    return SequenceMatcher(None, keys[0], keys[1], autojunk=False).get_opcodes()


def _parts(typedef: TypeDef, value: Json) -> Iterator[Json]:
    for element in typedef.elements.values():
        for key, type_name in element.json_keys():
            if key not in value and "_" + key not in value:
                continue
            name = key if element.choice else element.name
            if element.many:
                for item in _many(element, value):
                    yield item.part(name)
            else:
                yield _Value(type_name, value.get(key), value.get("_" + key)).part(name)


def _operation(
    kind: str,
    path: str,
    *,
    name: str = "",
    index: int | None = None,
    value: _Value | None = None,
    previous: _Value | None = None,
) -> Json:
    parts: list[Json] = [{"name": "type", "valueCode": kind}, {"name": "path", "valueString": path}]
    if name:
        parts.append({"name": "name", "valueString": name})
    if index is not None:
        parts.append({"name": "index", "valueInteger": index})
    if value is not None:
        parts.append(value.part("value"))
    if previous is not None:
        parts.append(previous.part("previousValue"))
    return {"name": "operation", "part": parts}
