"""`lowBoundary() highBoundary() precision() comparable()`.

Source: https://hl7.org/fhirpath/#boundary-functions, #precision--integer, #comparablequantity--boolean
"""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, localcontext
from typing import Any

from resources.fhirpath.environment import Environment, single
from resources.fhirpath.errors import evaluation_error
from resources.fhirpath.functions.registry import function
from resources.fhirpath.quantity import Quantity
from resources.fhirpath.temporal import Part, Temporal, days_in_month
from resources.fhirpath.values import Items

_MAX_DIGITS = 31
_DEFAULT_DIGITS = 8
_DATE_DIGITS = {4: 1, 6: 2, 8: 3, 10: 4, 12: 5, 14: 6, 17: 6}
"""Digits of a date or date-time and the number of parts they hold (17: with milliseconds)."""
_TIME_DIGITS = {2: 1, 4: 2, 6: 3, 9: 3}
_WIDEST_OFFSETS = {False: 14 * 60, True: -12 * 60}
"""The zone in which an unzoned time is earliest, and latest."""


def _boundary(name: str, high: bool) -> None:
    @function(name, 0, 1)
    def _function(env: Environment, items: Items, *precision: Items) -> Items:
        value = single(items, f"{name}()")
        digits = single(precision[0], f"{name}()") if precision else None
        if value is None or isinstance(value, bool):
            return []
        if digits is not None and (not isinstance(digits, int) or isinstance(digits, bool)):
            raise evaluation_error(f"{name}() takes an integer precision")
        found = _of(value, digits, high)
        return [] if found is None else [found]


_boundary("lowBoundary", high=False)
_boundary("highBoundary", high=True)


def _of(value: Any, digits: int | None, high: bool) -> Any:
    if isinstance(value, (int, Decimal)):
        return _number(Decimal(value), digits, high)
    if isinstance(value, Quantity):
        number = _number(value.value, digits, high)
        return None if number is None else Quantity(number, value.unit, value.calendar)
    if isinstance(value, Temporal):
        return _time(value, digits, high) if value.kind == "Time" else _date(value, digits, high)
    raise evaluation_error("boundaries exist for numbers, quantities, dates and times")


def _number(value: Decimal, digits: int | None, high: bool) -> Decimal | None:
    digits = _DEFAULT_DIGITS if digits is None else digits
    if not 0 <= digits <= _MAX_DIGITS:
        return None
    exponent = value.as_tuple().exponent
    half = Decimal(5).scaleb((exponent if isinstance(exponent, int) else 0) - 1)
    with localcontext() as context:
        context.prec = 80
        edge = value + half if high else value - half
        return edge.quantize(Decimal(1).scaleb(-digits), ROUND_CEILING if high else ROUND_FLOOR)


def _date(value: Temporal, digits: int | None, high: bool) -> Temporal | None:
    digits = (_DEFAULT_DIGITS if value.kind == "Date" else 17) if digits is None else digits
    wanted = _DATE_DIGITS.get(digits)
    if wanted is None:
        return None
    known = list(value.parts)
    if len(known) == 4:
        known.append(0)
    if high:
        fill: list[Part] = [0, 12, 31, 23, 59]
        if len(known) < 3:
            month = int(known[1]) if len(known) == 2 else 12
            fill[2] = days_in_month(int(known[0]), month)
    else:
        fill = [0, 1, 1, 0, 0]
    parts = [*known[:5], *fill[len(known) : 5], _second(known[5:6], high)][:wanted]
    if wanted <= 3:
        return Temporal(value.kind, tuple(parts))
    offset = _WIDEST_OFFSETS[high] if value.offset is None else value.offset
    return Temporal("DateTime", tuple(parts), offset, value.utc)


def _time(value: Temporal, digits: int | None, high: bool) -> Temporal | None:
    wanted = _TIME_DIGITS.get(9 if digits is None else digits)
    if wanted is None:
        return None
    known = list(value.parts)
    minute = [59 if high else 0] if len(known) < 2 else known[1:2]
    parts: list[Part] = [known[0], *minute, _second(known[2:3], high)]
    return Temporal("Time", tuple(parts[:wanted]))


def _second(known: list[Part], high: bool) -> Decimal:
    """Return the least or greatest second to the millisecond."""
    if not known:
        return Decimal("59.999") if high else Decimal("0.000")
    second = Decimal(known[0])
    exponent = second.as_tuple().exponent
    if not isinstance(exponent, int) or exponent <= -3:
        return second
    step = Decimal(1).scaleb(exponent)
    return (second + step - Decimal("0.001")) if high else second.quantize(Decimal("0.001"))


@function("precision")
def _precision(env: Environment, items: Items) -> Items:
    value = single(items, "precision()")
    if isinstance(value, Temporal):
        table = _TIME_DIGITS if value.kind == "Time" else _DATE_DIGITS
        last = value.parts[-1]
        fraction = isinstance(last, Decimal) and "." in str(last)
        fits = [digits for digits, count in table.items() if count == len(value.parts)]
        return [fits[-1] if fraction else fits[0]]
    if isinstance(value, Decimal):
        exponent = value.as_tuple().exponent
        return [max(0, -exponent) if isinstance(exponent, int) else 0]
    return [0] if isinstance(value, int) and not isinstance(value, bool) else []


@function("comparable", 1)
def _comparable(env: Environment, items: Items, other: Items) -> Items:
    left, right = single(items, "comparable()"), single(other, "comparable()")
    if not isinstance(left, Quantity) or not isinstance(right, Quantity):
        return []
    return [left.pair(right) is not None]
