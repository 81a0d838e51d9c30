"""References, chains, reverse chains and includes.

Source: http://hl7.org/fhir/R4/search.html#reference, #chaining, #has, #revinclude
"""

from __future__ import annotations

from typing import Any

import pytest

from resources.outcome import FhirError
from tests.integration.search.conftest import BASE, Asker
from tests.integration.search.people import LOINC, MRN, observation, patient


def ref(text: str, **more: Any) -> dict[str, Any]:
    """Return a Reference."""
    return {"reference": text, **more}


WORLD = [
    patient(
        "p1",
        "Smith",
        generalPractitioner=[ref("Practitioner/d1"), ref("Organization/g1")],
        managingOrganization=ref("Organization/g1"),
    ),
    patient("p2", "Jones", managingOrganization=ref("Organization/g2")),
    patient("p3", "Smithers", link=[{"other": ref("Patient/p1"), "type": "seealso"}]),
    {"resourceType": "Practitioner", "id": "d1", "name": [{"family": "House"}]},
    {"resourceType": "Organization", "id": "g1", "name": "Clinic", "partOf": ref("Organization/g2")},
    {"resourceType": "Organization", "id": "g2", "name": "Holding"},
    {
        "resourceType": "Group",
        "id": "p1",
        "type": "person",
        "actual": True,
        "identifier": [{"value": "group"}],
    },
    {
        "resourceType": "Encounter",
        "id": "e1",
        "status": "finished",
        "class": {"code": "AMB"},
        "subject": ref("Patient/p1"),
        "participant": [{"individual": ref("Practitioner/d1")}, {"individual": ref("PractitionerRole/x")}],
    },
    {
        "resourceType": "QuestionnaireResponse",
        "id": "qr",
        "status": "completed",
        "questionnaire": "Questionnaire/gcs",
    },
    observation(
        "o1",
        "Patient/p1",
        "a",
        encounter=ref("Encounter/e1"),
        performer=[ref("Practitioner/d1"), ref("Patient/p2")],
    ),
    observation("o2", "Patient/p1/_history/7", "b", encounter=ref("Encounter/nobody")),
    observation("o3", "Patient/p2", "a", hasMember=[ref("Observation/o1"), ref("Observation/o2")]),
    observation("o4", "Group/p1", "a"),
    observation("o5", BASE + "/Patient/p3", "c"),
    observation("o6", "https://elsewhere.example/Patient/p1", "a"),
    {
        **observation("o7", None, "a"),
        "subject": {"identifier": {"system": MRN, "value": "77"}, "type": "Patient"},
    },
    observation("o8", "Patient/unborn", "a"),
    {
        "resourceType": "Coverage",
        "id": "c1",
        "status": "active",
        "beneficiary": ref("Patient/p1"),
        "payor": [ref("Organization/g1"), ref("Patient/p2")],
    },
    {
        "resourceType": "Provenance",
        "id": "v1",
        "target": [ref("Patient/p1"), ref("Observation/o1")],
        "recorded": "2020-01-01T00:00:00Z",
        "agent": [{"who": ref("Practitioner/d1")}],
    },
    {
        "resourceType": "ActivityDefinition",
        "id": "l1",
        "status": "active",
        "library": ["http://x/Library/a|1.0"],
    },
]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("Observation?subject=Patient/p1", "o1 o2"),
        ("Observation?subject=p3", "o5"),
        ("Observation?subject:Patient=p1", "o1 o2"),
        ("Observation?subject:Group=p1", "o4"),
        ("Observation?subject=Group/p1", "o4"),
        ("Observation?patient=p1", "o1 o2"),
        ("Observation?patient=Patient/p1", "o1 o2"),
        ("Observation?patient=Group/p1", ""),
        ("Observation?patient=Patient/p1,Patient/p2", "o1 o2 o3"),
        ("Observation?patient=p1,p2&code=a", "o1 o3"),
        (f"Observation?patient={BASE}/Patient/p3", "o5"),
        ("Observation?subject=https://elsewhere.example/Patient/p1", "o6"),
        ("Observation?subject=Patient/p2,https://elsewhere.example/Patient/p1", "o3 o6"),
        ("Observation?patient=unborn", "o8"),
        ("Observation?patient=nobody", ""),
        ("Observation?encounter=e1", "o1"),
        ("Observation?encounter=Encounter/nobody", "o2"),
        ("Observation?performer=Practitioner/d1", "o1"),
        ("Observation?performer=p2", "o1"),
        ("Observation?performer=Practitioner/d1&patient=p1", "o1"),
        (f"Observation?subject:identifier={MRN}|77", "o7"),
        ("Observation?subject:identifier=77", "o7"),
        ("Observation?patient:missing=true", "o4"),
        ("Observation?patient:missing=false", "o1 o2 o3 o5 o6 o7 o8"),
        ("Observation?subject:missing=true", ""),
        ("Encounter?practitioner=d1", "e1"),
        ("Encounter?practitioner=x", ""),
        ("Encounter?participant=x", "e1"),
        ("Coverage?patient=p1", "c1"),
        ("Coverage?beneficiary=p1", "c1"),
        ("Coverage?payor=p2", "c1"),
        ("Coverage?payor=p1", ""),
        ("Provenance?patient=p1", "v1"),
        ("Provenance?target=Observation/o1", "v1"),
        ("Patient?link=p1", "p3"),
        ("ActivityDefinition?depends-on=http://x/Library/a", "l1"),
        ("ActivityDefinition?depends-on=http://x/Library/a|1.0", "l1"),
        ("ActivityDefinition?depends-on=http://x/Library/a|2.0", ""),
        ("QuestionnaireResponse?questionnaire=Questionnaire/gcs", "qr"),  # a canonical that is relative
        ("QuestionnaireResponse?questionnaire=Questionnaire/x", ""),
        # chains
        ("Observation?patient.name=smith", "o1 o2 o5"),
        ("Observation?patient.name:exact=Smith", "o1 o2"),
        ("Observation?subject:Patient.name=jones", "o3"),
        ("Observation?subject:Group.identifier=group", "o4"),
        ("Observation?subject.identifier=group", "o4"),
        ("Observation?patient.name=smith&code=a", "o1"),
        ("Observation?performer:Practitioner.family=house", "o1"),
        ("Observation?encounter.practitioner=d1", "o1"),
        ("Observation?patient._id=p2", "o3"),
        ("Patient?organization.name=clinic", "p1"),
        ("Patient?general-practitioner:Organization.name=clinic", "p1"),
        ("Coverage?payor:Organization.partof=g2", "c1"),
        ("Observation?patient.organization=g1,g2&code:not=b", "o1 o3"),
        ("Observation?has-member.code=b", "o3"),
        # of several steps
        ("Observation?patient.organization.name=clinic", "o1 o2"),
        ("Observation?patient:Patient.organization:Organization.partof.name=holding", "o1 o2"),
        ("Observation?encounter.patient.name=smith", "o1"),
        ("Observation?has-member.patient.organization=g1", "o3"),
        ("Observation?patient._has:Coverage:patient:status=active", "o1 o2"),
        ("Practitioner?_has:Encounter:practitioner:patient.name=smith", "d1"),
        ("Organization?_has:Patient:organization:_has:Observation:patient:code=a", "g1 g2"),
        (
            "Organization?_has:Patient:organization:_has:Observation:patient:_has:Provenance:target:agent=d1",
            "g1",
        ),
        # reverse chains
        ("Patient?_has:Observation:patient:code=a", "p1 p2"),
        (f"Patient?_has:Observation:subject:code={LOINC}|c", "p3"),
        ("Group?_has:Observation:subject:code=a", "p1"),
        ("Group?_has:Observation:patient:code=a", ""),
        ("Patient?_has:Observation:performer:code=a", "p2"),
        ("Practitioner?_has:Observation:performer:code=a", "d1"),
        ("Patient?_has:Observation:patient:code=a&name=smith", "p1"),
        ("Patient?_has:Observation:patient:code=a&_has:Coverage:beneficiary:status=active", "p1"),
        ("Organization?_has:Patient:organization:name=jones", "g2"),
        ("Patient?_has:Encounter:patient:practitioner=d1", "p1"),
        ("Patient?_has:Provenance:target:agent=d1", "p1"),
        ("Patient?_has:Observation:patient:_id=o3", "p2"),
        ("Patient?_has:Observation:patient:code:not=a", "p1 p3"),
        ("Observation?_has:Observation:has-member:code=a", "o1 o2"),
    ],
)
async def test_a_reference_or_chain_finds_exactly_these(world: Asker, query: str, expected: str) -> None:
    assert sorted(await world.ids(query)) == expected.split()
    assert (await world.bundle(query + "&_summary=count"))["total"] == len(expected.split())


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("Observation?_id=o1&_include=Observation:patient", "Patient/p1"),
        ("Observation?_id=o1&_include=Observation:subject", "Patient/p1"),
        ("Observation?_id=o1&_include=Observation:subject:Group", ""),
        ("Observation?_id=o4&_include=Observation:subject", "Group/p1"),
        ("Observation?_id=o4&_include=Observation:patient", ""),
        ("Observation?_id=o1&_include=Observation:performer", "Patient/p2 Practitioner/d1"),
        ("Observation?_id=o1&_include=Observation:performer:Patient", "Patient/p2"),
        ("Observation?_id=o1&_include=Observation:*", "Encounter/e1 Patient/p1 Patient/p2 Practitioner/d1"),
        (
            "Observation?_id=o1&_include=Observation:patient&_include=Observation:encounter",
            "Encounter/e1 Patient/p1",
        ),
        ("Observation?_id=o2&_include=Observation:encounter", ""),
        ("Observation?_id=o3,o1&_include=Observation:has-member", "Observation/o2"),
        ("Observation?_id=o8&_include=Observation:patient", ""),
        ("Encounter?_include=Encounter:practitioner", "Practitioner/d1"),
        ("Patient?_id=p1&_revinclude=Observation:patient", "Observation/o1 Observation/o2"),
        (
            "Patient?_id=p1&_revinclude=Observation:subject&_revinclude=Coverage:patient",
            "Coverage/c1 Observation/o1 Observation/o2",
        ),
        (
            "Patient?_id=p2&_revinclude=Observation:performer&_revinclude=Coverage:payor",
            "Coverage/c1 Observation/o1",
        ),
        ("Group?_revinclude=Observation:subject", "Observation/o4"),
        ("Group?_revinclude=Observation:patient", ""),
        ("Patient?_id=p1&_revinclude=Observation:subject:Group", ""),
        ("Patient?_id=p1&_revinclude=Provenance:target", "Provenance/v1"),
        (
            "Organization?_id=g2&_revinclude=Organization:partof&_revinclude=Patient:organization",
            "Organization/g1 Patient/p2",
        ),
        (
            "Patient?_id=p1&_include=Patient:general-practitioner&_revinclude=Encounter:patient",
            "Encounter/e1 Organization/g1 Practitioner/d1",
        ),
        ("Patient?_id=nobody&_revinclude=Observation:patient", ""),
    ],
)
async def test_includes_bring_along(world: Asker, query: str, expected: str) -> None:
    assert await world.included(query) == expected.split()


async def test_includes_are_not_counted(world: Asker) -> None:
    bundle = await world.bundle("Patient?_id=p1&_revinclude=Observation:patient&_total=accurate")
    assert bundle["total"] == 1
    assert len(bundle["entry"]) == 3


@pytest.mark.parametrize(
    "query",
    [
        "Observation?subject.foo=1",
        "Observation?subject:Patient.foo=1",
        "Observation?code.name=1",
        "Observation?focus.name=x",
        "Observation?patient.organization.nothing=x",
        "Observation?patient.link.link.link.link.link.link.name=x",
        "Observation?subject:foo.name=x",
        "Observation?subject:Patient=Group/p1",
        "Patient?_has:Observation:patient=1",
        "Patient?_has:Nothing:patient:code=1",
        "Patient?_has:Observation:code:code=1",
        "Patient?_has:Observation:patient:nothing=1",
        "Patient?_has:Observation:patient:_has:X:y:z=1",
        "Observation?focus._has:Observation:focus:code=1",
        "Observation?_include=Observation",
        "Observation?_include=Observation:nothing",
        "Observation?_include=Patient:organization",
        "Observation?_include=Nothing:x",
        "Observation?_include=Observation:subject:Nothing",
        "Observation?_include=Observation:code",
        "Patient?_revinclude=Observation:nothing",
    ],
)
async def test_what_cannot_be_followed_is_refused(world: Asker, query: str) -> None:
    for strict in (True, False):
        with pytest.raises(FhirError) as refused:
            await world.bundle(query, strict=strict)
        assert refused.value.status == 400
        assert all(len(issue.text) > 20 for issue in refused.value.issues)
