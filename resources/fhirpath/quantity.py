"""Quantities: equality, equivalence, order and arithmetic across units.

Source: http://hl7.org/fhirpath/N1/#quantity and #time-valued-quantities
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from resources.fhirpath.ports import PORTS

_WORDS = ("year", "month", "week", "day", "hour", "minute", "second", "millisecond")
CALENDAR_UNITS = {form: word for word in _WORDS for form in (word, word + "s")}
"""Every keyword of a calendar duration and its singular."""

UCUM_OF_CALENDAR = {
    "week": "wk",
    "day": "d",
    "hour": "h",
    "minute": "min",
    "second": "s",
    "millisecond": "ms",
}
"""Calendar durations that are definite; year and month are not (`a`, `mo` only resemble them)."""

CALENDAR_OF_UCUM = {code: word for word, code in UCUM_OF_CALENDAR.items()}
_LIKE_CALENDAR = {"year": "a", "month": "mo"}
_MONTHS = {"year": 12, "month": 1}


@dataclass(frozen=True, slots=True)
class Quantity:
    """A decimal with a UCUM unit, or with a calendar duration keyword (singular) when `calendar`."""

    value: Decimal
    unit: str
    calendar: bool = False

    def __str__(self) -> str:
        if not self.calendar:
            return f"{self.value:f} '{self.unit}'"
        return f"{self.value:f} {self.unit}{'' if self.value == 1 else 's'}"

    def same_unit(self, other: Quantity) -> bool:
        """Whether both are written in one unit."""
        return self.unit == other.unit and self.calendar == other.calendar

    def pair(self, other: Quantity, *, loose: bool = False) -> tuple[Decimal, Decimal] | None:
        """Return both values in one unit, None where they have none in common.

        Shape:  `loose` lets a calendar year or month stand for the UCUM `a` and `mo`
        """
        if self.same_unit(other):
            return self.value, other.value
        if self.calendar and other.calendar and self.unit in _MONTHS and other.unit in _MONTHS:
            return self.value * _MONTHS[self.unit], other.value * _MONTHS[other.unit]
        left, right = self.canonical(loose), other.canonical(loose)
        if left is None or right is None or left[1] != right[1]:
            return None
        return left[0], right[0]

    def canonical(self, loose: bool = False) -> tuple[Decimal, str] | None:
        """Return value and unit in UCUM base units, None where there are none."""
        code = self.ucum(loose)
        if code is None:
            return None
        if PORTS.canonical is not None:
            return PORTS.canonical(self.value, code)
        return _time(self.value, code) or (self.value, code)

    def ucum(self, loose: bool = False) -> str | None:
        """Return the UCUM code, None for a calendar year or month (unless `loose`)."""
        if not self.calendar:
            return self.unit
        return UCUM_OF_CALENDAR.get(self.unit) or (_LIKE_CALENDAR.get(self.unit) if loose else None)

    def indefinite(self, other: Quantity) -> bool:
        """Whether a calendar year or month meets a definite UCUM duration: neither equal nor unequal."""
        return self.calendar != other.calendar and {self.unit, other.unit} & _MONTHS.keys() != set()

    def equals(self, other: Quantity) -> bool | None:
        """Return whether both are the same amount; None where calendar and definite durations cannot be compared."""
        if self.indefinite(other):
            return None
        pair = self.pair(other)
        return pair is not None and pair[0] == pair[1]

    def compare(self, other: Quantity) -> int | None:
        """Return −1, 0 or 1; None where the units have nothing in common."""
        pair = None if self.indefinite(other) else self.pair(other)
        return None if pair is None else (pair[0] > pair[1]) - (pair[0] < pair[1])

    def equivalent(self, other: Quantity) -> bool:
        """Return whether both are the same amount as far as the less precise one says."""
        pair = self.pair(other, loose=True)
        if pair is None:
            return False
        if self.same_unit(other):
            return equivalent_decimals(*pair)
        one, two = (
            Quantity(Decimal(1), self.unit, self.calendar),
            Quantity(Decimal(1), other.unit, other.calendar),
        )
        ones, twos = one.canonical(True), two.canonical(True)
        if ones is None or twos is None or not ones[0] or not twos[0]:
            return pair[0] == pair[1]
        if abs(ones[0]) >= abs(twos[0]):
            return equivalent_decimals(self.value, pair[1] / ones[0])
        return equivalent_decimals(pair[0] / twos[0], other.value)

    def times(self, other: Quantity, divide: bool = False) -> Quantity | None:
        """Return product or quotient; None for a division by zero."""
        if divide and not other.value:
            return None
        value = self.value / other.value if divide else self.value * other.value
        left, right = self.ucum(loose=True), other.ucum(loose=True)
        if right == "1":
            return Quantity(value, self.unit, self.calendar)
        if left == "1" and not divide:
            return Quantity(value, other.unit, other.calendar)
        if divide and left == right:
            return Quantity(value, "1")
        return Quantity(value, f"({left}){'/' if divide else '.'}({right})")


def equivalent_decimals(left: Decimal, right: Decimal) -> bool:
    """Return whether both are equal when rounded to the precision of the less precise one."""
    digits = min(decimal_places(left), decimal_places(right))
    step = Decimal(1).scaleb(-digits)
    return left.quantize(step) == right.quantize(step)


def decimal_places(value: Decimal) -> int:
    """Return the number of digits after the point, trailing zeros not counted."""
    exponent = value.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _time(value: Decimal, code: str) -> tuple[Decimal, str] | None:
    """Return definite durations in seconds: all that is comparable when no unit service is registered."""
    scale = {"wk": 604_800, "d": 86_400, "h": 3_600, "min": 60, "s": 1}.get(code)
    if scale is not None:
        return value * scale, "s"
    return (value / 1000, "s") if code == "ms" else None
