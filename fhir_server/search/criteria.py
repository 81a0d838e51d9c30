"""One search criterion: plain, with a modifier, chained, or by what refers to it (`_has`).

Source: http://hl7.org/fhir/R4/search.html#modifiers, #chaining and #has
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from fhir_server.search import contained, plan, several
from fhir_server.search.params import (
    composite,
    date,
    hierarchy,
    near,
    number,
    quantity,
    reference,
    string,
    text,
    token,
    token_sets,
    uri,
)
from fhir_server.search.registry import Param, TypeSearch, registry
from fhir_server.search.sql import Sql, Test, negated, never
from fhir_server.search.values import split, unescape
from fhir_server.search.veiled import hidden
from fhir_server.storage.rows import MISSING_DATE
from resources.definitions import definitions
from resources.outcome import FhirError

MODIFIERS: dict[str, frozenset[str]] = {
    "string": frozenset({"missing", "exact", "contains"}),
    "token": frozenset({"missing", "not", "of-type", "text", "in", "not-in", "above", "below"}),
    "reference": frozenset({"missing", "identifier", "above", "below"}),
    "date": frozenset({"missing"}),
    "number": frozenset({"missing"}),
    "quantity": frozenset({"missing"}),
    "uri": frozenset({"missing", "above", "below"}),
    "composite": frozenset({"missing"}),
    "special": frozenset({"missing"}),
}
"""The modifiers of each parameter type that are answered; references also take the name of a resource type."""

BY_CODE = {
    "_id": frozenset({"missing", "not"}),
    "_lastUpdated": frozenset({"missing"}),
    "_text": frozenset({"missing"}),
    "_content": frozenset({"missing"}),
}
"""The modifiers of parameters that take other ones than their type says."""

NEGATING = frozenset({"not", "not-in"})
"""Modifiers by which a resource matches if none of its values does."""

MAX_STEPS = 6
"""The most references that one parameter may follow, by chains and `_has` together."""

MAX_CHAIN_TYPES = 8
"""A chain over a reference to more types than this has to say which one it means."""

TESTS: dict[str, Callable[[Param, str, Sequence[str]], Test]] = {
    "composite": composite.test,
    "date": date.test,
    "number": number.test,
    "quantity": quantity.test,
    "reference": hierarchy.test,
    "string": string.test,
    "token": token_sets.test,
    "uri": uri.test,
    "special": near.test,
}

EXPRESSIONS: dict[str, Callable[[TypeSearch, str], Test]] = {}
"""Parameters whose value is an expression over others, by code; their packages put them here."""


def read(known: TypeSearch, name: str, value: str) -> Test | None:
    """Return the test that a parameter asks for, None where the type has no such parameter.

    Errors: 400 not-supported, value
    """
    if name.count(".") + name.count("_has:") > MAX_STEPS:
        raise FhirError(400, "too-costly", f"'{name[:100]}' follows more than {MAX_STEPS} references")
    if name.startswith("_has:"):
        return _has(known, name, value)
    head, dot, rest = name.partition(".")
    code, colon, modifier = head.partition(":")
    if colon and not modifier:
        raise FhirError(400, "not-supported", f"'{name[:100]}' has no modifier behind its ':'")
    if code in EXPRESSIONS:
        if name != code:
            raise FhirError(400, "not-supported", f"'{code}' takes no modifier and no chain ('{name[:100]}')")
        return EXPRESSIONS[code](known, value)
    param = known.params.get(code)
    if param is None:
        return None
    if param.place == "refused":
        raise FhirError(
            400, "not-supported", f"The search parameter '{code}' of {known.name}: {param.reason}"
        )
    if hidden(param):
        raise FhirError(
            400, "not-supported", f"The search parameter '{code}' of {known.name}: {hidden(param)}"
        )
    if dot:
        return _chain(param, modifier, rest, value)
    return plain(param, modifier, value)


def plain(param: Param, modifier: str, value: str) -> Test:
    """Return the test of one parameter with an optional modifier.

    Errors: 400 not-supported, value
    """
    if param.groups:
        return several.each(param, lambda one: plain(one, modifier, value))
    _require_modifier(param, modifier)
    if modifier == "missing":
        return _missing(param, value)
    if modifier == "of-type" and "Identifier" not in token.leaf_types(param):
        raise FhirError(400, "not-supported", f"':of-type' is for identifiers, which '{param.code}' is not")
    if param.place == "text":
        return text.test(param, value)
    values = [part for part in split(value, ",") if part.strip()]
    if not values:
        raise FhirError(400, "value", f"'{value[:50]}' holds no value for '{param.code}'")
    if param.code == "_id":
        return negated(_id(values)) if modifier == "not" else _id(values)
    if param.code == "_lastUpdated":
        return date.updated_test(param, modifier, values)
    test = TESTS[param.kind](param, modifier, values)
    if param.computed:
        test = replace(test, needles=())  # what an expression computes need not stand in the resource
    return negated(test) if modifier in NEGATING else test


def _require_modifier(param: Param, modifier: str) -> None:
    if not modifier or (param.kind == "reference" and definitions().is_resource(modifier)):
        return
    known = BY_CODE.get(param.code, MODIFIERS[param.kind])
    if modifier not in known:
        listed = ", ".join(f":{name}" for name in sorted(known))
        listed += ", or a resource type" if param.kind == "reference" else ""
        text = f"The modifier ':{modifier[:50]}' of '{param.code}' ({param.kind}) is not supported: it takes {listed}"
        raise FhirError(400, "not-supported", text)


def _id(values: Sequence[str]) -> Test:
    ids = list(dict.fromkeys(unescape(value) for value in values))

    def where(sql: Sql, row: str) -> str:
        return f"{row}.id = {sql.text(ids[0])}" if len(ids) == 1 else f"{row}.id = ANY({sql.texts(ids)})"

    return Test(where, plan.BY_ID)


def _missing(param: Param, value: str) -> Test:
    if value not in ("true", "false"):
        raise FhirError(400, "value", f"'{value[:50]}' is no value for '{param.code}:missing': true or false")
    if param.place == "column":
        return never() if value == "true" else Test(lambda _sql, _row: "true")
    ids = (
        ", ".join(map(str, param.ids)) if param.narrowed else ", ".join(str(part.id) for part in param.parts)
    )
    present = Test(lambda _sql, row: f"{row}.present && ARRAY[{ids}]::int[]")
    if value == "true" and param.place == "main":
        return replace(negated(present), newest=False, bounds=lambda _sql, d0: [f"{d0} = {MISSING_DATE}"])
    return negated(present) if value == "true" else present


def _chain(param: Param, modifier: str, rest: str, value: str) -> Test:
    """Return the test that what the reference points to passes `rest`."""
    if param.groups:
        return several.each(param, lambda one: _chain(one, modifier, rest, value))
    if param.kind != "reference":
        raise FhirError(
            400, "invalid", f"'{param.code}' is no reference, so that nothing can be chained to it"
        )
    if modifier and not definitions().is_resource(modifier):
        raise FhirError(
            400, "not-supported", f"The modifier ':{modifier[:50]}' of a chain must be a resource type"
        )
    require_reference(param)
    code = "" if rest.startswith("_has:") else rest.partition(".")[0].partition(":")[0]
    targets = (modifier,) if modifier else tuple(t for t in param.targets if _serves(t, code))
    if not targets:
        raise FhirError(
            400, "invalid", f"Nothing that '{param.code}' refers to has a search parameter '{code[:100]}'"
        )
    if len(targets) > MAX_CHAIN_TYPES:
        text = f"'{param.code}' refers to {len(targets)} types with a '{code}': say which ({param.code}:Type.{code})"
        raise FhirError(400, "too-costly", text)
    inner: dict[str, Test] = {}
    for target in targets:
        test = read(registry(target), rest, value)
        if test is None:
            raise FhirError(400, "invalid", f"{target} has no search parameter '{code[:100]}'")
        inner[target] = test

    def listing(sql: Sql, types: frozenset[str]) -> str:
        wanted = [name for name in inner if name in types]
        each = (plan.listing, contained.listing)
        return " UNION ALL ".join(make(sql, name, [inner[name]]) for name in wanted for make in each)

    return reference.points_to(param, listing, frozenset(inner))


def require_reference(param: Param) -> None:
    """Refuse to follow a parameter that has canonicals alone, which name no row; includes do."""
    if param.paths and not reference.refers(param):
        text = (
            f"'{param.code}' of {param.type} has canonical references, which neither chains nor _has follow"
        )
        raise FhirError(400, "not-supported", text)


def _serves(type_name: str, code: str) -> bool:
    """Whether a type has a search parameter `code`; each has the empty one, `_has`."""
    found = registry(type_name).params.get(code)
    return not code or code in EXPRESSIONS or (found is not None and found.place != "refused")


def _has(known: TypeSearch, name: str, value: str) -> Test:
    """Return the test that a resource passes which one of another type, passing a criterion, refers to."""
    parts = name.split(":", 3)
    if len(parts) != 4 or not all(parts):
        raise FhirError(400, "invalid", f"'{name[:100]}' is not of the form _has:Type:reference:parameter")
    _, source, by, rest = parts
    if not definitions().is_resource(source):
        raise FhirError(400, "invalid", f"'{source[:100]}' in '{name[:100]}' is not a resource type")
    param = registry(source).params.get(by)
    if param is None or param.kind != "reference" or param.place == "refused":
        raise FhirError(400, "invalid", f"{source} has no reference parameter '{by[:100]}'")
    require_reference(param)
    inner = read(registry(source), rest, value)
    if inner is None:
        raise FhirError(400, "invalid", f"{source} has no search parameter '{rest[:100]}'")
    return plan.referred(param, known.types, inner)
