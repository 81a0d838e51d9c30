"""Numbers: a value is itself, a range its two ends; the search value brings the precision.

Source: http://hl7.org/fhir/R4/search.html#number
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Any, NamedTuple, TypeGuard

from fhir_server.search.registry import Param
from fhir_server.search.sink import Sink
from fhir_server.search.sql import Sql, Test, any_of
from fhir_server.search.values import bad_value, prefixed, unescape
from fhir_server.storage.rows import Numeric

INFINITY = Decimal("Infinity")
_NUMBER = re.compile(r"[+-]?(\d{1,200})(\.\d{1,200})?([eE][+-]?\d{1,3})?\Z", re.ASCII)
_HALF, _TWENTIETH, _TENTH = Decimal("0.5"), Decimal("0.05"), Decimal("0.1")

MOST_DIGITS = 1_000
"""Numbers with more digits before or after the point are not indexed: no measurement has them."""


def index(param: int, value: Any, type_name: str, sink: Sink) -> None:
    """Add one number or the ends of one Range to `sink`."""
    if type_name == "Range":
        lo, hi = amount(value.get("low"), -INFINITY), amount(value.get("high"), INFINITY)
        if lo.is_infinite() and hi.is_infinite():
            return
    else:
        lo = hi = amount({"value": value}, INFINITY)
        if lo.is_infinite():
            return
    sink.numbers.add(Numeric(param, lo, hi))
    sink.present.add(param)


def amount(quantity: Any, otherwise: Decimal) -> Decimal:
    """Return the value of a Quantity, `otherwise` where it has none (or one of more digits than columns hold)."""
    value = quantity.get("value") if quantity else None
    if not is_number(value):
        return otherwise
    found = Decimal(value)
    return (
        found
        if not found or (found.adjusted() < MOST_DIGITS and exponent(found) > -MOST_DIGITS)
        else otherwise
    )


def is_number(value: Any) -> TypeGuard[int | Decimal]:
    """Whether a JSON value is a number."""
    return isinstance(value, int | Decimal) and not isinstance(value, bool)


def exponent(value: Decimal) -> int:
    """Return the power of ten of the last digit of a finite `value`."""
    found = value.as_tuple().exponent
    return found if isinstance(found, int) else 0


class Asked(NamedTuple):
    """A search value: what is compared, how, and the range that its digits leave open (`last` is outside)."""

    prefix: str
    value: Decimal
    first: Decimal
    last: Decimal


def asked(code: str, text: str) -> Asked:
    """Return the reading of a number with its prefix.

    Shape:  100 and 1.00e2 are [99.5, 100.5), 100.00 is [99.995, 100.005) and 1e2, as R4 has it, [95, 105)
    Errors: 400 value
    Source: http://hl7.org/fhir/R4/search.html#number
    """
    prefix, rest = prefixed(text)
    found = _NUMBER.match(rest)
    if found is None:
        raise bad_value(code, text, "a number such as 100, 5.40 or 1e2")
    value = Decimal(rest)
    step = Decimal(1).scaleb(exponent(value))
    lone = found[3] and len((found[1] + (found[2] or "")).replace(".", "").lstrip("0")) == 1
    half = (abs(value) * _TENTH) if prefix == "ap" else step * (_TWENTIETH if lone else _HALF)
    return Asked(prefix, value, value - half, value + half)


def test(param: Param, _modifier: str, values: Sequence[str]) -> Test:
    """Return the test that any of `values` passes.

    Errors: 400 value
    """
    wanted = [asked(param.code, unescape(value)) for value in values]
    return rows_test(param, lambda sql: any_of([compare(sql, "i.lo", "i.hi", one) for one in wanted]))


def rows_test(param: Param, condition: Any) -> Test:
    """Return the test on the number rows `i` of a parameter that meet `condition`."""
    ids = ", ".join(str(part.id) for part in param.parts)

    def rows(sql: Sql) -> str:
        return f"SELECT i.rid FROM idx_number i WHERE i.param IN ({ids}) AND {condition(sql)}"

    return Test(lambda sql, row: f"EXISTS ({rows(sql)} AND i.rid = {row}.rid)", 60, rows)


def compare(sql: Sql, lo: str, hi: str, one: Asked) -> str:
    """Return the condition on a stored range; only eq, ne and ap use the precision of the search value."""

    def place(value: Decimal) -> str:
        return sql.cast(str(value), "numeric")

    if one.prefix in ("gt", "ge"):
        return f"{hi} {'>' if one.prefix == 'gt' else '>='} {place(one.value)}"
    if one.prefix in ("lt", "le"):
        return f"{lo} {'<' if one.prefix == 'lt' else '<='} {place(one.value)}"
    if one.prefix == "sa":
        return f"{lo} > {place(one.value)}"
    if one.prefix == "eb":
        return f"{hi} < {place(one.value)}"
    first, last = place(one.first), place(one.last)
    if one.prefix == "ap":
        return f"({lo} <= {last} AND {hi} >= {first})"
    within = f"({lo} >= {first} AND {lo} < {last} AND {hi} < {last})"
    return f"NOT {within}" if one.prefix == "ne" else within
