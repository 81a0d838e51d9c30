"""The binary operators on collections.

Source: http://hl7.org/fhirpath/N1/#operations
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, DivisionByZero, InvalidOperation
from typing import Any

from resources.fhirpath.environment import Closure, Environment, boolean, single, truth
from resources.fhirpath.equality import compare, contains, equal_collections, equivalent_collections
from resources.fhirpath.errors import evaluation_error
from resources.fhirpath.quantity import CALENDAR_OF_UCUM, CALENDAR_UNITS, Quantity
from resources.fhirpath.temporal import Temporal
from resources.fhirpath.values import Items, system_type

Operator = Callable[[Environment, Items, Items], Items]

_INTEGER_MAX = 2**31 - 1


def _equal(env: Environment, left: Items, right: Items) -> Items:
    env.spend(len(left) + len(right))
    return boolean(equal_collections(left, right))


def _unequal(env: Environment, left: Items, right: Items) -> Items:
    same = equal_collections(left, right)
    return [] if same is None else [not same]


def _equivalent(env: Environment, left: Items, right: Items) -> Items:
    env.spend(len(left) * len(right))
    return [equivalent_collections(left, right)]


def _unequivalent(env: Environment, left: Items, right: Items) -> Items:
    env.spend(len(left) * len(right))
    return [not equivalent_collections(left, right)]


def _ordered(symbol: str, holds: Callable[[int], bool]) -> Operator:
    def operator(env: Environment, left: Items, right: Items) -> Items:
        if not left or not right:
            return []
        if len(left) > 1 or len(right) > 1:
            raise evaluation_error(f"{symbol} takes one value on each side")
        order = compare(left[0], right[0])
        return [] if order is None else [holds(order)]

    return operator


def _in(env: Environment, left: Items, right: Items) -> Items:
    if not left:
        return []
    if len(left) > 1:
        raise evaluation_error("membership takes one value")
    env.spend(len(right))
    return [contains(right, left[0])]


def _contains(env: Environment, left: Items, right: Items) -> Items:
    return _in(env, right, left)


def _xor(env: Environment, left: Items, right: Items) -> Items:
    one, other = truth(left, "xor"), truth(right, "xor")
    return [] if one is None or other is None else [one is not other]


def _concatenate(env: Environment, left: Items, right: Items) -> Items:
    texts = [single(left, "&"), single(right, "&")]
    for value in texts:
        if value is not None and not isinstance(value, str):
            raise evaluation_error(f"& takes strings, not {system_type(value)}")
    return [env.text("".join(value or "" for value in texts))]


def arithmetic(symbol: str) -> Operator:
    """Return the operator + - * / div mod."""
    compute = _ARITHMETIC[symbol]

    def operator(env: Environment, left: Items, right: Items) -> Items:
        one, other = single(left, symbol), single(right, symbol)
        if one is None or other is None:
            return []
        found = compute(one, other)
        if isinstance(found, str):
            return [env.text(found)]
        return [] if found is None else [found]

    return operator


def _numbers(one: Any, other: Any) -> bool:
    return all(isinstance(v, (int, Decimal)) and not isinstance(v, bool) for v in (one, other))


def bounded(value: int | Decimal) -> int | Decimal | None:
    """Return a number, None for an integer of more than 32 bits."""
    return None if isinstance(value, int) and not -_INTEGER_MAX - 1 <= value <= _INTEGER_MAX else value


def _mismatch(symbol: str, one: Any, other: Any) -> Exception:
    return evaluation_error(f"{system_type(one)} {symbol} {system_type(other)} is not defined")


def _add(one: Any, other: Any) -> Any:
    if _numbers(one, other):
        return bounded(one + other)
    if isinstance(one, str) and isinstance(other, str):
        return one + other
    if isinstance(one, Temporal) and isinstance(other, Quantity):
        return _moved(one, other, 1)
    if isinstance(one, Quantity) and isinstance(other, Quantity):
        return _sum(one, other, 1)
    raise _mismatch("+", one, other)


def _subtract(one: Any, other: Any) -> Any:
    if _numbers(one, other):
        return bounded(one - other)
    if isinstance(one, Temporal) and isinstance(other, Quantity):
        return _moved(one, other, -1)
    if isinstance(one, Quantity) and isinstance(other, Quantity):
        return _sum(one, other, -1)
    raise _mismatch("-", one, other)


def _sum(one: Quantity, other: Quantity, sign: int) -> Quantity | None:
    if one.same_unit(other):
        return Quantity(one.value + sign * other.value, one.unit, one.calendar)
    left, right = one.canonical(), other.canonical()
    if left is None or right is None or left[1] != right[1]:
        return None
    return Quantity(left[0] + sign * right[0], left[1])


def _moved(moment: Temporal, amount: Quantity, sign: int) -> Temporal | None:
    """Return the moment moved by a duration; a UCUM month or year is none (its length is indefinite)."""
    unit = CALENDAR_UNITS.get(amount.unit) or CALENDAR_OF_UCUM.get(amount.unit)
    if unit is None:
        raise evaluation_error(f"'{amount.unit}' is no duration to move a date by")
    try:
        return moment.plus(amount.value * sign, unit)
    except ValueError:
        raise evaluation_error(f"a Time cannot be moved by {unit}s") from None


def _multiply(one: Any, other: Any) -> Any:
    if _numbers(one, other):
        return bounded(one * other)
    pair = _as_quantities(one, other)
    if pair is None:
        raise _mismatch("*", one, other)
    return pair[0].times(pair[1])


def _divide(one: Any, other: Any) -> Any:
    if _numbers(one, other):
        return None if other == 0 else Decimal(one) / Decimal(other)
    pair = _as_quantities(one, other)
    if pair is None:
        raise _mismatch("/", one, other)
    return pair[0].times(pair[1], divide=True)


def _as_quantities(one: Any, other: Any) -> tuple[Quantity, Quantity] | None:
    found = []
    for value in (one, other):
        if isinstance(value, Quantity):
            found.append(value)
        elif isinstance(value, (int, Decimal)) and not isinstance(value, bool):
            found.append(Quantity(Decimal(value), "1"))
        else:
            return None
    return found[0], found[1]


def _integer_divide(one: Any, other: Any) -> Any:
    if not _numbers(one, other):
        raise _mismatch("div", one, other)
    return None if other == 0 else bounded(int(Decimal(one) / Decimal(other)))


def _modulo(one: Any, other: Any) -> Any:
    if not _numbers(one, other):
        raise _mismatch("mod", one, other)
    try:
        rest = Decimal(one) % Decimal(other)
    except (InvalidOperation, DivisionByZero):
        return None
    return int(rest) if isinstance(one, int) and isinstance(other, int) else rest


_ARITHMETIC: dict[str, Callable[[Any, Any], Any]] = {
    "+": _add,
    "-": _subtract,
    "*": _multiply,
    "/": _divide,
    "div": _integer_divide,
    "mod": _modulo,
}

OPERATORS: dict[str, Operator] = {
    "=": _equal,
    "!=": _unequal,
    "~": _equivalent,
    "!~": _unequivalent,
    "<": _ordered("<", lambda order: order < 0),
    "<=": _ordered("<=", lambda order: order <= 0),
    ">": _ordered(">", lambda order: order > 0),
    ">=": _ordered(">=", lambda order: order >= 0),
    "in": _in,
    "contains": _contains,
    "xor": _xor,
    "&": _concatenate,
    **{symbol: arithmetic(symbol) for symbol in _ARITHMETIC},
}


def logical(symbol: str, left: Closure, right: Closure) -> Closure:
    """Return `and`, `or` or `implies`, the right side evaluated only where it matters."""
    return {"and": _and, "or": _or, "implies": _implies}[symbol](left, right)


def _and(left: Closure, right: Closure) -> Closure:
    def closure(env: Environment, focus: Items) -> Items:
        one = truth(left(env, focus), "and")
        if one is False:
            return [False]
        other = truth(right(env, focus), "and")
        return [False] if other is False else [] if one is None or other is None else [True]

    return closure


def _or(left: Closure, right: Closure) -> Closure:
    def closure(env: Environment, focus: Items) -> Items:
        one = truth(left(env, focus), "or")
        if one is True:
            return [True]
        other = truth(right(env, focus), "or")
        return [True] if other is True else [] if one is None or other is None else [False]

    return closure


def _implies(left: Closure, right: Closure) -> Closure:
    def closure(env: Environment, focus: Items) -> Items:
        one = truth(left(env, focus), "implies")
        if one is False:
            return [True]
        other = truth(right(env, focus), "implies")
        if other is True:
            return [True]
        return [] if one is None or other is None else [False]

    return closure
