"""Canonical values and conversion between units.

Source: https://ucum.org/ucum
"""

from __future__ import annotations

from decimal import Decimal, DecimalException
from fractions import Fraction
from functools import lru_cache
from typing import NamedTuple

from terminology.ucum.parser import Unit, UnitError, parse, written
from terminology.ucum.scales import CONTEXT, SCALES

_RADIANS_PER_SLOPE_DEGREE = "100tan"


class _Base(NamedTuple):
    """How values of one code become canonical: × `factor` (÷ `divisor` where that is no finite decimal)."""

    factor: Decimal
    divisor: Decimal | None
    unit: str
    special: Unit | None


@lru_cache(maxsize=4096)
def _base(code: str) -> _Base | None:
    """Return how to canonicalise values of `code`, None where it is no UCUM code."""
    try:
        unit = parse(code)
    except (UnitError, RecursionError):
        return None
    name = written(unit.dimensions)
    if unit.function:
        return _Base(Decimal(1), None, name, unit)
    finite = _finite(unit.factor)
    if finite is not None:
        return _Base(finite, None, name, None)
    return _Base(Decimal(unit.factor.numerator), Decimal(unit.factor.denominator), name, None)


def _finite(value: Fraction) -> Decimal | None:
    """Return a fraction as an exact Decimal of at most the working digits, None where there is none."""
    found = CONTEXT.divide(Decimal(value.numerator), Decimal(value.denominator))
    return found if Fraction(found) == value else None


def is_unit(code: str) -> bool:
    """Return whether `code` is a case-sensitive UCUM code."""
    return _base(code) is not None


def canonical(value: Decimal, code: str) -> tuple[Decimal, str] | None:
    """Return the value in base units and these units' code; None where `code` is no UCUM code.

    Units:  base units are m, s, g, rad, K, C and cd, in alphabetical order ('g.m-1.s-2'), '1' for none; an arbitrary
            unit such as [iU] is its own base; special scales (Cel, pH, B) are brought to their proper unit
    """
    base = _base(code)
    if base is None:
        return None
    try:
        if base.special is not None:
            return _from_scale(value, base.special), base.unit
        found = CONTEXT.multiply(value, base.factor)
        return (found if base.divisor is None else CONTEXT.divide(found, base.divisor)), base.unit
    except (DecimalException, OverflowError, ValueError):
        return None


def convert(value: Decimal, source: str, target: str) -> Decimal | None:
    """Return the value in the unit `target`; None where either is no UCUM code or they are not commensurable."""
    base, found = _base(target), canonical(value, source)
    if base is None or found is None or found[1] != base.unit:
        return None
    if source == target:
        return value
    try:
        if base.special is not None:
            return _to_scale(found[0], base.special)
        exact = found[0] if base.divisor is None else CONTEXT.multiply(found[0], base.divisor)
        return CONTEXT.divide(exact, base.factor)
    except (DecimalException, OverflowError, ValueError):
        return None


def _number(value: Fraction) -> Decimal:
    return CONTEXT.divide(Decimal(value.numerator), Decimal(value.denominator))


def _scale(unit: Unit) -> str:
    return "tanTimes100" if unit.function == _RADIANS_PER_SLOPE_DEGREE else unit.function


def _from_scale(value: Decimal, unit: Unit) -> Decimal:
    to_proper, _ = SCALES[_scale(unit)]
    proper = to_proper(CONTEXT.multiply(value, _number(unit.scale)))
    if unit.function in _ANGLES:
        return proper
    return CONTEXT.divide(
        CONTEXT.multiply(proper, Decimal(unit.factor.numerator)), Decimal(unit.factor.denominator)
    )


def _to_scale(value: Decimal, unit: Unit) -> Decimal:
    _, from_proper = SCALES[_scale(unit)]
    proper = value if unit.function in _ANGLES else CONTEXT.divide(value, _number(unit.factor))
    return CONTEXT.divide(from_proper(proper), _number(unit.scale))


_ANGLES = frozenset(["tanTimes100", _RADIANS_PER_SLOPE_DEGREE])
"""Slopes: the tangent takes radians, whatever unit of angle the table names."""
