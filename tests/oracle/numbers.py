"""Numbers and quantities: the search value brings the precision, the stored value is exact.

Source: http://hl7.org/fhir/R4/search.html#number, #quantity and #prefix
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from typing import Any

from tests.oracle.extract import Value
from tests.oracle.text import plain, prefixed, split
from tests.oracle.units import canonical

UCUM = "http://unitsofmeasure.org"
CURRENCIES = "urn:iso:std:iso:4217"
MOST, LEAST = float("inf"), float("-inf")
Bound = Fraction | float


@dataclass(frozen=True)
class Amount:
    """A stored range, both ends in it, and its unit."""

    low: Bound
    high: Bound
    system: str | None = None
    code: str | None = None
    unit: str | None = None


@dataclass(frozen=True)
class Asked:
    """A search number: exact for comparisons, [first, last) for eq and ne, [first, last] for ap."""

    prefix: str
    exact: Fraction
    first: Fraction
    last: Fraction


def read(text: str) -> Asked:
    """Return the reading of a search number.

    Shape:  half of the last digit's place to both sides (100, 5.40, and #quantity's 5.40e-3); where an exponent stands
            behind a single digit, R4's own example decides: 1e2 is [95, 105)
    """
    prefix, rest = prefixed(text)
    number = Decimal(rest)
    exact = Fraction(number)
    exponent = number.as_tuple().exponent
    assert isinstance(exponent, int)
    reach = Fraction(10) ** exponent / 2
    mantissa, letter, _ = rest.lower().partition("e")
    if letter and len(mantissa.strip("+-").replace(".", "").lstrip("0")) == 1:
        reach /= 10
    if prefix == "ap":
        reach = abs(exact) / 10
    return Asked(prefix, exact, exact - reach, exact + reach)


def compare(asked: Asked, low: Bound, high: Bound) -> bool:
    """Whether the stored range passes."""
    contained = asked.first <= low and high < asked.last and low <= high
    return {
        "eq": contained,
        "ne": not contained,
        "gt": high > asked.exact,
        "lt": low < asked.exact,
        "ge": high >= asked.exact,
        "le": low <= asked.exact,
        "sa": low > asked.exact,
        "eb": high < asked.exact,
        "ap": low <= asked.last and high >= asked.first,
    }[asked.prefix]


def amounts(value: Value) -> Iterator[Amount]:
    """Yield what a number, Quantity, Money, Range or SampledData stands for."""
    data = value.data
    if isinstance(data, bool):
        return
    if isinstance(data, int | Decimal):
        yield Amount(Fraction(data), Fraction(data))
    elif value.type == "Range":
        low, high = data.get("low", {}), data.get("high", {})
        if "value" in low or "value" in high:
            unit = low or high
            ends = (
                Fraction(low["value"]) if "value" in low else LEAST,
                Fraction(high["value"]) if "value" in high else MOST,
            )
            yield Amount(*ends, unit.get("system"), unit.get("code"), unit.get("unit"))
    elif value.type == "SampledData":
        yield from _samples(data)
    elif value.type == "Money":
        if "value" in data:
            number, currency = Fraction(data["value"]), data.get("currency")
            yield Amount(number, number, CURRENCIES if currency else None, currency)
    elif isinstance(data, dict) and "value" in data:
        yield _quantity(data)


def _quantity(data: dict[str, Any]) -> Amount:
    low: Bound = Fraction(data["value"])
    high: Bound = low
    comparator = data.get("comparator", "")
    if comparator[:1] == "<":
        low = LEAST
    if comparator[:1] == ">":
        high = MOST
    return Amount(low, high, data.get("system"), data.get("code"), data.get("unit"))


def _samples(data: dict[str, Any]) -> Iterator[Amount]:
    origin, found = data["origin"], []
    for word in data.get("data", "").split():
        try:
            found.append(
                Fraction(Decimal(word)) * Fraction(data.get("factor", 1)) + Fraction(origin.get("value", 0))
            )
        except InvalidOperation:
            continue
    if found:
        yield Amount(min(found), max(found), origin.get("system"), origin.get("code"), origin.get("unit"))


def number_matches(value: Value, text: str) -> bool:
    """Whether a stored number passes a search value."""
    asked = read(plain(text))
    return any(compare(asked, one.low, one.high) for one in amounts(value))


def quantity_matches(value: Value, text: str) -> bool:
    """Whether a stored quantity passes number, number|system|code or number||code."""
    pieces = [plain(piece) for piece in split(text, "|")]
    asked = read(pieces[0])
    system, code = [*pieces, "", ""][1:3]
    return any(_same_unit(asked, one, system, code) for one in amounts(value))


def _same_unit(asked: Asked, one: Amount, system: str, code: str) -> bool:
    if not code:
        return compare(asked, one.low, one.high)
    if not system:
        return code in (one.code, one.unit) and compare(asked, one.low, one.high)
    if one.system != system or one.code is None:
        return False
    wanted, stored = (canonical(code), canonical(one.code)) if system == UCUM else (None, None)
    if wanted is None or stored is None:
        return code == one.code and compare(asked, one.low, one.high)
    if wanted[2] != stored[2]:
        return False
    factor, offset, _ = wanted
    base = Asked(asked.prefix, *(end * factor + offset for end in (asked.exact, asked.first, asked.last)))
    return compare(base, *(_scaled(end, stored[0], stored[1]) for end in (one.low, one.high)))


def _scaled(end: Bound, factor: Fraction, offset: Fraction) -> Bound:
    return end if isinstance(end, float) else end * factor + offset
