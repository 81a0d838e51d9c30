"""Conversion functions: `toX()` and `convertsToX()`.

Source: http://hl7.org/fhirpath/N1/#conversion
"""

from __future__ import annotations

import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from resources.fhirpath.environment import Environment, single
from resources.fhirpath.functions.registry import FUNCTIONS, function
from resources.fhirpath.quantity import CALENDAR_UNITS, Quantity
from resources.fhirpath.temporal import Temporal
from resources.fhirpath.values import Items

_TRUE = frozenset(["true", "t", "yes", "y", "1", "1.0"])
_FALSE = frozenset(["false", "f", "no", "n", "0", "0.0"])
_INTEGER = re.compile(r"[+-]?\d{1,10}")
_DECIMAL = re.compile(r"[+-]?\d{1,40}(\.\d{1,40})?")
_QUANTITY = re.compile(r"([+-]?\d{1,40}(?:\.\d{1,40})?)\s*(?:'([^']+)'|([a-zA-Z]+))?")


def _boolean(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, Decimal)):
        return True if value == 1 else False if value == 0 else None
    if isinstance(value, str):
        text = value.lower()
        return True if text in _TRUE else False if text in _FALSE else None
    return None


def _integer(value: Any) -> int | None:
    if isinstance(value, int):
        return int(value)
    if isinstance(value, str) and _INTEGER.fullmatch(value):
        number = int(value)
        return number if -(2**31) <= number < 2**31 else None
    return None


def _decimal(value: Any) -> Decimal | None:
    if isinstance(value, (int, Decimal)):
        return Decimal(value)
    return Decimal(value) if isinstance(value, str) and _DECIMAL.fullmatch(value) else None


def _string(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return f"{value:f}"
    return str(value) if isinstance(value, (str, int, Temporal, Quantity)) else None


def _date(value: Any) -> Temporal | None:
    if isinstance(value, Temporal) and value.kind != "Time":
        return Temporal("Date", value.parts[:3])
    return (
        Temporal.parse("Date", value.partition("T")[0])
        if isinstance(value, str) and _datetime(value)
        else None
    )


def _datetime(value: Any) -> Temporal | None:
    if isinstance(value, Temporal) and value.kind != "Time":
        return Temporal("DateTime", value.parts, value.offset, value.utc)
    return Temporal.parse("DateTime", value) if isinstance(value, str) else None


def _time(value: Any) -> Temporal | None:
    if isinstance(value, Temporal):
        return value if value.kind == "Time" else None
    return Temporal.parse("Time", value.removeprefix("T")) if isinstance(value, str) else None


def _quantity(value: Any) -> Quantity | None:
    if isinstance(value, Quantity):
        return value
    if isinstance(value, (int, Decimal)):
        return Quantity(Decimal(value), "1")
    match = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return None
    number, unit, word = match.groups()
    if word is None:
        return Quantity(Decimal(number), unit or "1")
    calendar = CALENDAR_UNITS.get(word)
    return Quantity(Decimal(number), calendar, calendar=True) if calendar else None


_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "Boolean": _boolean,
    "Integer": _integer,
    "Decimal": _decimal,
    "String": _string,
    "Date": _date,
    "DateTime": _datetime,
    "Time": _time,
}


def _register(name: str, convert: Callable[[Any], Any]) -> None:
    @function(f"to{name}")
    def _to(env: Environment, items: Items) -> Items:
        value = single(items, f"to{name}()")
        found = None if value is None else convert(value)
        if isinstance(found, str):
            found = env.text(found)
        return [] if found is None else [found]

    @function(f"convertsTo{name}")
    def _converts(env: Environment, items: Items) -> Items:
        value = single(items, f"convertsTo{name}()")
        return [] if value is None else [convert(value) is not None]


for _name, _convert in _CONVERTERS.items():
    _register(_name, _convert)


@function("toQuantity", 0, 1)
def _to_quantity(env: Environment, items: Items, *unit: Items) -> Items:
    value = single(items, "toQuantity()")
    found = None if value is None else _quantity(value)
    wanted = single(unit[0], "toQuantity()") if unit else None
    if found is None or not isinstance(wanted, str):
        return [] if found is None else [found]
    target = Quantity(Decimal(1), CALENDAR_UNITS.get(wanted, wanted), wanted in CALENDAR_UNITS)
    if found.same_unit(target):
        return [found]
    pair = found.pair(target)
    return [Quantity(pair[0] / pair[1], target.unit, target.calendar)] if pair and pair[1] else []


@function("convertsToQuantity", 0, 1)
def _converts_to_quantity(env: Environment, items: Items, *unit: Items) -> Items:
    return [bool(FUNCTIONS["toQuantity"](env, items, *unit))] if items else []
