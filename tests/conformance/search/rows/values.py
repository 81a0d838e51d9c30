"""Rows for strings, numbers, dates and quantities, at the edges of their ranges. Source: http://hl7.org/fhir/R4/search.html#prefix"""

from __future__ import annotations

from tests.conformance.search.rows.making import UCUM, charge, measured, observed, of, patient

STRINGS = [
    patient("eve", "Eve", gender="female", active=True, birthDate="1970-03-15"),
    patient("evelyn", "Evelyn", gender="male", active=False),
    patient("severine", "Severine"),
    patient("lower", "eve", gender="other"),
    patient("upper", "EVE"),
    patient("accent", "Évé"),
    of("Patient", "spaced", name=[{"family": "van\u00a0den   Berg", "text": "Jo van den Berg"}]),
    of(
        "Patient",
        "greek",
        name=[{"family": "Παπαδόπουλος"}],
        address=[{"city": "Αθήνα", "postalCode": "105 57"}],
    ),
    of("Patient", "chinese", name=[{"family": "王", "given": ["小明"]}]),
    of("Patient", "comma", name=[{"family": "a,b"}, {"family": "c|d$e\\f"}]),
]
NUMBERS = [
    charge(one)
    for one in (
        "94.99",
        "95",
        "99.49",
        "99.5",
        "99.994",
        "99.995",
        "100",
        "100.004",
        "100.005",
        "100.5",
        "104.99",
        "105",
    )
]
DATES = [
    observed("d14t00", effectiveDateTime="2013-01-14T00:00:00Z"),
    observed("d14t10", effectiveDateTime="2013-01-14T10:00:00Z"),
    observed("d15t00", effectiveDateTime="2013-01-15T00:00:00Z"),
    observed("d14", effectiveDateTime="2013-01-14"),
    observed("from0121", effectivePeriod={"start": "2013-01-21"}),
    observed("from0315", effectivePeriod={"start": "2013-03-15"}),
    observed("until0121", effectivePeriod={"end": "2013-01-21"}),
    observed("d0314", effectiveDateTime="2013-03-14"),
    observed("d20150615", effectiveDateTime="2015-06-15"),
    observed("m2000", effectiveDateTime="2000-04"),
    observed("y2000", effectiveDateTime="2000"),
    observed(
        "timing", effectiveTiming={"repeat": {"boundsPeriod": {"start": "1913-01-31", "end": "1913-03-24"}}}
    ),
    observed("instant", effectiveInstant="1999-12-31T23:30:00-01:00"),
]
QUANTITIES = [
    measured("q5.34", 5.34),
    measured("q5.35", 5.35),
    measured("q5.4", 5.4),
    measured("q5.44", 5.44),
    measured("q5.45", 5.45),
    measured("q5.395", 5.395),
    measured("q5.405", 5.405),
    measured("q6", 6.0),
    measured("qg", 0.0054, "g"),
    observed("qunit", valueQuantity={"value": 5.4, "unit": "mg"}),
    observed("qother", valueQuantity={"value": 5.4, "unit": "milligram", "system": UCUM, "code": "mg"}),
    observed("qnone", valueQuantity={"value": 5.4}),
    measured("qless", 5.4, "mg", comparator="<"),
]
