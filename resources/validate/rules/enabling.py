"""Which items of a Questionnaire the answers of a response enable.

Where the specification leaves it open, or the values cannot be compared, the answer is None: then an item is neither
missed nor refused.
Source: http://hl7.org/fhir/R4/questionnaire-definitions.html#Questionnaire.item.enableWhen
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from resources.validate.rules.questionnaires import shaped, value_of

Json = dict[str, Any]
Answers = dict[str, list[Json]]

_ORDERS: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def gathered(items: list[Json]) -> Iterator[tuple[str, list[Json]]]:
    """Yield (linkId, answers) of all items of a response, nested ones too."""
    for item in items:
        answers = item.get("answer", [])
        yield item.get("linkId", ""), answers
        yield from gathered(item.get("item", []))
        for answer in answers:
            yield from gathered(answer.get("item", []))


def answers(items: list[Json]) -> Answers:
    """Return all answers to each linkId."""
    found: Answers = {}
    for name, listed in gathered(items):
        found.setdefault(name, []).extend(listed)
    return found


def enabled(item: Json, *levels: Answers) -> bool | None:
    """Return whether the rules of an item hold; `levels` are the answers near by first, then those further away."""
    rules = item.get("enableWhen", ())
    if not rules:
        return True
    told = [_holds(rule, _answers_to(rule.get("question", ""), levels)) for rule in rules]
    decisive = item.get("enableBehavior") == "any"
    if decisive in told:
        return decisive
    return None if None in told else not decisive


def _answers_to(name: str, levels: tuple[Answers, ...]) -> list[Json]:
    return next((level[name] for level in levels if name in level), [])


def _holds(rule: Json, given: list[Json]) -> bool | None:
    kind, wanted = value_of(rule, "answer")
    name = rule.get("operator")
    values = [value_of(answer) for answer in given]
    if name == "exists":
        return bool(values) is bool(wanted)
    if not values:
        return None if name == "!=" else False
    told = [_compared(str(name), kind, wanted, *value) for value in values]
    if name == "!=":
        return None if None in told else all(told)
    return True if True in told else None if None in told else False


def _compared(name: str, kind: str, wanted: Any, found_kind: str, found: Any) -> bool | None:
    if kind != found_kind or not shaped(found_kind, found):
        return None
    if name in ("=", "!="):
        same = equal(kind, wanted, found)
        return same if same is None or name == "=" else not same
    pair = _ordered(kind, wanted, found)
    return None if pair is None or name not in _ORDERS else _ORDERS[name](*pair)


def equal(kind: str, wanted: Any, found: Any) -> bool | None:
    """Return whether two answers are the same: codings by system and code, quantities by value and unit."""
    if kind == "Coding":
        systems = {wanted.get("system"), found.get("system")} - {None}
        return wanted.get("code") == found.get("code") and len(systems) <= 1
    if kind == "Quantity":
        pair = _ordered(kind, wanted, found)
        return None if pair is None else pair[0] == pair[1]
    if kind == "Reference":
        return bool(wanted.get("reference") == found.get("reference"))
    return bool(wanted == found)


def _ordered(kind: str, wanted: Any, found: Any) -> tuple[Any, Any] | None:
    """Return what can be compared, (found, wanted), None where it cannot."""
    if kind in ("Decimal", "Integer"):
        return Decimal(found), Decimal(wanted)
    if kind == "Quantity":
        units = ("system", "code", "unit")
        if (
            any(wanted.get(key) != found.get(key) for key in units[:2])
            or "value" not in wanted
            or "value" not in found
        ):
            return None
        return Decimal(found["value"]), Decimal(wanted["value"])
    if kind in ("Date", "Time") and len(found) == len(wanted):
        return found, wanted
    if kind == "DateTime" and len(found) == len(wanted) and found[19:] == wanted[19:]:
        return found, wanted
    return None
