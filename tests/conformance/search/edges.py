"""Values at the edges: dates of every precision and zone, units of a kind, ranges, open ends, letters of the world.

Their ids begin with `edge-`. Hypothesis asks for them as for everything else.
"""

from __future__ import annotations

import json
import re
from typing import Any

from tests.conformance.search.rows.making import LOINC, UCUM

Json = dict[str, Any]

MOMENTS = (
    "0001",
    "0001-01-01T00:00:00+14:00",
    "1582-10-15",
    "1969-12-31T23:59:59Z",
    "1970",
    "1999-12-31",
    "2000-02",
    "2000-02-29",
    "2012-06-30T23:59:59Z",
    "2013-01-14T10:00:00+05:30",
    "2013-01-14T04:30:00Z",
    "2013-01-14T10:00:00.5Z",
    "2013-01-14T10:00:00.123456Z",
    "2013-01-14T10:00:00.999-12:00",
    "2015-03-29T02:30:00+01:00",
    "2020-12-31T23:59:59.999Z",
    "2021-01-01T00:00:00+00:01",
    "9999-12-31",
    "9999-12",
    "9999",
)
PERIODS: tuple[Json, ...] = (
    {"start": "2013-01-14", "end": "2013-01-14"},
    {"start": "2012", "end": "2013-06"},
    {"start": "2013-01-14T10:00:00Z", "end": "2013-01-14T10:00:00Z"},
    {"start": "2013-01"},
    {"end": "2013-01"},
    {"start": "0001", "end": "9999"},
)
TIMINGS: tuple[Json, ...] = (
    {"event": ["2013-01-14", "2013-03"]},
    {
        "event": ["2013-01-14T10:00:00Z"],
        "repeat": {"boundsPeriod": {"start": "2012-01-01", "end": "2012-02-01"}},
    },
    {"repeat": {"boundsPeriod": {"start": "2013-01-14"}}},
    {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
    {"repeat": {"boundsDuration": {"value": 3, "unit": "d", "system": UCUM, "code": "d"}}},
)
AMOUNTS: tuple[tuple[str, str], ...] = (
    ("0", "mg"),
    ("-5.4", "mg"),
    ("5400", "ug"),
    ("0.0000054", "kg"),
    ("5.40", "mg"),
    ("5.4000", "mg"),
    ("1e-3", "g"),
    ("37", "Cel"),
    ("310.15", "K"),
    ("98.6", "[degF]"),
    ("-273.15", "Cel"),
    ("120", "mm[Hg]"),
    ("15.9986", "kPa"),
    ("5.4", "mmol/L"),
    ("0.0054", "mol/L"),
    ("1", "h"),
    ("60", "min"),
    ("3600", "s"),
    ("24", "h"),
    ("1", "d"),
    ("12", "mo"),
    ("1", "a"),
    ("50", "%"),
    ("0.5", "1"),
    ("1", "[IU]"),
    ("1000", "m[IU]"),
    ("9", "{score}"),
    ("10", "10*9/L"),
    ("1e10", "/L"),
    ("123456789012345678.901234567890", "g"),
    ("0.000000000000000000001", "g"),
)
COMPARED = (("<", "5.4"), ("<=", "5.4"), (">", "5.4"), (">=", "5.4"))
NAMES = (
    "Müller",
    "MUELLER",
    "Mu\u0308ller",
    "Straße",
    "STRASSE",
    "İstanbul",
    "ISTANBUL",
    "ıstanbul",
    "Ångström",
    "Ωmega",
    "Ωmega",
    "ﬁnal",
    "final",
    "Łukasz",
    "Œuvre",
    "Søren",
    "van  der\tBerg",
    " van der Berg ",
    "O'Keefe",
    "OKeefe",
    "Smith-Jones",
    "Smith Jones",
    "Carreno Quinones",
    "50%",
    "50_",
    "a\\b",
    "a,b|c$d",
    "王小明",
    "小明",
    "محمد",
    "מֹשֶׁה",
    "משה",
    "नमस्ते",
    "ไทย",
    "Ａｄａ",
    "Ада",
    "ё",
    "е",
    "한글",
    "한글",
    "😀 smile",
    "x" * 600,
)


def exactly(digits: str) -> str:
    """Return a number as `written` writes it, digit for digit."""
    return f"§{digits}§"


def written(resource: Json) -> str:
    """Return the JSON of a resource, its exact numbers as they are."""
    return re.sub('"§([^§"]*)§"', r"\1", json.dumps(resource, ensure_ascii=False))


def _observation(id_: str, **elements: Any) -> Json:
    code = {"coding": [{"system": LOINC, "code": "edge"}]}
    return {"resourceType": "Observation", "id": f"edge-{id_}", "status": "final", "code": code, **elements}


def _quantity(value: str, code: str, **more: Any) -> Json:
    return {"value": exactly(value), "unit": code, "system": UCUM, "code": code, **more}


def edges() -> list[Json]:
    """Return the resources."""
    values: list[Json] = [{"effectiveDateTime": one} for one in MOMENTS]
    values += [{"effectivePeriod": one} for one in PERIODS] + [{"effectiveTiming": one} for one in TIMINGS]
    values += [{"valueQuantity": _quantity(*one)} for one in AMOUNTS]
    values += [{"valueQuantity": _quantity(value, "mg", comparator=sign)} for sign, value in COMPARED]
    values += [
        {
            "valueSampledData": {
                "origin": _quantity("2", "mg"),
                "period": 1,
                "dimensions": 1,
                "factor": exactly("0.5"),
                "data": data,
            }
        }
        for data in ("1 2 3", "-10 E U L 4", "E U")
    ]
    found = [_observation(str(number), **value) for number, value in enumerate(values)]
    found += [
        {
            "resourceType": "Patient",
            "id": f"edge-{number}",
            "name": [{"family": name}],
            "address": [{"city": name}],
        }
        for number, name in enumerate(NAMES)
    ]
    risks: tuple[Json, ...] = (
        {"probabilityDecimal": exactly("0.50")},
        {"probabilityRange": {"low": _quantity("10", "%"), "high": _quantity("20", "%")}},
        {"probabilityRange": {"low": _quantity("10", "%")}},
        {"probabilityRange": {"high": _quantity("20", "%")}},
    )
    subject = {"reference": "Patient/edge-0"}
    found += [
        {
            "resourceType": "RiskAssessment",
            "id": f"edge-{number}",
            "status": "final",
            "subject": subject,
            "prediction": [one],
        }
        for number, one in enumerate(risks)
    ]
    return found
