"""Strings. Source: http://hl7.org/fhir/R4/search.html#string"""

from __future__ import annotations

import pytest

from tests.integration.search.conftest import Asker
from tests.integration.search.people import patient

LONG = "long " * 200
WORLD = [
    patient(
        "p1", "Müller", "Anna Maria", address=[{"line": ["1 Main St"], "city": "Graz", "postalCode": "8010"}]
    ),
    patient("p2", "MULLER", "Bob", name=[{"family": "MULLER", "given": ["Bob"]}, {"text": "Bobby Tables"}]),
    patient("p3", "50%_off\\x", "Eve"),
    patient("p4", "王小明"),
    patient("p5", LONG + "end"),
    {"resourceType": "Patient", "id": "p6", "gender": "other"},
]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("family=mul", "p1 p2"),
        ("family=MÜLLER", "p1 p2"),
        ("family=uller", ""),
        ("family:contains=LLE", "p1 p2"),
        ("family:exact=Müller", "p1"),
        ("family:exact=Mül", ""),
        ("family:exact=muller", ""),
        ("family:contains=%", "p3"),
        ("family:contains=_", "p3"),
        (r"family:contains=off\\x", "p3"),
        ("family=50%", "p3"),
        ("name=bobby", "p2"),
        ("name=tables", ""),
        ("given=anna%20%20m", "p1"),
        ("name=王", "p4"),
        ("family=mul,50%", "p1 p2 p3"),
        ("name=bob&name=mul", "p2"),
        ("address=graz", "p1"),
        ("address=1%20main", "p1"),
        ("address-postalcode=8010", "p1"),
        ("phonetic=mul", "p1 p2"),
        ("family:missing=true", "p6"),
        ("address:missing=false", "p1"),
        (f"family:exact={LONG}end", "p5"),
        ("family:contains=g%20end", "p5"),
        ("family=long%20long", "p5"),
    ],
)
async def test_strings_match(world: Asker, query: str, expected: str) -> None:
    assert (
        sorted(await world.ids("Patient?" + query.replace("%,", "%25,").replace("=%", "=%25")))
        == expected.split()
    )
