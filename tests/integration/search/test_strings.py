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
    patient("p7", "Παπαδόπουλος"),
    patient("p8", "Işık"),
    patient("p9", "مُحَمَّد"),
    patient("p10", "한국"),
    patient("p11", "Шевчук-Йовенко"),
    patient("p12", LONG + "edge"),
    patient("p13", "Zarza\u00a0Carreño\tQuiñones"),
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
        ("family=long%20long", "p12 p5"),
        (f"family={LONG}", "p12 p5"),
        (f"family={LONG}e", "p12 p5"),
        (f"family={LONG}en", "p5"),
        (f"family={LONG}x", ""),
        (f"family={LONG[:499]}", "p12 p5"),
        (f"family={LONG[:501]}", "p12 p5"),
        (f"family:contains={LONG}ed", "p12"),
        ("family=ΠΑΠΑΔΟΠΟΥΛΟΣ", "p7"),
        ("family=παπαδοπουλοσ", "p7"),
        ("family=ISIK", "p8"),
        ("family=ışı", "p8"),
        ("family=محمد", "p9"),
        ("family=하", ""),
        ("family=한", "p10"),
        ("family=\u1112\u1161\u11ab", "p10"),
        ("family=шевчук-и", "p11"),
        ("family:exact=Шевчук-йовенко", ""),
        ("family=quinones", "p13"),
        ("family=carreno%20quin", "p13"),
        ("name=carreño", "p13"),
        ("family=arza", ""),
        ("family:exact=Quiñones", ""),
        ("family:exact=quinones", ""),
        ("family:contains=o%20q", "p13"),
        ("family=end", ""),
        ("_filter=family%20sw%20quinones", ""),
        ("_filter=family%20sw%20zarza", "p13"),
        ("_filter=family%20eq%20quinones", ""),
        ('_filter=family%20lt%20"d"', "p3"),
        ("given:missing=true&family=zarza", "p13"),
    ],
)
async def test_a_string_finds_exactly_these(world: Asker, query: str, expected: str) -> None:
    assert (
        sorted(await world.ids("Patient?" + query.replace("%,", "%25,").replace("=%", "=%25")))
        == expected.split()
    )
