"""The ways to write a reference, stored and asked for. Source: http://hl7.org/fhir/R4/search.html#reference"""

from __future__ import annotations

from typing import Any

import pytest

from resources.outcome import FhirError
from tests.integration.search.conftest import BASE, Asker
from tests.integration.search.people import MRN, observation, patient

ELSEWHERE = "https://elsewhere.example/fhir"
URN = "urn:uuid:0d3a4b9c-7a0c-4c53-8a3f-4d1f0c1b2a3d"


def about(id_: str, **subject: Any) -> dict[str, Any]:
    """Return an Observation with a subject."""
    return {**observation(id_, None, "a"), "subject": subject}


QUESTIONS = "http://example.org/Questionnaire/x"


def answers(id_: str, rest: str) -> dict[str, Any]:
    """Return a QuestionnaireResponse with a canonical reference."""
    return {
        "resourceType": "QuestionnaireResponse",
        "id": id_,
        "status": "completed",
        "questionnaire": QUESTIONS + rest,
    }


WORLD = [
    patient("1", "A"),
    {"resourceType": "Group", "id": "1", "type": "person", "actual": True},
    about("relative", reference="Patient/1"),
    about("own", reference=f"{BASE}/Patient/1"),
    about("versioned", reference="Patient/1/_history/2"),
    about("foreign", reference=f"{ELSEWHERE}/Patient/1"),
    about("group", reference="Group/1"),
    answers("q", ""),
    answers("q1", "|1"),
    answers("q1.2", "|1.2"),
    answers("q10", "|10.1"),
    answers("deeper", "/more"),
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
        ("subject=urn-less", ""),
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


@pytest.mark.parametrize(
    "query",
    [
        "Observation?subject=1",
        "Observation?subject=2,1",
        "Observation?_filter=subject re 1",
        "Patient?_has:Observation:patient:subject=1",
    ],
)
async def test_an_id_alone_that_names_resources_of_several_types_is_refused(world: Asker, query: str) -> None:
    with pytest.raises(FhirError) as raised:
        await world.ids(query)
    assert raised.value.status == 400
    assert "The id '1' alone may mean Group/1, Patient/1: say which" in raised.value.issues[0].text


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (f"questionnaire={QUESTIONS}", "q q1 q1.2 q10"),
        (f"questionnaire={QUESTIONS}|1", "q1"),
        (f"questionnaire:below={QUESTIONS}", "deeper q q1 q1.2 q10"),
        (f"questionnaire:below={QUESTIONS}|1", "q1 q1.2"),
        (f"questionnaire:below={QUESTIONS}|1.2", "q1.2"),
        (f"questionnaire:below={QUESTIONS}|2", ""),
        (f"questionnaire:below={QUESTIONS}|2,{QUESTIONS}|10", "q10"),
    ],
)
async def test_a_version_of_a_canonical_is_above_those_that_start_with_it(
    world: Asker, query: str, expected: str
) -> None:
    """Source: http://hl7.org/fhir/R4/search.html#versions"""
    assert sorted(await world.ids(f"QuestionnaireResponse?{query}")) == expected.split()


@pytest.mark.parametrize(
    "query",
    [
        "QuestionnaireResponse?questionnaire.status=active",
        "QuestionnaireResponse?questionnaire:Questionnaire.status=active",
        "Questionnaire?_has:QuestionnaireResponse:questionnaire:status=completed",
        "QuestionnaireResponse?_filter=questionnaire.status eq active",
    ],
)
async def test_chains_over_canonicals_are_refused_by_name(world: Asker, query: str) -> None:
    with pytest.raises(FhirError) as raised:
        await world.ids(query)
    assert raised.value.status == 400
    assert "canonical references" in raised.value.issues[0].text
