"""Every problem of a resource, with FHIRPath expression and text: what is told when the gate says no."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from resources.definitions import Element, TypeDef, definitions
from resources.outcome import Issue
from resources.validate.elements import (
    RELATIVE_HELP,
    bound_codes,
    choices,
    extensible,
    is_bound,
    is_primitive,
    is_resource,
    primitive_check,
)
from resources.validate.messages import issue
from resources.validate.narrative import div_problem, is_blank
from resources.validate.primitives import PRIMITIVES, holds

MAX_ISSUES = 1000
"""Problems listed at most: an answer must not outgrow what was asked."""
_SHOWN = 60
_LISTED_CODES = 12


class _FullError(Exception):
    """As many issues were found as we list."""


def explain(resource: Any) -> list[Issue]:
    """Return all problems of `resource`, at most `MAX_ISSUES`, in the order in which they stand in it."""
    explainer = _Explainer()
    try:
        explainer.resource(resource, "")
    except _FullError:
        explainer.issues.append(issue("issues-limit", "", limit=MAX_ISSUES))
    return explainer.issues


class _Explainer:
    def __init__(self) -> None:
        self.issues: list[Issue] = []

    def _say(self, message_id: str, path: str, /, **facts: object) -> None:
        if len(self.issues) >= MAX_ISSUES:
            raise _FullError
        self.issues.append(issue(message_id, path, **facts))

    def resource(self, value: Any, path: str, contained: bool = False) -> None:
        """Check a resource at `path`, which is empty for the outermost one."""
        if type(value) is not dict:
            self._say("resource-not-object", path, kind=_kind(value))
            return
        name = value.get("resourceType")
        if type(name) is not str:
            self._say("resource-type-missing", path)
        elif not definitions().is_resource(name):
            self._say("resource-type-unknown", path, value=_shown(name))
        else:
            if contained and "contained" in value:
                self._say("contained-nested", f"{path}.contained")
            self._object(value, definitions().type(name), path or name)

    def _object(self, value: Any, typedef: TypeDef, path: str) -> None:
        if type(value) is not dict:
            self._say("object-expected", path, type=typedef.name, kind=_kind(value))
            return
        if not value:
            self._say("object-empty", path)
            return
        self._names(value, typedef, path)
        for key, (element, code) in typedef.by_json.items():
            if key in value or "_" + key in value:
                self._element(value, key, element, code, f"{path}.{element.name}")
        self._presence(value, typedef, path)

    def _names(self, value: dict[str, Any], typedef: TypeDef, path: str) -> None:
        known = typedef.by_json
        for key in value:
            name = key[1:] if key[:1] == "_" else key
            if name not in known and not (key == "resourceType" and is_resource(typedef.name)):
                where = f"{path}.{name[:_SHOWN]}"
                self._say("element-unknown", where, key=_shown(key), type=typedef.name)
            elif name != key and not extensible(*known[name]):
                self._say("companion-forbidden", f"{path}.{name}", key=_shown(key), name=repr(name))

    def _presence(self, value: dict[str, Any], typedef: TypeDef, path: str) -> None:
        present = {key[1:] if key[:1] == "_" else key for key in value}
        for element in typedef.elements.values():
            keys = present.intersection(key for key, _ in element.json_keys())
            if element.min and not keys:
                self._say(
                    "cardinality-min",
                    f"{path}.{element.name}",
                    holder=typedef.name,
                    element=_title(element),
                    more="",
                )
            if len(keys) > 1:
                listed = ", ".join(sorted(keys))
                self._say("choice-multiple", f"{path}.{element.name}", element=_title(element), keys=listed)
        if typedef.name == "Extension":
            self._extension(present, typedef, path)
        elif present == {"id"} and not is_resource(typedef.name):
            self._say("object-only-id", path, type=typedef.name)

    def _extension(self, present: set[str], typedef: TypeDef, path: str) -> None:
        ((_, values),) = choices(typedef)
        if bool(values & present) is ("extension" in present):
            self._say("extension-value-or-children", path)

    def _element(self, holder: dict[str, Any], key: str, element: Element, code: str, path: str) -> None:
        if not element.many:
            if key in holder:
                self._value(holder[key], element, code, path)
            if "_" + key in holder and extensible(element, code):
                self._companion(holder["_" + key], path, alone=key not in holder)
            return
        beside = holder.get("_" + key) if extensible(element, code) else None
        if key in holder and self._is_array(holder[key], path):
            for index, value in enumerate(holder[key]):
                if value is None and type(beside) is list and is_primitive(code):
                    continue
                self._value(value, element, code, f"{path}[{index}]")
        if "_" + key in holder and extensible(element, code) and self._is_array(beside, path, "_"):
            self._companions(holder, key, path)

    def _companions(self, holder: dict[str, Any], key: str, path: str) -> None:
        beside = holder["_" + key]
        values = holder.get(key, [None] * len(beside))
        if type(values) is not list:
            return
        if len(values) != len(beside):
            self._say("array-lengths", path, key=repr(key), companion=repr("_" + key))
            values = values + [None] * (len(beside) - len(values))
        for index, other in enumerate(beside):
            if other is not None:
                self._companion(other, f"{path}[{index}]", alone=values[index] is None)
        for index, value in enumerate(values):
            if value is None and (index >= len(beside) or beside[index] is None):
                self._say("array-null", f"{path}[{index}]", key=repr(key), companion=repr("_" + key))

    def _is_array(self, value: Any, path: str, prefix: str = "") -> bool:
        if type(value) is not list:
            name = prefix + path.rpartition(".")[2]
            self._say("array-expected", path, name=repr(name), kind=_kind(value))
        elif not value:
            self._say("array-empty", path)
        return type(value) is list and bool(value)

    def _companion(self, value: Any, path: str, alone: bool) -> None:
        if type(value) is not dict or not value:
            self._say("companion-shape", path)
            return
        if alone and "extension" not in value:
            self._say("companion-without-value", path)
        typedef = definitions().type("Element")
        self._names(value, typedef, path)
        for key, (element, code) in typedef.by_json.items():
            if key in value or "_" + key in value:
                self._element(value, key, element, code, f"{path}.{key}")

    def _value(self, value: Any, element: Element, code: str, path: str) -> None:
        if value is None:
            self._say("null-alone", path)
        elif is_primitive(code):
            self._primitive(value, element, code, path)
        elif code == "Resource":
            self.resource(value, path, contained=element.name == "contained")
        else:
            before = len(self.issues)
            self._object(value, definitions().type(code), path)
            codes = bound_codes(element) if code in ("CodeableConcept", "Coding") else None
            if codes is not None and not self._wrong_since(before) and not is_bound(codes, value):
                self._unbound(element, path, f"{code} has no coding")

    def _wrong_since(self, before: int) -> bool:
        return any(one.severity == "error" for one in self.issues[before:])

    def _primitive(self, value: Any, element: Element, code: str, path: str) -> None:
        if code == "xhtml":
            problem = div_problem(value) if type(value) is str else f"it must be a string, not {_kind(value)}"
            if problem:
                self._say("narrative-forbidden", path, problem=problem)
            elif is_blank(value):
                self._say("narrative-blank", path)
        elif not holds(PRIMITIVES[code].check, value):
            self._say("value-format", path, value=_shown(value), expected=PRIMITIVES[code].expected)
        elif not holds(primitive_check(element, code), value):
            if code == "code":
                self._unbound(element, path, f"{_shown(value)} is not a code")
            else:
                self._say("reference-format", path, value=_shown(value), help=RELATIVE_HELP)
        elif code in ("string", "markdown") and value.isspace():
            self._say("value-blank", path)

    def _unbound(self, element: Element, path: str, coded: str) -> None:
        assert element.binding is not None
        codes = sorted({code for _, code in bound_codes(element) or ()})
        listed = ", ".join(codes[:_LISTED_CODES]) + (", …" if len(codes) > _LISTED_CODES else "")
        self._say("binding-required", path, coded=coded, valueset=element.binding[1], why=f" ({listed})")


def _title(element: Element) -> str:
    return f"{element.name}[x]" if element.choice else f"{element.name!r}"


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", type(None): "null"}
    return kinds.get(type(value), "a number")


def _shown(value: Any) -> str:
    if isinstance(value, (Decimal, int)) and not isinstance(value, bool):
        number = Decimal(value)
        text = f"{number:.6E}" if number.is_finite() and abs(number.adjusted()) > 20 else str(value)
    elif isinstance(value, (dict, list)):
        return _kind(value)
    elif isinstance(value, str):
        start = value[: _SHOWN + 1]
        text = json.dumps(start, ensure_ascii=not start.isprintable())
    else:
        text = json.dumps(value)
    return text if len(text) <= _SHOWN else text[:_SHOWN] + "…"


def errors(issues: list[Issue]) -> Iterator[Issue]:
    """Yield the issues for which a resource is refused."""
    return (one for one in issues if one.severity in ("error", "fatal"))
