"""Read a UCUM code into factor and dimensions, exactly.

Source: https://ucum.org/ucum#section-Grammar-of-Units-and-Unit-Terms
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from terminology.ucum.table import Atom, table

MAX_LENGTH = 200
_MAX_DEPTH = 20
_MAX_EXPONENT = 400
_ANNOTATION = re.compile(r"\{[!-z|~]*\}")
_EXPONENT = re.compile(r"[+-]?[0-9]{1,3}")
_DIGITS = re.compile(r"[0-9]{1,40}")
_AFTER_UNIT = frozenset("./){+-0123456789")

Dimensions = tuple[tuple[str, int], ...]
"""Base units with their exponents, in alphabetical order, none of them 0."""


class UnitError(ValueError):
    """The text is no UCUM code."""


@dataclass(frozen=True, slots=True)
class Unit:
    """`factor` times the base units of `dimensions`.

    Shape:  for a special unit, `function` turns a number of it into a number of `factor` × `dimensions`, after
            multiplying by `scale` (its prefix and any numbers before it)
    """

    factor: Fraction
    dimensions: Dimensions = ()
    function: str = ""
    scale: Fraction = Fraction(1)

    def times(self, other: Unit, sign: int = 1) -> Unit:
        """Return the product, or with sign −1 the quotient."""
        if self.function or other.function:
            return self._scaled_special(other, sign)
        factor = self.factor * other.factor if sign > 0 else self.factor / other.factor
        return Unit(factor, _sum(self.dimensions, other.dimensions, sign))

    def _scaled_special(self, other: Unit, sign: int) -> Unit:
        """Return a special unit times a plain number; in any other product it stands for its interval."""
        if self.function and not other.function and not other.dimensions:
            scale = other.factor if sign > 0 else 1 / other.factor
            return Unit(self.factor, self.dimensions, self.function, self.scale * scale)
        if other.function and not self.function and not self.dimensions and sign > 0:
            return other._scaled_special(self, 1)
        return self._interval().times(other._interval(), sign)

    def _interval(self) -> Unit:
        if self.function and self.function not in INTERVALS:
            raise UnitError(f"a unit on the scale {self.function} cannot be part of a product")
        return Unit(self.factor * self.scale, self.dimensions)

    def power(self, exponent: int) -> Unit:
        """Return the unit raised to a whole power."""
        if abs(exponent) > _MAX_EXPONENT:
            raise UnitError(f"an exponent of {exponent}")
        if exponent == 1:
            return self
        base = self._interval()
        factor = base.factor**exponent
        return Unit(factor, tuple((name, power * exponent) for name, power in base.dimensions if exponent))


INTERVALS = frozenset(["Cel", "degF", "degRe"])
"""Scales whose differences are proportional: `Cel/min` is K/min."""


def _sum(left: Dimensions, right: Dimensions, sign: int) -> Dimensions:
    powers = dict(left)
    for name, power in right:
        powers[name] = powers.get(name, 0) + sign * power
    return tuple(sorted((name, power) for name, power in powers.items() if power))


ONE = Unit(Fraction(1))


def parse(code: str) -> Unit:
    """Return the unit that `code` stands for; UnitError where it is none. An empty code is the unit 1."""
    if len(code) > MAX_LENGTH:
        raise UnitError("too long")
    if not code:
        return ONE
    reader = _Reader(code)
    unit = reader.whole()
    if reader.at != len(code):
        raise UnitError(f"unexpected {code[reader.at]!r} at {reader.at + 1}")
    return unit


class _Reader:
    def __init__(self, code: str) -> None:
        self.code = code
        self.at = 0
        self.depth = 0

    def peek(self) -> str:
        return self.code[self.at : self.at + 1]

    def whole(self) -> Unit:
        if self.peek() == "/":
            self.at += 1
            return ONE.times(self.term(), -1) if self.peek() != "" else self._missing()
        return self.term()

    def _missing(self) -> Unit:
        raise UnitError("an operator that nothing follows")

    def term(self) -> Unit:
        """Read components from left to right: `a/b.c` is (a/b).c."""
        unit = self.component()
        while self.peek() in (".", "/") and self.peek():
            sign = 1 if self.peek() == "." else -1
            self.at += 1
            unit = unit.times(self.component(), sign)
        return unit

    def component(self) -> Unit:
        character = self.peek()
        if character == "(":
            return self.group()
        if character == "{":
            self.annotation()
            if self.peek() not in ("", ".", "/", ")"):
                raise UnitError("a unit after an annotation")
            return ONE
        found = self.simple()
        unit = self.factor() if found is None else self.raised(found)
        if self.peek() == "{":
            self.annotation()
        return unit

    def group(self) -> Unit:
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise UnitError("nested too deep")
        self.at += 1
        unit = self.whole()
        if self.peek() != ")":
            raise UnitError("a bracket that is not closed")
        self.at += 1
        self.depth -= 1
        if self.peek() == "{":
            self.annotation()
        return unit

    def annotation(self) -> None:
        match = _ANNOTATION.match(self.code, self.at)
        if match is None:
            raise UnitError(f"no annotation at {self.at + 1}")
        self.at = match.end()

    def factor(self) -> Unit:
        match = _DIGITS.match(self.code, self.at)
        if match is None:
            raise UnitError(f"no unit at {self.at + 1}")
        number = int(match.group())
        self.at = match.end()
        if not number or self.peek() not in ("", ".", "/", ")", "{"):
            raise UnitError(f"no unit at {match.start() + 1}")
        return Unit(Fraction(number))

    def simple(self) -> Unit | None:
        """Read the longest prefix and atom that can stand here, None where there is none."""
        units = table()
        for length in range(min(units.longest, len(self.code) - self.at), 0, -1):
            text = self.code[self.at : self.at + length]
            after = self.code[self.at + length : self.at + length + 1]
            if text in units.simple and (not after or after in _AFTER_UNIT):
                self.at += length
                prefix, atom = units.simple[text]
                return _prefixed(_defined(atom.code), prefix)
        return None

    def raised(self, unit: Unit) -> Unit:
        match = _EXPONENT.match(self.code, self.at)
        if match is None:
            if self.peek() in ("+", "-"):
                raise UnitError("a sign without an exponent")
            return unit
        self.at = match.end()
        return unit.power(int(match.group()))


def _prefixed(unit: Unit, prefix: Fraction) -> Unit:
    if unit.function:
        return Unit(unit.factor, unit.dimensions, unit.function, unit.scale * prefix)
    return Unit(unit.factor * prefix, unit.dimensions)


@lru_cache(maxsize=1024)
def _defined(code: str) -> Unit:
    """Return the unit of an atom, resolved down to base units."""
    atom: Atom = table().atoms[code]
    if atom.base or (atom.arbitrary and atom.unit == "1"):
        return Unit(Fraction(1), ((code, 1),))
    definition = parse(atom.unit)
    factor = definition.factor * atom.value
    if atom.function:
        return Unit(factor, definition.dimensions, atom.function)
    return Unit(factor, definition.dimensions)


def written(dimensions: Iterable[tuple[str, int]]) -> str:
    """Return base units as one canonical code: 'g.m-1.s-2', '1' for none."""
    return ".".join(name if power == 1 else f"{name}{power}" for name, power in dimensions) or "1"
