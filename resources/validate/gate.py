"""The fast gate: one compiled check per type, built when the type is first met, that only says yes or no.

Every object is checked key by key through a dict of checks. Where that fails and there are `_name` keys, the object
is checked again by the slower `_Extended` rules, in which a primitive and its extensions belong together.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cache
from typing import Any, cast

from resources.definitions import Element, TypeDef, definitions
from resources.validate.elements import (
    bound_codes,
    choices,
    extensible,
    is_bound,
    is_primitive,
    is_resource,
    primitive_check,
)
from resources.validate.primitives import PRIMITIVES, Check

Shape = Callable[[Collection[str]], bool]
"""Whether the set of an object's keys (without `_`) is right."""

_COMPANION = frozenset({"id", "extension"})


def accepts(resource: Any) -> bool:
    """Whether `resource` is a valid R4 resource."""
    try:
        return bool(_resource(resource))
    except (TypeError, AttributeError):  # a check met a value of a wrong JSON type
        return False


def _resource(value: Any) -> Any:
    if type(value) is not dict:
        return False
    name = value.get("resourceType")
    return definitions().is_resource(name) and checker(name)(value)


def _contained(value: Any) -> Any:
    return "contained" not in value and _resource(value)


@cache
def checker(type_name: str) -> Check:
    """Return the compiled check of a resource, complex or backbone type."""
    typedef = definitions().type(type_name)
    keys: dict[str, Check] = {"resourceType": _anything} if is_resource(type_name) else {}
    for key, (element, code) in typedef.by_json.items():
        keys[key] = _lazy(keys, key, element, code)
        if extensible(element, code) and not element.many and not element.choice:
            keys["_" + key] = _alone
    shape = _shape(typedef)
    return _object_check(typedef, keys, shape)


def _anything(_: Any) -> bool:
    return True


def _lazy(keys: dict[str, Check], key: str, element: Element, code: str) -> Check:
    """Return a check that replaces itself in `keys` by the compiled one when it is first used."""

    def first(value: Any) -> Any:
        compiled = keys[key] = _element_check(element, code)
        return compiled(value)

    return first


def _element_check(element: Element, code: str) -> Check:
    single = _single_check(element, code)
    return _array_check(single, is_primitive(code)) if element.many else single


def _single_check(element: Element, code: str) -> Check:
    if is_primitive(code):
        return primitive_check(element, code)
    if code == "Resource":
        return _contained if element.name == "contained" else _resource
    codes = bound_codes(element) if code in ("CodeableConcept", "Coding") else None
    return checker(code) if codes is None else _bound_check(checker(code), codes)


def _bound_check(check: Check, codes: Collection[tuple[str, str]]) -> Check:
    def bound(value: Any) -> Any:
        return check(value) and is_bound(codes, value)

    return bound


def _array_check(single: Check, primitive: bool) -> Check:
    def objects(values: Any) -> bool:
        if type(values) is not list or not values:
            return False
        for value in values:  # noqa: SIM110 - quicker than all(…) for the one or two values of most arrays
            if not single(value):
                return False
        return True

    def primitives(values: Any) -> bool:
        return type(values) is list and bool(values) and None not in values and all(map(single, values))

    return primitives if primitive else objects


_OBJECT_CHECK = """
def check(value):
    try:
        for key, child in value.items():
            if not keys[key](child):
                return extended(value)
    except KeyError:
        return extended(value)
    return {present} or extended(value)
"""


def _object_check(typedef: TypeDef, keys: dict[str, Check], shape: Shape) -> Check:
    """Return the compiled check of an object: every key by its own check, then which keys stand together."""
    names = {"keys": keys, "extended": _Extended(typedef, keys, shape), "shape": shape}
    required = [f"{e.name!r} in value" for e in typedef.elements.values() if e.min and not e.choice]
    if typedef.name == "Extension":
        present = "'url' in value and ((len(value) == 2 and 'id' not in value) or shape(value))"
    elif choices(typedef):
        names["is_choice"] = frozenset().union(*(keys for _, keys in choices(typedef))).__contains__
        alone = not any(e.min for e, _ in choices(typedef)) and required
        present = (
            f"(sum(map(is_choice, value)) < 2 and {' and '.join(required)} or shape(value))"
            if alone
            else "shape(value)"
        )
    elif required:
        present = " and ".join(required)
    else:
        present = "True" if is_resource(typedef.name) else "('id' not in value and value or len(value) > 1)"
    exec(_OBJECT_CHECK.format(present=f"({present})"), names)  # noqa: S102 - the text is made of definitions only
    return cast("Check", names["check"])


def _shape(typedef: TypeDef) -> Shape:
    """Return the test of which keys stand together: required ones, one of a choice, not the id alone."""
    if typedef.name == "Extension":
        return _extension_shape(choices(typedef)[0][1])
    required = tuple(e.name for e in typedef.elements.values() if e.min and not e.choice)
    needed = tuple(keys for e, keys in choices(typedef) if e.min)
    groups = [keys for _, keys in choices(typedef)]
    is_choice = frozenset().union(*groups).__contains__
    bare = not required and not needed and not is_resource(typedef.name)

    def shape(present: Collection[str]) -> bool:
        for name in required:
            if name not in present:
                return False
        if bare and (not present or (len(present) == 1 and "id" in present)):
            return False
        if (
            groups
            and sum(map(is_choice, present)) > 1
            and any(len(g.intersection(present)) > 1 for g in groups)
        ):
            return False
        return all(not keys.isdisjoint(present) for keys in needed) if needed else True

    return shape


def _extension_shape(values: frozenset[str]) -> Shape:
    """Return ext-1 and the rest for Extension: a url, and either one value or extensions."""

    def shape(present: Collection[str]) -> bool:
        count = len(values.intersection(present))
        return "url" in present and count <= 1 and (count == 1) is not ("extension" in present)

    return shape


class _Extended:
    """The check of an object of which some primitives carry an id or extensions."""

    def __init__(self, typedef: TypeDef, keys: dict[str, Check], shape: Shape) -> None:
        self._typedef = typedef
        self._keys = keys
        self._shape = shape

    def __call__(self, value: dict[str, Any]) -> bool:
        """Whether the object is right, read again with its `_name` keys."""
        paired = {key[1:] for key in value if key[:1] == "_"}
        if not paired:
            return False
        for key, child in value.items():
            if key not in paired and key[:1] != "_":
                check = self._keys.get(key)
                if check is None or not check(child):
                    return False
        present = paired.union(key for key in value if key[:1] != "_")
        return all(self._pair(name, value) for name in paired) and self._shape(present)

    def _pair(self, name: str, value: dict[str, Any]) -> bool:
        element, code = self._typedef.by_json.get(name, (None, ""))
        if element is None or not extensible(element, code):
            return False
        check, beside = primitive_check(element, code), value["_" + name]
        if not element.many:
            return _both(check, value[name], beside) if name in value else _alone(beside)
        if type(beside) is not list or not beside:
            return False
        values = value.get(name, [None] * len(beside))
        if type(values) is not list or len(values) != len(beside):
            return False
        return all(_one_of_array(check, one, other) for one, other in zip(values, beside, strict=True))


def _one_of_array(check: Check, value: Any, beside: Any) -> bool:
    if value is None:
        return _alone(beside)
    return bool(check(value)) if beside is None else _both(check, value, beside)


def _both(check: Check, value: Any, beside: Any) -> bool:
    return bool(check(value)) and _companion(beside)


def _alone(beside: Any) -> bool:
    return _companion(beside) and "extension" in beside


def _companion(value: Any) -> bool:
    """Whether `value` can stand as `_name`: an id, extensions or both."""
    if type(value) is not dict or not value or not value.keys() <= _COMPANION:
        return False
    if "id" in value and not PRIMITIVES["string"].check(value["id"]):
        return False
    return "extension" not in value or bool(_extensions()(value["extension"]))


@cache
def _extensions() -> Check:
    return _array_check(checker("Extension"), primitive=False)
