"""The scales of special units: from a number on the scale to a number of its corresponding proper unit, and back.

Source: https://ucum.org/ucum#section-Special-Units-on-non-ratio-Scales, tables of sections 4.3 to 4.5
"""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Context, Decimal

CONTEXT = Context(prec=40)
"""Wide enough that an 18-digit FHIR decimal times a factor of the table stays exact."""

_ZERO_CELSIUS = Decimal("273.15")
_ZERO_FAHRENHEIT = Decimal("459.67")
_LN2 = CONTEXT.ln(Decimal(2))

Convert = Callable[[Decimal], Decimal]


def _exp(base: int, times: int = 1) -> Convert:
    return lambda x: CONTEXT.power(Decimal(base), CONTEXT.divide(x, Decimal(times)))


def _lg(times: int = 1) -> Convert:
    return lambda x: CONTEXT.multiply(CONTEXT.log10(x), Decimal(times))


def _tan(x: Decimal) -> Decimal:
    return Decimal(repr(math.tan(float(x))))


def _atan(x: Decimal) -> Decimal:
    return Decimal(repr(math.atan(float(x))))


SCALES: dict[str, tuple[Convert, Convert]] = {
    "Cel": (lambda x: CONTEXT.add(x, _ZERO_CELSIUS), lambda x: CONTEXT.subtract(x, _ZERO_CELSIUS)),
    "degF": (lambda x: CONTEXT.add(x, _ZERO_FAHRENHEIT), lambda x: CONTEXT.subtract(x, _ZERO_FAHRENHEIT)),
    "degRe": (
        lambda x: CONTEXT.add(x, CONTEXT.divide(_ZERO_CELSIUS, Decimal("1.25"))),
        lambda x: CONTEXT.subtract(x, CONTEXT.divide(_ZERO_CELSIUS, Decimal("1.25"))),
    ),
    "pH": (lambda x: CONTEXT.power(Decimal(10), -x), lambda x: -CONTEXT.log10(x)),
    "ln": (CONTEXT.exp, CONTEXT.ln),
    "lg": (_exp(10), _lg()),
    "lgTimes2": (_exp(10, 2), _lg(2)),
    "ld": (_exp(2), lambda x: CONTEXT.divide(CONTEXT.ln(x), _LN2)),
    "hpX": (lambda x: CONTEXT.power(Decimal(10), -x), lambda x: -CONTEXT.log10(x)),
    "hpC": (lambda x: CONTEXT.power(Decimal(100), -x), lambda x: -CONTEXT.log10(x) / 2),
    "hpM": (lambda x: CONTEXT.power(Decimal(1000), -x), lambda x: -CONTEXT.log10(x) / 3),
    "hpQ": (
        lambda x: CONTEXT.power(Decimal(50_000), -x),
        lambda x: CONTEXT.divide(-CONTEXT.ln(x), CONTEXT.ln(Decimal(50_000))),
    ),
    "tanTimes100": (lambda x: _atan(x / 100), lambda x: 100 * _tan(x)),
    "sqrt": (lambda x: CONTEXT.multiply(x, x), CONTEXT.sqrt),
}
"""Per scale: to the proper unit, from the proper unit."""
