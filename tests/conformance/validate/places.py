"""The places of a resource: every value with its element, its FHIRPath and the way to it, so that it can be broken."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from resources.definitions import Element, TypeDef, definitions

Json = dict[str, Any]
Steps = tuple[str | int, ...]


class Place(NamedTuple):
    """One value.

    Shape:  `steps` lead to it in the JSON, `path` is its FHIRPath, `holder` the type of the object that has it,
            `around` that object, `above` its FHIRPath; `type` the name of the value's type
    """

    value: Any
    element: Element
    type: str
    path: str
    steps: Steps
    holder: TypeDef
    around: Json
    above: str


def places(resource: Json) -> Iterator[Place]:
    """Yield every value of a resource, those of resources inside of it too."""
    yield from _object(resource, definitions().type(resource["resourceType"]), resource["resourceType"], ())


def _object(value: Json, holder: TypeDef, path: str, steps: Steps) -> Iterator[Place]:
    for key, child in value.items():
        if key not in holder.by_json:
            continue
        element, code = holder.by_json[key]
        name = f"{path}.{element.name}"
        if element.many:
            for index, one in enumerate(child):
                if one is not None:
                    at = Place(
                        one, element, code, f"{name}[{index}]", (*steps, key, index), holder, value, path
                    )
                    yield from _value(at)
        else:
            yield from _value(Place(child, element, code, name, (*steps, key), holder, value, path))


def _value(place: Place) -> Iterator[Place]:
    yield place
    if type(place.value) is dict:
        code = place.value["resourceType"] if place.type == "Resource" else place.type
        yield from _object(place.value, definitions().type(code), place.path, place.steps)


def changed(resource: Json, steps: Steps, change: Callable[[Any, Any], None]) -> Json:
    """Return a copy of `resource` after `change(holder, key)` where `steps` lead to `holder[key]`."""
    result: Json = copy.deepcopy(resource)
    holder: Any = result
    for step in steps[:-1]:
        holder = holder[step]
    change(holder, steps[-1])
    return result


def put(value: Any) -> Callable[[Any, Any], None]:
    """Return the change that puts `value` in place of the old one."""

    def change(holder: Any, key: Any) -> None:
        holder[key] = value

    return change
