"""Quantities: numbers as written, and in canonical UCUM units so that 1 g is found by 1000 mg.

Source: http://hl7.org/fhir/R4/search.html#quantity
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

from fhir_server.search.context import remembered
from fhir_server.search.hashing import token
from fhir_server.search.params.number import INFINITY, Asked, amount, asked, compare, rows_test
from fhir_server.search.registry import Param
from fhir_server.search.sink import Sink
from fhir_server.search.sql import Sql, Test, any_of
from fhir_server.search.values import bad_value, piped
from fhir_server.storage.rows import Numeric
from terminology import ucum

UCUM = "http://unitsofmeasure.org"
CURRENCY = "urn:iso:std:iso:4217"
"""The system of Money.currency. Source: http://hl7.org/fhir/R4/datatypes.html#Money"""


def index(param: int, value: Any, type_name: str, sink: Sink) -> None:
    """Add one Quantity (or Age, Money, Range, SampledData …) to `sink`."""
    if type_name == "Range":
        _range(param, value.get("low") or {}, value.get("high") or {}, sink)
    elif type_name == "SampledData":
        _sampled(param, value, sink)
    elif type_name == "Money":
        unit = {"system": CURRENCY, "code": value.get("currency")} if "currency" in value else {}
        _add(param, *_bounds(value), unit, sink)
    elif isinstance(value, dict) and "value" in value:
        _add(param, *_bounds(value), value, sink)


def _range(param: int, low: Any, high: Any, sink: Sink) -> None:
    """Index a Range in the unit of its low end; ends whose units cannot be converted say nothing together."""
    lo, hi = amount(low, -INFINITY), amount(high, INFINITY)
    if lo.is_finite() and hi.is_finite() and _unit(low) != _unit(high):
        both = low.get("system") == UCUM == high.get("system")
        converted = ucum.convert(hi, high.get("code", ""), low.get("code", "")) if both else None
        if converted is None:
            return
        hi = converted
    _add(param, lo, hi, low if lo.is_finite() else high, sink)


def _unit(quantity: Any) -> tuple[str, str]:
    return quantity.get("system", ""), quantity.get("code") or quantity.get("unit", "")


def _bounds(quantity: Any) -> tuple[Decimal, Decimal]:
    value, comparator = amount(quantity, INFINITY), quantity.get("comparator", "")
    if comparator.startswith("<"):
        return -INFINITY, value
    return value, INFINITY if comparator.startswith(">") else value


def _sampled(param: int, value: Any, sink: Sink) -> None:
    """Index the range that the samples span: origin + sample × factor."""
    origin, factor = value.get("origin") or {}, value.get("factor", 1)
    samples: list[Decimal] = []
    for word in str(value.get("data", "")).split():
        try:
            samples.append(Decimal(word) * factor + amount(origin, Decimal(0)))
        except (InvalidOperation, TypeError):
            continue
    if samples:
        _add(param, min(samples), max(samples), origin, sink)


def _add(param: int, lo: Decimal, hi: Decimal, unit: Any, sink: Sink) -> None:
    if not (lo.is_finite() or hi.is_finite()):
        return
    system, code, text = unit.get("system") or "", unit.get("code") or "", unit.get("unit") or ""
    kind, clo, chi = canonical(lo, hi, system, code)
    sink.numbers.add(
        Numeric(param, lo, hi, kind, clo, chi, unit_hash(code or text) if code or text else None)
    )
    if text and code and text != code:
        sink.numbers.add(Numeric(param, lo, hi, code=unit_hash(text)))
    sink.present.add(param)


def canonical(
    lo: Decimal, hi: Decimal, system: str, code: str
) -> tuple[int | None, Decimal | None, Decimal | None]:
    """Return the hash of the unit and the range in it: the base unit for UCUM, the unit itself for other systems."""
    if not (system and code):
        return None, None, None
    ends = [_canonical(end, code) for end in (lo, hi)] if system == UCUM else [None, None]
    if ends[0] is None or ends[1] is None:
        return unit_hash(code, system), lo, hi
    return unit_hash(ends[0][1], UCUM + "#canonical"), ends[0][0], ends[1][0]


def _canonical(value: Decimal, code: str) -> tuple[Decimal, str] | None:
    if not _rises(code):
        return None
    found = ucum.canonical(value if value.is_finite() else Decimal(1), code)
    return found if found is None or value.is_finite() else (value, found[1])


@lru_cache(maxsize=4_096)
def _rises(code: str) -> bool:
    """Whether more of a unit is more of its base unit; of pH, a negative logarithm, it is less: it stays as it is."""
    one, two = ucum.canonical(Decimal(1), code), ucum.canonical(Decimal(2), code)
    return one is not None and two is not None and one[0] < two[0]


@remembered(4_096)
def unit_hash(unit: str, system: str = "") -> int:
    """Return the hash of a unit: of a system, or as any code or text where none is given."""
    return token(0, "unit", system, unit)


def test(param: Param, _modifier: str, values: Sequence[str]) -> Test:
    """Return the test that any of `values` passes: number, number|system|code or number||code.

    Errors: 400 value
    """
    wanted = [read(param.code, value) for value in values]
    return rows_test(param, lambda sql: any_of([matches(sql, *one) for one in wanted]))


def read(code: str, text: str) -> tuple[Asked, str, str]:
    """Return the number, the system and the unit of a search value.

    Errors: 400 value
    """
    parts = piped(text)
    if len(parts) not in (1, 3) or (len(parts) == 3 and not parts[2]):
        raise bad_value(code, text, "a quantity is number, number|system|code or number||code")
    system, unit = parts[1:] if len(parts) == 3 else ("", "")
    return asked(code, parts[0]), system, unit


def matches(sql: Sql, one: Asked, system: str, unit: str) -> str:
    """Return the condition on a row `i` of stored quantities."""
    if not unit:
        return compare(sql, "i.lo", "i.hi", one)
    if not system:
        return f"(i.code = {sql.big(unit_hash(unit))} AND {compare(sql, 'i.lo', 'i.hi', one)})"
    kind, first, last = canonical(one.first, one.last, system, unit)
    _, value, _ = canonical(one.value, one.value, system, unit)
    if kind is None or first is None or last is None or value is None:
        return "false"
    inside = compare(sql, "i.clo", "i.chi", Asked(one.prefix, value, min(first, last), max(first, last)))
    return f"(i.unit = {sql.big(kind)} AND {inside})"
