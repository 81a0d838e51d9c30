"""The ways to write a reference, stored and asked for. Source: http://hl7.org/fhir/R4/search.html#reference"""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.search.conftest import BASE, Asker
from tests.integration.search.people import MRN, observation, patient

ELSEWHERE = "https://elsewhere.example/fhir"
URN = "urn:uuid:0d3a4b9c-7a0c-4c53-8a3f-4d1f0c1b2a3d"


def about(id_: str, **subject: Any) -> dict[str, Any]:
    """Return an Observation with a subject."""
    return {**observation(id_, None, "a"), "subject": subject}


WORLD = [
    patient("1", "A"),
    {"resourceType": "Group", "id": "1", "type": "person", "actual": True},
    about("relative", reference="Patient/1"),
    about("own", reference=f"{BASE}/Patient/1"),
    about("versioned", reference="Patient/1/_history/2"),
    about("foreign", reference=f"{ELSEWHERE}/Patient/1"),
    about("group", reference="Group/1"),
    about("urn", reference=URN),
    about("logical", identifier={"system": MRN, "value": "Ab"}, type="Patient"),
    {**about("contained", reference="#p"), "contained": [{"resourceType": "Patient", "id": "p"}]},
]
OURS = "own relative versioned"


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("subject=Patient/1", OURS),
        (f"subject={BASE}/Patient/1", OURS),
        ("subject=Patient/1/_history/2", OURS),
        (f"subject={BASE}/Patient/1/_history/9", OURS),
        ("subject=1", "group " + OURS),
        ("subject:Patient=1", OURS),
        ("subject:Group=1", "group"),
        ("subject:Patient=Patient/1", OURS),
        ("patient=1", OURS),
        ("patient=Patient/1", OURS),
        ("patient=Group/1", ""),
        ("subject=Practitioner/1", ""),
        ("subject=patient/1", ""),
        (f"subject={ELSEWHERE}/Patient/1", "foreign"),
        (f"patient={ELSEWHERE}/Patient/1", "foreign"),
        (f"subject={ELSEWHERE}/Patient/2", ""),
        (f"subject={URN}", "urn"),
        ("subject=#p", ""),
        (f"subject:identifier={MRN}|Ab", "logical"),
        (f"subject:identifier={MRN}|", "logical"),
        ("subject:identifier=ab", ""),
        ("subject:identifier=|Ab", ""),
        (f"patient:identifier={MRN}|Ab", "logical"),
        ("subject:missing=true", ""),
        (f"subject=Patient/1,{URN},{ELSEWHERE}/Patient/1", "foreign own relative urn versioned"),
    ],
)
async def test_references_match_however_they_are_written(world: Asker, query: str, expected: str) -> None:
    assert sorted(await world.ids(f"Observation?{query}")) == expected.split()
    assert (await world.bundle(f"Observation?{query}&_summary=count"))["total"] == len(expected.split())
