"""Lay the rules of one differential element over the definition that it constrains.

Source: http://hl7.org/fhir/R4/elementdefinition.html#interpretation, profiling.html#limitations
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from resources.definitions import definitions

Json = dict[str, Any]
Say = Callable[[str], None]

_PLACE = frozenset(
    {"id", "path", "min", "max", "type", "binding", "constraint", "slicing", "base", "contentReference"}
)
_ADDED = frozenset({"alias", "condition", "mapping", "example", "code", "extension"})
_TEXTS = frozenset({"definition", "comment", "requirements"})
_FIXED = ("fixed", "pattern")


def merged(base: Json, own: Json, source: str, say: Say) -> Json:
    """Return `base` narrowed by `own`; what `own` says nothing of stays.

    Shape:  `source` is written into the constraints that `own` adds; `say` hears what widens instead of narrowing
    """
    result = {**base}
    for key, value in own.items():
        if key in _ADDED:
            result[key] = _joined(base.get(key, []), value)
        elif key in _TEXTS and value.startswith("..."):
            result[key] = base.get(key, "") + "\n" + value[3:]
        elif key not in _PLACE:
            result[key] = value
    _cardinality(result, base, own, say)
    _types(result, base, own, say)
    _values(result, base, own, say)
    _binding(result, base, own)
    _slicing(result, base, own, say)
    if "constraint" in own:
        result["constraint"] = _constraints(base.get("constraint", []), own["constraint"], source)
    if base.get("mustSupport") and "sliceName" not in own and own.get("mustSupport") is False:
        say("mustSupport is true in the base and cannot be taken back")
    return result


def _joined(first: Any, second: Any) -> Any:
    return [*first, *(each for each in second if each not in first)]


def limit(json: Json) -> float:
    """Return the max of an element as a number."""
    text = json.get("max", "*")
    return float("inf") if text == "*" else float(text)


def _cardinality(result: Json, base: Json, own: Json, say: Say) -> None:
    if "min" in own:
        result["min"] = own["min"]
        if own["min"] < base.get("min", 0):
            say(f"min {own['min']} is below the base's {base['min']}")
    if "max" in own:
        if own["max"] != "*" and not own["max"].isdecimal():
            say(f"max is a number or *, not {own['max']!r}")
            return
        result["max"] = own["max"]
        if limit(own) > limit(base):
            say(f"max {own['max']} is above the base's {base['max']}")
    if result.get("min", 0) > limit(result):
        say(f"min {result['min']} is above max {result['max']}")


def _types(result: Json, base: Json, own: Json, say: Say) -> None:
    if "type" not in own:
        return
    known = base.get("type", [])
    if any(t["code"].startswith("http://hl7.org/fhirpath/") for t in known):
        result["type"] = own["type"]
        return
    codes = [t["code"] for t in known]
    wrong = [t["code"] for t in own["type"] if known and not narrower(t["code"], codes)]
    if wrong:
        say(f"type {', '.join(wrong)} is not among the base's: {', '.join(dict.fromkeys(codes))}")
        return
    result["type"] = own["type"]


def narrower(code: str, codes: list[str]) -> bool:
    """Whether a type is one of `codes`, or a specialization of one."""
    name: str | None = code
    types = definitions().package.types
    while name is not None:
        if name in codes or name == "*":
            return True
        name = types[name].base if name in types else None
    return "*" in codes or (code.startswith("http") and code.rpartition("/")[2] in codes)


def _values(result: Json, base: Json, own: Json, say: Say) -> None:
    for key, value in own.items():
        for kind in _FIXED:
            if not key.startswith(kind) or key == kind:
                continue
            before = {k: v for k, v in base.items() if k.startswith(kind) and k != key}
            for other in before:
                result.pop(other)
            if kind == "fixed" and (before or base.get(key, value) != value):
                say(f"the base fixes another value than {key}")
    if own.get("maxLength", 0) > base.get("maxLength", own.get("maxLength", 0)):
        say(f"maxLength {own['maxLength']} is above the base's {base['maxLength']}")


def _binding(result: Json, base: Json, own: Json) -> None:
    if "binding" not in own:
        return
    before = base.get("binding", {})
    kept = {key: before[key] for key in ("strength", "valueSet") if key in before}
    result["binding"] = {**kept, **own["binding"]}


def _slicing(result: Json, base: Json, own: Json, say: Say) -> None:
    if "slicing" not in own:
        return
    before, after = base.get("slicing", {}), own["slicing"]
    if before.get("rules") == "closed" and after.get("rules", "closed") != "closed":
        say(f"the base's slicing is closed and cannot become {after['rules']}")
    result["slicing"] = {**before, **after}


def _constraints(before: list[Json], after: list[Json], source: str) -> list[Json]:
    known = {c["key"] for c in after}
    return [*(c for c in before if c["key"] not in known), *({"source": source, **c} for c in after)]
