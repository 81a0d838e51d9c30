"""UCUM, as much of it as the test data use: exact factors to base units, each from the UCUM specification's tables.

Source: https://ucum.org/ucum (version 2.1), tables 1 to 19
"""

from __future__ import annotations

import re
from fractions import Fraction
from functools import cache

Dimension = tuple[tuple[str, int], ...]
Canonical = tuple[Fraction, Fraction, Dimension]
"""value × factor + offset, in base units of a dimension."""

_PREFIXES = {
    "Y": 24, "Z": 21, "E": 18, "P": 15, "T": 12, "G": 9, "M": 6, "k": 3, "h": 2, "da": 1,
    "d": -1, "c": -2, "m": -3, "u": -6, "n": -9, "p": -12, "f": -15, "a": -18,
}  # fmt: skip
_BASE = ("m", "s", "g", "rad", "K", "C", "cd")
_METRIC = {
    "L": ("10*-3", "m3"), "l": ("10*-3", "m3"), "mol": ("6.0221367", "10*23"), "eq": ("1", "mol"),
    "N": ("1000", "g.m/s2"), "Pa": ("1", "N/m2"), "J": ("1", "N.m"), "cal": ("4.184", "J"), "Hz": ("1", "/s"),
    "U": ("1", "umol/min"), "kat": ("1", "mol/s"), "m[Hg]": ("133.3220", "kPa"), "t": ("1000", "kg"),
    "b": ("100", "fm2"), "W": ("1", "J/s"), "V": ("1", "J/C"), "sr": ("1", "rad2"), "bar": ("100000", "Pa"),
    "[iU]": ("1", "[iU]"), "[IU]": ("1", "[iU]"), "osm": ("1", "mol"),
}  # fmt: skip
_PLAIN = {
    "%": ("1", "10*-2"), "[ppth]": ("1", "10*-3"), "[ppm]": ("1", "10*-6"), "min": ("60", "s"), "h": ("60", "min"),
    "d": ("24", "h"), "wk": ("7", "d"), "a": ("365.25", "d"), "mo": ("30.4375", "d"), "[in_i]": ("2.54", "cm"),
    "[ft_i]": ("12", "[in_i]"), "[gr]": ("64.79891", "mg"), "[lb_av]": ("7000", "[gr]"),
    "[oz_av]": ("437.5", "[gr]"), "[gal_us]": ("231", "[in_i]3"), "[foz_us]": ("0.0078125", "[gal_us]"),
    "[diop]": ("1", "/m"), "deg": ("0.017453292519943295769236907684886127134428718885417254560971914", "rad"),
    "B": ("1", "[B]"),
}  # fmt: skip
_ARBITRARY = ("[iU]", "[B]")
_OFFSETS = {"Cel": (Fraction(1), Fraction("273.15")), "[degF]": (Fraction(5, 9), Fraction("459.67") * 5 / 9)}
_TERM = re.compile(
    r"(?P<symbol>10\*|10\^|(?:[A-Za-z%']|\[[^]]*\])+|\d+)?(?P<power>[+-]?\d+)?(?P<note>\{[^}]*\})?\Z"
)


@cache
def canonical(code: str) -> Canonical | None:
    """Return what a UCUM code is in base units, None where it is no UCUM code."""
    if code in _OFFSETS:
        return (*_OFFSETS[code], (("K", 1),))
    found = _expression(code)
    return None if found is None else (found[0], Fraction(0), found[1])


def _expression(code: str) -> tuple[Fraction, Dimension] | None:
    if not code or code.endswith(("/", ".")):
        return None
    factor, sizes = Fraction(1), dict[str, int]()
    for sign, term in re.findall(r"(^|[./])((?:\[[^]]*\]|\{[^}]*\}|[^./[\]{}])*)", code):
        if not term and sign == "":
            continue
        found = _term(term)
        if found is None:
            return None
        power = -1 if sign == "/" else 1
        factor *= found[0] ** power
        for name, size in found[1]:
            sizes[name] = sizes.get(name, 0) + size * power
    return factor, tuple(sorted((name, size) for name, size in sizes.items() if size))


def _term(term: str) -> tuple[Fraction, Dimension] | None:
    match = _TERM.match(term)
    if match is None or not term:
        return None
    symbol, power = match["symbol"], match["power"]
    if symbol is None:
        return (Fraction(1), ()) if match["note"] and not power else None
    found = _symbol(symbol)
    if found is None:
        return None
    exponent = int(power or 1)
    return found[0] ** exponent, tuple((name, size * exponent) for name, size in found[1])


@cache
def _symbol(symbol: str) -> tuple[Fraction, Dimension] | None:
    if symbol in ("10*", "10^"):
        return Fraction(10), ()
    if symbol.isdigit():
        return Fraction(symbol), ()
    if symbol in _BASE or symbol in _ARBITRARY:
        return Fraction(1), ((symbol, 1),)
    made = _PLAIN.get(symbol) or _METRIC.get(symbol)
    if made is not None:
        return _made(*made)
    for prefix, power in _PREFIXES.items():
        rest = symbol.removeprefix(prefix)
        if rest != symbol and (rest in _BASE or rest in _METRIC):
            found = _symbol(rest)
            return found and (found[0] * Fraction(10) ** power, found[1])
    return None


def _made(number: str, unit: str) -> tuple[Fraction, Dimension] | None:
    found = _expression(unit)
    amount = Fraction(10) ** int(number[3:]) if number.startswith("10*") else Fraction(number)
    return found and (found[0] * amount, found[1])
