"""Names that a filter has for elements: `relatesTo[code eq replaces].target re …` asks both of one element.

Such a name needs brackets and a name behind them. Both are components of a composite parameter, which is what pairs
values within an element.

Source: http://hl7.org/fhir/R4/search_filter.html#params
"""

from __future__ import annotations

from dataclasses import dataclass

from fhir_server.search import criteria
from fhir_server.search.filter import operators
from fhir_server.search.filter.syntax import Comparison, Filter, Logical
from fhir_server.search.registry import Param, TypeSearch
from fhir_server.search.sql import Test
from fhir_server.search.values import split
from resources.outcome import FhirError


@dataclass(frozen=True, slots=True)
class Element:
    """An element as a filter names it.

    Shape:  `children` are (name in the filter, search parameter) in the order of the components of `composite`
    """

    composite: str
    children: tuple[tuple[str, str], ...]


ELEMENTS = {
    ("Group", "characteristic"): Element(
        "characteristic-value", (("code", "characteristic"), ("value", "value"))
    ),
    ("DocumentReference", "relatesTo"): Element(
        "relationship", (("code", "relation"), ("target", "relatesto"))
    ),
}
"""The names of R4's table whose search parameters R4 has; the order is that of the components' expressions."""

MISSING = {("Observation", "related"), ("ServiceRequest", "event"), ("ServiceRequest", "item")}
"""The names of R4's table that stand for search parameters which R4 has not."""

_EQUAL = ("eq", "re")


def known(type_name: str, name: str) -> bool:
    """Return whether a type has an element of that name for filters."""
    return (type_name, name) in ELEMENTS


def test(type_search: TypeSearch, tree: Comparison) -> Test | None:
    """Return the test of a comparison whose path starts with an element's name; None where it does not.

    Errors: 400 not-supported, invalid
    """
    step = tree.path[0]
    key = (type_search.name, step.name)
    if key in MISSING and step.name not in type_search.params:
        text = f"R4 has no search parameters for '{step.name}' of {type_search.name}"
        raise _wrong(step.at, text)
    element = ELEMENTS.get(key)
    if element is None or (step.filter is None and step.name in type_search.params and len(tree.path) == 1):
        return None
    if step.filter is None or len(tree.path) != 2 or tree.path[1].filter is not None:
        raise _wrong(step.at, f"'{step.name}' needs a filter in brackets and one name behind it", "invalid")
    alternatives = [_pair(type_search, element, one, tree) for one in _tests(step.filter, step.at)]
    composite = type_search.params[element.composite]
    operators.check(composite, "eq")
    return criteria.plain(composite, "", ",".join(alternatives))


def _tests(tree: Filter, at: int) -> list[Comparison]:
    """Return the alternatives of a filter in brackets."""
    if isinstance(tree, Comparison):
        return [tree]
    if isinstance(tree, Logical) and tree.operator == "or":
        return [*_tests(tree.left, at), *_tests(tree.right, at)]
    raise _wrong(at, "only comparisons joined by 'or' can stand in these brackets")


def _pair(type_search: TypeSearch, element: Element, inner: Comparison, outer: Comparison) -> str:
    """Return the value of the composite parameter that asks both comparisons of one element."""
    asked: dict[str, str] = {}
    for comparison, step in ((inner, inner.path[0]), (outer, outer.path[1])):
        code = dict(element.children).get(step.name)
        if code is None or (comparison is inner and len(inner.path) > 1):
            names = " and ".join(name for name, _ in element.children)
            raise _wrong(step.at, f"'{outer.path[0].name}' has {names}", "invalid")
        asked[code] = _value(type_search.params[code], comparison, step.at)
    if len(asked) != 2:
        raise _wrong(outer.path[0].at, "the brackets and the name behind them say the same", "invalid")
    return "$".join(asked[code] for _, code in element.children)


def _value(param: Param, comparison: Comparison, at: int) -> str:
    operators.check(param, comparison.operator)
    if comparison.operator not in _EQUAL:
        raise _wrong(at, f"'{comparison.operator}' cannot be asked of one element, only eq and re")
    return "\\$".join(split(operators.escaped(param, comparison.value), "$"))


def _wrong(at: int, text: str, code: str = "not-supported") -> FhirError:
    return FhirError(400, code, f"'_filter', character {at}: {text}")
