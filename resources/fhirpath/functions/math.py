"""Math functions, in Decimal.

Source: http://hl7.org/fhirpath/N1/#math
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import (
    ROUND_CEILING,
    ROUND_DOWN,
    ROUND_FLOOR,
    ROUND_HALF_UP,
    Decimal,
    DecimalException,
    localcontext,
)
from typing import Any

from resources.fhirpath.environment import Environment, single
from resources.fhirpath.errors import evaluation_error
from resources.fhirpath.functions.registry import function
from resources.fhirpath.quantity import Quantity
from resources.fhirpath.values import Items, system_type

_WORKING_DIGITS, _DIGITS = 40, 28


def _number(items: Items, name: str) -> int | Decimal | Quantity | None:
    value = single(items, name)
    if value is None or (isinstance(value, (int, Decimal, Quantity)) and not isinstance(value, bool)):
        return value
    raise evaluation_error(f"{name} takes a number, not {system_type(value)}")


def _plain(items: Items, name: str) -> int | Decimal | None:
    value = _number(items, name)
    if isinstance(value, Quantity):
        raise evaluation_error(f"{name} takes a number, not a Quantity")
    return value


def _rounded(compute: Callable[[], Decimal]) -> Items:
    """Return the result to 28 digits; empty where it is not a real number or too large."""
    try:
        with localcontext() as context:
            context.prec = _WORKING_DIGITS
            exact = compute()
            context.prec = _DIGITS
            found = +exact
    except DecimalException:
        return []
    return [found] if found.is_finite() else []


def _whole(name: str, rounding: str) -> None:
    @function(name)
    def _function(env: Environment, items: Items) -> Items:
        value = _number(items, f"{name}()")
        if value is None:
            return []
        if isinstance(value, Quantity):
            return [Quantity(value.value.to_integral_value(rounding), value.unit, value.calendar)]
        whole = Decimal(value).to_integral_value(rounding)
        return [int(whole)] if abs(whole) < 2**31 else [whole]


_whole("ceiling", ROUND_CEILING)
_whole("floor", ROUND_FLOOR)
_whole("truncate", ROUND_DOWN)


@function("abs")
def _abs(env: Environment, items: Items) -> Items:
    value = _number(items, "abs()")
    if isinstance(value, Quantity):
        return [Quantity(abs(value.value), value.unit, value.calendar)]
    return [] if value is None else [abs(value)]


@function("round", 0, 1)
def _round(env: Environment, items: Items, *precision: Items) -> Items:
    value = _number(items, "round()")
    digits = single(precision[0], "round()") if precision else 0
    if value is None:
        return []
    if not isinstance(digits, int) or not 0 <= digits <= _DIGITS:
        raise evaluation_error(f"round() takes 0 to {_DIGITS} digits")
    step = Decimal(1).scaleb(-digits)
    if isinstance(value, Quantity):
        return [Quantity(value.value.quantize(step, ROUND_HALF_UP), value.unit, value.calendar)]
    return [Decimal(value).quantize(step, ROUND_HALF_UP)]


def _function_of_one(name: str, compute: Callable[[Decimal], Decimal]) -> None:
    @function(name)
    def _function(env: Environment, items: Items) -> Items:
        value = _plain(items, f"{name}()")
        return [] if value is None else _rounded(lambda: compute(Decimal(value)))


_function_of_one("exp", Decimal.exp)
_function_of_one("ln", Decimal.ln)
_function_of_one("sqrt", Decimal.sqrt)


@function("log", 1)
def _log(env: Environment, items: Items, base: Items) -> Items:
    value, of = _plain(items, "log()"), _plain(base, "log()")
    if value is None or of is None:
        return []
    return _rounded(lambda: Decimal(value).ln() / Decimal(of).ln())


@function("power", 1)
def _power(env: Environment, items: Items, exponent: Items) -> Items:
    value, by = _plain(items, "power()"), _plain(exponent, "power()")
    if value is None or by is None:
        return []
    found = _rounded(lambda: Decimal(value) ** Decimal(by))
    whole: Any = found[0] if found and isinstance(value, int) and isinstance(by, int) and by >= 0 else None
    return [int(whole)] if whole is not None and abs(whole) < 2**31 else found
