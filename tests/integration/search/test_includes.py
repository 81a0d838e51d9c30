"""What comes along with a page: `:iterate`, wildcards, canonical references, several kinds at once.

Source: http://hl7.org/fhir/R4/search.html#revinclude, http://hl7.org/fhir/R4/references.html#canonical
"""

from __future__ import annotations

from typing import Any

import pytest

from fhir_server.search import include
from resources.outcome import FhirError
from tests.integration.search.conftest import Asker, Json, ids
from tests.integration.search.people import observation, patient


def ref(text: str) -> Json:
    """Return a Reference."""
    return {"reference": text}


def organization(id_: str, part_of: str | None = None) -> Json:
    """Return an Organization."""
    return {
        "resourceType": "Organization",
        "id": id_,
        "name": id_,
        **({"partOf": ref(part_of)} if part_of else {}),
    }


def definition(kind: str, id_: str, url: str, version: str | None, **more: Any) -> Json:
    """Return a resource that canonicals can name."""
    named = {"resourceType": kind, "id": id_, "status": "active", "url": url, **more}
    return {**named, "version": version} if version else named


WORLD = [
    organization("g1", "Organization/g2"),
    organization("g2", "Organization/g3"),
    organization("g3", "Organization/g1"),
    organization("self", "Organization/self"),
    {"resourceType": "Practitioner", "id": "d1"},
    {"resourceType": "Practitioner", "id": "d2"},
    patient(
        "p1", "One", managingOrganization=ref("Organization/g1"), generalPractitioner=[ref("Practitioner/d1")]
    ),
    patient("p2", "Two", managingOrganization=ref("Organization/self")),
    {
        "resourceType": "Encounter",
        "id": "e1",
        "status": "finished",
        "class": {"code": "AMB"},
        "subject": ref("Patient/p1"),
        "participant": [{"individual": ref("Practitioner/d2")}],
    },
    observation("o1", "Patient/p1", "a", encounter=ref("Encounter/e1")),
    observation("o2", "Patient/p1", "a", hasMember=[ref("Observation/o1")]),
    observation("o3", "Patient/p2", "b", performer=[ref("Patient/p1"), ref("Practitioner/d1")]),
    {
        "resourceType": "Provenance",
        "id": "v1",
        "target": [ref("Observation/o1")],
        "recorded": "2020-01-01T00:00:00Z",
        "agent": [{"who": ref("Practitioner/d1")}],
    },
    definition("ValueSet", "vs1", "http://x/vs", "1.0"),
    definition("ValueSet", "vs2", "http://x/vs", "1.10"),
    definition("ValueSet", "vs3", "http://x/vs", "1.9"),
    definition("ValueSet", "vs4", "http://x/other", None),
    definition(
        "ConceptMap",
        "cm1",
        "http://x/cm1",
        None,
        sourceCanonical="http://x/vs",
        targetCanonical="http://x/other",
    ),
    definition("ConceptMap", "cm2", "http://x/cm2", None, sourceCanonical="http://x/vs|1.9"),
    definition(
        "ConceptMap",
        "cm3",
        "http://x/cm3",
        None,
        sourceCanonical="http://x/vs|7",
        targetCanonical="http://x/gone",
    ),
    definition("Questionnaire", "q1", "http://x/q", None),
    {
        "resourceType": "QuestionnaireResponse",
        "id": "qr1",
        "status": "completed",
        "questionnaire": "http://x/q",
    }
    | {"subject": ref("Patient/p1")},
]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        # without :iterate only from the matches
        (
            "Observation?_id=o1&_include=Observation:patient&_include=Observation:encounter",
            "Encounter/e1 Patient/p1",
        ),
        (
            "Observation?_id=o1&_include=Observation:patient&_include:iterate=Patient:organization",
            "Organization/g1 Patient/p1",
        ),
        (
            (
                "Observation?_id=o1&_include=Observation:patient&_include:iterate=Patient:organization"
                "&_include:iterate=Organization:partof"
            ),
            "Organization/g1 Organization/g2 Organization/g3 Patient/p1",
        ),
        # the order in which they are named makes no difference
        (
            (
                "Observation?_id=o1&_include:iterate=Organization:partof&_include:iterate=Patient:organization"
                "&_include=Observation:patient"
            ),
            "Organization/g1 Organization/g2 Organization/g3 Patient/p1",
        ),
        # circles end, and no match comes again
        ("Organization?_id=g1&_include:iterate=Organization:partof", "Organization/g2 Organization/g3"),
        ("Organization?_id=self&_include:iterate=Organization:partof", ""),
        ("Organization?_id=g1,g2&_include:iterate=Organization:partof", "Organization/g3"),
        ("Organization?_id=g1&_include=Organization:partof", "Organization/g2"),
        ("Organization?_id=g1&_revinclude:iterate=Organization:partof", "Organization/g2 Organization/g3"),
        ("Observation?_id=o2&_include:iterate=Observation:has-member", "Observation/o1"),
        # both directions, from what came along
        (
            (
                "Observation?_id=o2&_include:iterate=Observation:has-member&_revinclude:iterate=Provenance:target"
                "&_include:iterate=Provenance:agent"
            ),
            "Observation/o1 Practitioner/d1 Provenance/v1",
        ),
        (
            (
                "Practitioner?_id=d2&_revinclude=Encounter:participant&_include:iterate=Encounter:patient"
                "&_revinclude:iterate=QuestionnaireResponse:patient"
            ),
            "Encounter/e1 Patient/p1 QuestionnaireResponse/qr1",
        ),
        ("Observation?_id=o1&_include=Observation:subject&_include:iterate=Patient:link", "Patient/p1"),
        # type restriction, wildcards
        ("Observation?_id=o3&_include:iterate=Observation:performer:Patient", "Patient/p1"),
        ("Observation?_id=o3&_include=Observation:*:Practitioner", "Practitioner/d1"),
        ("Observation?_id=o1&_include=*", "Encounter/e1 Patient/p1"),
        (
            "Observation?_id=o1&_include=Observation:encounter&_include:iterate=Encounter:*",
            "Encounter/e1 Patient/p1 Practitioner/d2",
        ),
        (
            "Patient?_id=p1&_revinclude=*",
            "Encounter/e1 Observation/o1 Observation/o2 Observation/o3 QuestionnaireResponse/qr1",
        ),
        ("Patient?_id=p1&_revinclude=Observation:*", "Observation/o1 Observation/o2 Observation/o3"),
        (
            (
                "Patient?_id=p1&_revinclude=Observation:performer&_revinclude=Encounter:patient"
                "&_revinclude=QuestionnaireResponse:subject&_include=Patient:organization"
            ),
            "Encounter/e1 Observation/o3 Organization/g1 QuestionnaireResponse/qr1",
        ),
        # canonicals: the version that is named, else the latest
        ("ConceptMap?_id=cm1&_include=ConceptMap:source", "ValueSet/vs2"),
        ("ConceptMap?_id=cm1&_include=ConceptMap:*", "ValueSet/vs2 ValueSet/vs4"),
        ("ConceptMap?_id=cm2&_include=ConceptMap:source", "ValueSet/vs3"),
        ("ConceptMap?_id=cm3&_include=ConceptMap:source&_include=ConceptMap:target", ""),
        ("ConceptMap?_id=cm1&_include=ConceptMap:source:CodeSystem", ""),
        ("ValueSet?_id=vs2&_revinclude=ConceptMap:source", "ConceptMap/cm1"),
        ("ValueSet?_id=vs3&_revinclude=ConceptMap:source", "ConceptMap/cm2"),
        ("ValueSet?_id=vs1&_revinclude=ConceptMap:source", ""),
        ("ValueSet?_id=vs4&_revinclude=ConceptMap:source&_revinclude=ConceptMap:target", "ConceptMap/cm1"),
        ("QuestionnaireResponse?_include=QuestionnaireResponse:questionnaire", "Questionnaire/q1"),
        (
            "Questionnaire?_revinclude=QuestionnaireResponse:questionnaire&_include:iterate=QuestionnaireResponse:patient",
            "Patient/p1 QuestionnaireResponse/qr1",
        ),
        (
            "ValueSet?_id=vs4&_revinclude:iterate=ConceptMap:target&_include:iterate=ConceptMap:source",
            "ConceptMap/cm1 ValueSet/vs2",
        ),
    ],
)
async def test_what_comes_along(world: Asker, query: str, expected: str) -> None:
    assert await world.included(query) == expected.split()


async def test_a_match_is_never_an_include_too(world: Asker) -> None:
    bundle = await world.bundle(
        "Observation?_include=Observation:has-member&_include=Observation:patient&_total=accurate"
    )
    urls = [entry["fullUrl"] for entry in bundle["entry"]]
    assert len(urls) == len(set(urls)) == 5
    assert (bundle["total"], len(ids(bundle))) == (3, 3)


async def test_a_reference_to_a_version_brings_that_version(ask: Asker) -> None:
    await ask.put(patient("p", "First"))
    await ask.put(patient("p", "Second"))
    await ask.put(
        observation("old", "Patient/p/_history/1", "a"),
        observation("new", "Patient/p/_history/2", "a"),
        observation("any", "Patient/p", "a"),
        observation("none", "Patient/p/_history/9", "a"),
    )

    async def versions(wanted: str) -> list[str]:
        bundle = await ask.bundle(f"Observation?_id={wanted}&_include=Observation:subject")
        entries = [entry["resource"] for entry in bundle["entry"] if entry["search"]["mode"] == "include"]
        return [resource["meta"]["versionId"] for resource in entries]

    assert await versions("old") == ["1"]
    assert await versions("new") == ["2"]
    assert await versions("any") == ["2"]
    assert await versions("none") == ["2"]
    assert await versions("old,new") == ["2", "1"]
    assert await versions("old,any") == ["2", "1"]


async def test_includes_are_those_of_the_page(world: Asker) -> None:
    pages = {}
    url: str | None = (
        "Observation?_count=1&_sort=_id&_include=Observation:patient&_include:iterate=Patient:organization"
    )
    while url:
        bundle = await world.bundle(url)
        pages[ids(bundle)[0]] = sorted(
            e["resource"]["id"] for e in bundle["entry"] if e["search"]["mode"] == "include"
        )
        url = next((one["url"] for one in bundle["link"] if one["relation"] == "next"), None)
    assert pages == {"o1": ["g1", "p1"], "o2": ["g1", "p1"], "o3": ["p2", "self"]}


async def test_more_than_may_come_along_is_refused_not_cut(
    world: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(include, "MAX_INCLUDED", 2)
    assert len(await world.included("Organization?_id=g1&_include:iterate=Organization:partof")) == 2
    with pytest.raises(FhirError) as refused:
        await world.bundle("Patient?_id=p1&_revinclude=*")
    assert [issue.code for issue in refused.value.issues] == ["too-costly"]
    monkeypatch.setattr(include, "MAX_ROUNDS", 1)
    with pytest.raises(FhirError):
        await world.bundle("Organization?_id=g1&_include:iterate=Organization:partof")


@pytest.mark.parametrize(
    "query",
    [
        "Observation?_include:recurse=Observation:has-member",
        "Observation?_include:iterate=Nothing:x",
        "Observation?_include:iterate=Patient:name",
        "Observation?_revinclude:missing=Provenance:target",
        "Observation?_include=**",
    ],
)
async def test_an_include_that_cannot_be_followed_is_refused(world: Asker, query: str) -> None:
    with pytest.raises(FhirError) as refused:
        await world.bundle(query, strict=False)
    assert refused.value.status == 400
