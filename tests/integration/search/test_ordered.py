"""Dates, numbers and quantities with every prefix, against answers worked out from the specification's words.

Source: http://hl7.org/fhir/R4/search.html#prefix
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from fhir_server.search.params.date import EARLIEST, LATEST, span
from fhir_server.search.params.number import asked
from tests.integration.search.conftest import Asker
from tests.integration.search.people import UCUM, observation, quantity

PREFIXES = ("", "eq", "ne", "gt", "lt", "ge", "le", "sa", "eb")
TIMES: dict[str, Any] = {
    "d1": {"effectiveDateTime": "2020"},
    "d2": {"effectiveDateTime": "2020-06"},
    "d3": {"effectiveDateTime": "2020-06-15"},
    "d4": {"effectiveDateTime": "2020-06-15T12:00:00Z"},
    "d5": {"effectiveDateTime": "2020-06-15T23:30:00-05:00"},
    "d6": {"effectivePeriod": {"start": "2020-06-01", "end": "2020-06-20"}},
    "d7": {"effectivePeriod": {"start": "2020-06-15"}},
    "d8": {"effectivePeriod": {"end": "2020-06-15T12:00:00Z"}},
    "d9": {},
}
VALUES = {
    "n1": "99.4",
    "n2": "99.5",
    "n3": "100",
    "n4": "100.00",
    "n5": "100.49",
    "n6": "100.5",
    "n7": "-5",
    "n8": "1000",
}
WORLD = [
    *(observation(id_, None, "d", **time) for id_, time in TIMES.items()),
    *(
        {
            "resourceType": "Encounter",
            "id": id_,
            "status": "finished",
            "class": {"code": "AMB"},
            "location": [{"location": {"display": "x"}, "period": time["effectivePeriod"]}],
        }
        for id_, time in TIMES.items()
        if "effectivePeriod" in time
    ),
    *(
        {
            "resourceType": "RiskAssessment",
            "id": id_,
            "status": "final",
            "subject": {"display": "x"},
            "prediction": [{"probabilityDecimal": Decimal(v)}],
        }
        for id_, v in VALUES.items()
    ),
    {
        "resourceType": "RiskAssessment",
        "id": "r1",
        "status": "final",
        "subject": {"display": "x"},
        "prediction": [{"probabilityRange": {"low": {"value": 90}, "high": {"value": 110}}}],
    },
    observation("q1", None, "q", valueQuantity=quantity(Decimal("5.40"), "g")),
    observation("q2", None, "q", valueQuantity=quantity(5400, "mg")),
    observation("q3", None, "q", valueQuantity=quantity(6, "g")),
    observation("q4", None, "q", valueQuantity={"value": Decimal("5.4"), "unit": "tablets"}),
    observation("q5", None, "q", valueQuantity=quantity(Decimal("5.4"), "x", "urn:units")),
    observation(
        "q6",
        None,
        "q",
        valueQuantity={"value": 5, "comparator": ">", "system": UCUM, "code": "g", "unit": "g"},
    ),
]


def times(id_: str) -> tuple[int, int] | None:
    """Return the range of a resource's date, as the specification reads it."""
    found = TIMES[id_]
    if "effectiveDateTime" in found:
        return span(found["effectiveDateTime"])
    if "effectivePeriod" in found:
        period = found["effectivePeriod"]
        return (
            span(period["start"])[0] if "start" in period else EARLIEST,
            span(period["end"])[1] if "end" in period else LATEST,
        )
    return None


def matches(prefix: str, value: tuple[int, int], target: tuple[int, int]) -> bool:
    """Return what the table of prefixes says; both ranges are inclusive."""
    contains = value[0] <= target[0] and target[1] <= value[1]
    above, below = target[1] > value[1], target[0] < value[0]
    return {
        "": contains,
        "eq": contains,
        "ne": not contains,
        "gt": above,
        "lt": below,
        "ge": above or contains,
        "le": below or contains,
        "sa": target[0] > value[1],
        "eb": target[1] < value[0],
    }[prefix]


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize(
    "value",
    [
        "2020",
        "2020-06",
        "2020-06-15",
        "2020-06-15T12:00:00Z",
        "2020-06-15T12:00Z",
        "2020-06-16",
        "2021",
        "2019",
    ],
)
async def test_every_prefix_of_a_date(world: Asker, prefix: str, value: str) -> None:
    ranges = {id_: times(id_) for id_ in TIMES}
    expected = [id_ for id_, found in ranges.items() if found and matches(prefix, span(value), found)]
    assert sorted(await world.ids(f"Observation?date={prefix}{value}&code=d")) == expected
    periods = [id_ for id_ in expected if "effectivePeriod" in TIMES[id_]]
    assert sorted(await world.ids(f"Encounter?location-period={prefix}{value}")) == periods


async def test_a_plus_that_a_form_made_a_space_is_still_a_zone(world: Asker) -> None:
    assert await world.ids("Observation?date=2020-06-15T12:00:00+00:00") == ["d4"]


async def test_approximate_dates_are_wide(world: Asker) -> None:
    assert sorted(await world.ids("Observation?date=ap2020-05-20&code=d")) == [f"d{n}" for n in range(1, 9)]
    assert await world.ids("Observation?date=ap2005&code=d") == ["d8"]


async def test_two_dates_are_a_range(world: Asker) -> None:
    found = sorted(await world.ids("Observation?date=sa2020-06-14&date=eb2020-06-16&code=d"))
    assert found == ["d3", "d4"]


@pytest.mark.parametrize("prefix", PREFIXES)
@pytest.mark.parametrize("value", ["100", "100.00", "1e2", "100.5", "-5", "0"])
async def test_every_prefix_of_a_number(world: Asker, prefix: str, value: str) -> None:
    exact, wanted = Decimal(value), asked("probability", value)
    stored = {id_: (Decimal(text), Decimal(text)) for id_, text in VALUES.items()} | {
        "r1": (Decimal(90), Decimal(110))
    }
    rules = {
        "": lambda lo, hi: wanted.first <= lo and hi < wanted.last,
        "gt": lambda lo, hi: hi > exact,
        "lt": lambda lo, hi: lo < exact,
        "ge": lambda lo, hi: hi >= exact,
        "le": lambda lo, hi: lo <= exact,
        "sa": lambda lo, hi: lo > exact,
        "eb": lambda lo, hi: hi < exact,
    }
    rules["eq"], rules["ne"] = rules[""], lambda lo, hi: not rules[""](lo, hi)
    expected = sorted(id_ for id_, (lo, hi) in stored.items() if rules[prefix](lo, hi))
    assert sorted(await world.ids(f"RiskAssessment?probability={prefix}{value}")) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("5.4", "q1 q4 q5"),
        (f"5.4|{UCUM}|g", "q1 q2"),
        (f"5400|{UCUM}|mg", "q1 q2"),
        (f"5.40e3|{UCUM}|mg", "q1 q2"),
        (f"5|{UCUM}|g", "q1 q2"),
        ("5.4||g", "q1"),
        ("5.4||tablets", "q4"),
        ("5.4|urn:units|x", "q5"),
        (f"gt5.4|{UCUM}|g", "q3 q6"),
        (f"le5400|{UCUM}|mg", "q1 q2 q6"),
        (f"lt6000.0|{UCUM}|mg", "q1 q2 q6"),
        (f"ap5|{UCUM}|g", "q1 q2 q6"),
        (f"sa5.4|{UCUM}|g,5.4||tablets", "q3 q4"),
        (f"5.4|{UCUM}|m", ""),
        (f"5.4|{UCUM}|no-unit", ""),
    ],
)
async def test_quantities_are_compared_in_base_units(world: Asker, value: str, expected: str) -> None:
    assert sorted(await world.ids(f"Observation?value-quantity={value}")) == expected.split()


async def test_missing_dates_and_values(world: Asker) -> None:
    assert await world.ids("Observation?date:missing=true&code=d") == ["d9"]
    assert len(await world.ids("Observation?value-quantity:missing=false")) == 6


async def test_last_updated_is_an_instant(world: Asker) -> None:
    assert await world.ids("Observation?_lastUpdated=lt2020&_count=100") == []
    every = len(await world.ids("Observation?_count=100"))
    for prefix in ("gt", "ge", "sa", "ne"):
        assert len(await world.ids(f"Observation?_lastUpdated={prefix}2020-01-01&_count=100")) == every, (
            prefix
        )
    bundle = await world.bundle("Observation?_id=q1")
    exact = bundle["entry"][0]["resource"]["meta"]["lastUpdated"]
    assert "q1" in await world.ids(f"Observation?_lastUpdated={exact}")
    assert "q1" in await world.ids(f"Observation?_lastUpdated=ap{exact}")
    assert "q1" not in await world.ids(f"Observation?_lastUpdated=ne{exact}&_count=100")
