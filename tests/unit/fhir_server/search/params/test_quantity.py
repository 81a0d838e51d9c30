"""Quantities: their ranges and units. Source: http://hl7.org/fhir/R4/search.html#quantity"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from fhir_server.search.params.number import INFINITY
from fhir_server.search.params.quantity import CURRENCY, UCUM, canonical, index, unit_hash
from fhir_server.search.sink import Sink

Json = dict[str, Any]


def quantity(value: Any, code: str, **more: Any) -> Json:
    """Return a UCUM Quantity."""
    return {"value": value, "system": UCUM, "code": code, "unit": code, **more}


def ranges(value: Json, type_name: str) -> list[tuple[Decimal, Decimal]]:
    """Return the ranges that a value is indexed with."""
    sink = Sink()
    index(1, value, type_name, sink)
    return sorted((one.lo, one.hi) for one in sink.numbers)


ABOVE, BELOW = INFINITY, -INFINITY
SAMPLES = {"origin": quantity(Decimal(5), "mV"), "period": 1, "dimensions": 1, "factor": Decimal("0.5")}


@pytest.mark.parametrize(
    ("value", "type_name", "expected"),
    [
        (quantity(5, "g"), "Quantity", [(5, 5)]),
        (quantity(5, "g", comparator="<"), "Quantity", [(BELOW, 5)]),
        (quantity(5, "g", comparator=">="), "Quantity", [(5, ABOVE)]),
        (quantity(5, "g", unit="grams"), "Quantity", [(5, 5), (5, 5)]),
        ({"code": "g", "system": UCUM}, "Quantity", []),
        ({"value": 5}, "Count", [(5, 5)]),
        ({"value": Decimal("5.00"), "currency": "EUR"}, "Money", [(5, 5)]),
        ({"low": quantity(1, "g"), "high": quantity(2, "g")}, "Range", [(1, 2)]),
        ({"low": quantity(1, "g")}, "Range", [(1, ABOVE)]),
        ({"high": quantity(2, "g")}, "Range", [(BELOW, 2)]),
        ({"low": quantity(1, "g"), "high": quantity(2000, "mg")}, "Range", [(1, 2)]),
        ({"low": quantity(1, "g"), "high": quantity(2, "m")}, "Range", []),
        ({"low": {"value": 1, "unit": "x"}, "high": {"value": 2, "unit": "y"}}, "Range", []),
        ({}, "Range", []),
        ({**SAMPLES, "data": "2 E -4 L 10 U"}, "SampledData", [(3, 10)]),
        ({**SAMPLES, "data": "E"}, "SampledData", []),
    ],
)
def test_a_value_is_the_range_it_stands_for(
    value: Json, type_name: str, expected: list[tuple[Any, Any]]
) -> None:
    assert ranges(value, type_name) == expected


def test_commensurable_units_have_one_hash_and_comparable_values() -> None:
    grams, milligrams = (
        canonical(Decimal(v), Decimal(v), UCUM, c) for v, c in (("5.4", "g"), ("5400", "mg"))
    )
    assert grams == milligrams


def test_a_scale_that_falls_as_its_base_rises_is_compared_as_written() -> None:
    kind, lo, hi = canonical(Decimal("7.0"), Decimal("7.4"), UCUM, "[pH]")
    assert (kind, lo, hi) == (unit_hash("[pH]", UCUM), Decimal("7.0"), Decimal("7.4"))


def test_other_systems_are_units_of_their_own() -> None:
    assert canonical(Decimal(5), Decimal(5), CURRENCY, "EUR")[0] == unit_hash("EUR", CURRENCY)
    assert (
        canonical(Decimal(5), Decimal(5), "urn:units", "g")[0]
        != canonical(Decimal(5), Decimal(5), UCUM, "g")[0]
    )
    assert canonical(Decimal(5), Decimal(5), "", "g") == (None, None, None)
