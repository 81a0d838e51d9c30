"""What `parameter operator value` means for each type of parameter; an operator that R4 calls n/a is refused by name.

`ne` and the other comparisons ask whether *some* value of the set compares so, as R4 has it: a patient with the names
Ann and Bea passes `given ne ann`. `not (given eq ann)` asks that none does.

Source: http://hl7.org/fhir/R4/search_filter.html#ops
"""

from __future__ import annotations

from collections.abc import Callable

from fhir_server.search import criteria, several
from fhir_server.search.filter import ranges, stored_values, texts
from fhir_server.search.registry import Param
from fhir_server.search.sql import Test, all_of, negated, never
from fhir_server.search.values import split
from fhir_server.search.veiled import hidden
from resources.outcome import FhirError

_ORDERED = frozenset({"eq", "ne", "gt", "lt", "ge", "le", "ap", "sa", "eb"})
_WORDS = frozenset({"eq", "ne", "co", "sw", "ew"})

OPERATORS: dict[str, frozenset[str]] = {
    "string": _WORDS | {"gt", "lt", "ge", "le", "pr"},
    "number": _ORDERED | {"co", "pr"},
    "date": _ORDERED | {"co", "po", "pr"},
    "quantity": _ORDERED | {"pr"},
    "token": frozenset({"eq", "ne", "ss", "sb", "in", "ni", "pr"}),
    "reference": frozenset({"re", "pr"}),
    "uri": _WORDS | {"pr"},
    "composite": frozenset({"eq", "pr"}),
}
"""The operators of each type of parameter, from R4's table; it has no column for uri and none for composite."""

SYSTEMS = {
    "loinc": "http://loinc.org",
    "snomed": "http://snomed.info/sct",
    "rxnorm": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "ucum": "http://unitsofmeasure.org",
}
"""Short names of code systems in a filter; the systems are those of http://hl7.org/fhir/R4/terminologies-systems.html"""

_PIPED = ("token", "quantity", "composite")
"""The types of parameters whose values have a syntax of their own."""

_MODIFIERS = {"in": "in", "ni": "not-in", "ss": "below", "sb": "above"}
"""Operators that are a modifier of the parameter; `ss`: the value subsumes a concept, which is thus below it."""


def test(param: Param, operator: str, value: str) -> Test:
    """Return the test of one comparison.

    Errors: 400 not-supported for an operator that the type of parameter has not, value
    """
    check(param, operator)
    if param.groups:
        return several.each(param, lambda one: test(one, operator, value))
    if operator == "pr":
        return _present(param, value)
    given = with_system(value) if param.kind in _PIPED else value
    if param.place == "column":
        return _column(param, operator, given)
    if param.place == "text":
        return criteria.plain(param, "", value)
    if operator in _MODIFIERS:
        return criteria.plain(param, _MODIFIERS[operator], escaped(param, given))
    special = _SPECIAL.get((param.kind, operator))
    if special is not None:
        return special(param, operator, given)
    prefix = operator if param.kind in ("number", "date", "quantity") else ""
    return criteria.plain(param, "", prefix + escaped(param, given))


_ON_WORDS = frozenset({"co", "pr"})
"""What can be asked of `_text` and `_content`: which words they contain, and whether there are any."""


def check(param: Param, operator: str) -> None:
    """Refuse an operator that a type of parameter has not, by name.

    Errors: 400 not-supported
    """
    known = _ON_WORDS if param.place == "text" else OPERATORS.get(param.kind, frozenset())
    if param.place == "refused":
        raise FhirError(
            400, "not-supported", f"The search parameter '{param.code}' of {param.type}: {param.reason}"
        )
    if hidden(param):
        raise FhirError(
            400, "not-supported", f"The search parameter '{param.code}' of {param.type}: {hidden(param)}"
        )
    if operator not in known:
        text = f"'{operator}' is not for '{param.code}' ({param.kind})"
        text += f", which takes {', '.join(sorted(known))}" if known else ", which no filter takes"
        raise FhirError(400, "not-supported", text)


def _present(param: Param, value: str) -> Test:
    if value not in ("true", "false"):
        raise FhirError(400, "value", f"'{value[:50]}' is no value for 'pr': true or false")
    if param.place == "column":
        return Test(lambda _sql, _row: all_of(())) if value == "true" else never()
    return criteria.plain(param, "missing", "false" if value == "true" else "true")


def _column(param: Param, operator: str, value: str) -> Test:
    """Return the test of `_id` or `_lastUpdated`, of which every resource has exactly one."""
    if param.code == "_lastUpdated" and operator not in ("co", "po"):
        return criteria.plain(param, "", operator + escaped(param, value))
    if operator in ("eq", "ne") and param.code == "_id":
        found = criteria.plain(param, "", escaped(param, value))
        return found if operator == "eq" else negated(found)
    raise FhirError(400, "not-supported", f"'{operator}' is not for '{param.code}'")


_Special = Callable[[Param, str, str], Test]
_SPECIAL: dict[tuple[str, str], _Special] = {
    ("token", "ne"): stored_values.unequal_token,
    **{("uri", operator): stored_values.address for operator in ("ne", "co", "sw", "ew")},
    **{
        ("string", operator): texts.test
        for operator in ("eq", "ne", "co", "sw", "ew", "gt", "lt", "ge", "le")
    },
    **{("date", operator): ranges.period for operator in ("co", "po")},
    ("number", "co"): ranges.imprecision,
}
"""What no plain parameter asks for."""


def escaped(param: Param, value: str) -> str:
    """Return `value` as a parameter's value that means one and the same.

    Shape:  tokens and quantities are written as R4 writes them (pipes and escapes are theirs), all else is plain text
    """
    if param.kind in _PIPED:
        return "\\,".join(split(with_system(value), ","))
    return "".join("\\" + char if char in "\\,$|" else char for char in value)


def with_system(value: str) -> str:
    """Return `value` with the system that a short name of one stands for."""
    parts = split(value, "|")
    at = 0 if len(parts) == 2 else 1
    if len(parts) in (2, 3) and parts[at] in SYSTEMS:
        parts[at] = SYSTEMS[parts[at]]
    return "|".join(parts)
