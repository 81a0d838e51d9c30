"""Tokens and addresses. Source: http://hl7.org/fhir/R4/search.html#token and #uri"""

from __future__ import annotations

import pytest

from tests.integration.search.conftest import Asker
from tests.integration.search.people import LOINC, MRN, observation, patient

V2 = "http://terminology.hl7.org/CodeSystem/v2-0203"
GENDER = "http://hl7.org/fhir/administrative-gender"
CANONICAL = "http://example.org/StructureDefinition/x"
WORLD = [
    patient(
        "p1",
        "A",
        gender="female",
        active=True,
        identifier=[
            {"system": MRN, "value": "Ab1", "type": {"coding": [{"system": V2, "code": "MR"}]}},
            {"value": "none"},
        ],
        telecom=[{"system": "email", "value": "Ann@Example.org"}, {"system": "phone", "value": "555-1"}],
        meta={
            "tag": [{"system": "urn:t", "code": "blue"}],
            "profile": [CANONICAL + "|2.0"],
            "source": "urn:s",
        },
    ),
    patient("p2", "B", gender="male", active=False, identifier=[{"system": "urn:other", "value": "Ab1"}]),
    patient("p3", "C", deceasedDateTime="2020", communication=[{"language": {"coding": [{"code": "de"}]}}]),
    observation("o1", "Patient/p1", "8867-4"),
    observation("o2", "Patient/p1", "1-1", status="amended"),
    {
        "resourceType": "Observation",
        "id": "o3",
        "status": "final",
        "code": {
            "coding": [{"system": "urn:local", "code": "8867-4"}, {"system": LOINC, "code": "2-2"}],
            "text": "pulse",
        },
    },
    {"resourceType": "Observation", "id": "o4", "status": "final", "code": {"coding": [{"code": "8867-4"}]}},
    observation(
        "o5", "Patient/p2", "3-3", component=[{"code": {"coding": [{"system": LOINC, "code": "8867-4"}]}}]
    ),
    {"resourceType": "Observation", "id": "o6", "status": "final", "code": {"text": "only text"}},
    {"resourceType": "ValueSet", "id": "v1", "status": "active", "url": "http://example.org/vs/A"},
    {"resourceType": "ValueSet", "id": "v2", "status": "draft", "url": "http://example.org/vs/a"},
    {
        "resourceType": "AuditEvent",
        "id": "a1",
        "type": {"code": "x"},
        "recorded": "2020-01-01T00:00:00Z",
        "agent": [{"requestor": True, "altId": "NotMe"}],
        "source": {"site": "Watcher", "observer": {"display": "x"}},
    },
    {
        "resourceType": "Library",
        "id": "l1",
        "status": "draft",
        "type": {"text": "x"},
        "content": [{"contentType": "text/cql"}],
    },
    {"resourceType": "Library", "id": "l2", "status": "draft", "type": {"text": "x"}},
    {
        "resourceType": "DocumentReference",
        "id": "d1",
        "status": "current",
        "content": [{"attachment": {"contentType": "Text/XML; charset=UTF-8", "language": "de-AT"}}],
    },
    {
        "resourceType": "DocumentReference",
        "id": "d2",
        "status": "current",
        "content": [{"attachment": {"contentType": "text/xml"}}],
    },
    {
        "resourceType": "Group",
        "id": "g1",
        "type": "person",
        "actual": False,
        "characteristic": [
            {
                "code": {"text": "positive"},
                "valueCodeableConcept": {"coding": [{"system": LOINC, "code": "LA6576-8"}]},
                "exclude": False,
            },
            {"code": {"text": "smoker"}, "valueBoolean": True, "exclude": False},
        ],
    },
]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        # the four forms
        ("Observation?code=8867-4", "o1 o3 o4"),
        (f"Observation?code={LOINC}|8867-4", "o1"),
        ("Observation?code=|8867-4", "o4"),
        (f"Observation?code={LOINC}|", "o1 o2 o3 o5"),
        ("Observation?code=urn:local|", "o3"),
        ("Observation?code=nothing", ""),
        ("Observation?code=urn:nowhere|8867-4", ""),
        # lists are OR, repeats are AND
        (f"Observation?code={LOINC}|1-1,{LOINC}|3-3", "o2 o5"),
        ("Observation?code=1-1,|8867-4", "o2 o4"),
        ("Observation?code=8867-4&code=2-2", "o3"),
        ("Observation?code=8867-4,&status=final,amended", "o1 o3 o4"),
        # a union of parameters
        (f"Observation?combo-code={LOINC}|8867-4", "o1 o5"),
        ("Observation?combo-code=8867-4&code=3-3", "o5"),
        ("Observation?component-code=8867-4", "o5"),
        # :not says that no value matches
        ("Observation?code:not=8867-4", "o2 o5 o6"),
        (f"Observation?code:not={LOINC}|8867-4", "o2 o3 o4 o5 o6"),
        ("Observation?code:not=8867-4,1-1", "o5 o6"),
        ("Observation?combo-code:not=8867-4", "o2 o6"),
        ("Observation?patient=p1&code:not=8867-4", "o2"),
        ("Observation?status:not=final", "o2"),
        # :missing
        ("Observation?component-code:missing=true", "o1 o2 o3 o4 o6"),
        ("Observation?component-code:missing=false", "o5"),
        ("Observation?subject:missing=true", "o3 o4 o6"),
        ("Observation?patient:missing=false", "o1 o2 o5"),
        # code elements carry their implied system
        ("Patient?gender=female", "p1"),
        (f"Patient?gender={GENDER}|female", "p1"),
        (f"Patient?gender={GENDER}|", "p1 p2"),
        ("Patient?gender=|female", ""),
        ("Patient?gender=urn:other|female", ""),
        # case follows the code system
        ("Patient?gender=FEMALE", ""),
        (f"Observation?code={LOINC.upper()}|8867-4", ""),
        # booleans, identifiers, contacts
        ("Patient?active=true", "p1"),
        ("Patient?active:not=true", "p2 p3"),
        ("Patient?deceased=true", "p3"),
        ("Patient?identifier=Ab1", "p1 p2"),
        ("Patient?identifier=ab1", ""),
        (f"Patient?identifier={MRN}|Ab1", "p1"),
        (f"Patient?identifier={MRN}|", "p1"),
        ("Patient?identifier=|Ab1", ""),
        ("Patient?identifier=|none", "p1"),
        (f"Patient?identifier:of-type={V2}|MR|Ab1", "p1"),
        (f"Patient?identifier:of-type={V2}|XX|Ab1", ""),
        ("Patient?email=ann@example.org", "p1"),
        ("Patient?phone=ann@example.org", ""),
        ("Patient?telecom=555-1", "p1"),
        ("Patient?language=DE", "p3"),
        # what every resource has
        ("Patient?_tag=urn:t|blue", "p1"),
        ("Patient?_tag:not=blue", "p2 p3"),
        ("Patient?_source=urn:s", "p1"),
        (f"Patient?_profile={CANONICAL}", "p1"),
        (f"Patient?_profile={CANONICAL}|2.0", "p1"),
        (f"Patient?_profile={CANONICAL}|1.0", ""),
        ("Patient?_id=p1,p3,nobody", "p1 p3"),
        ("Patient?_id=p1&gender=male", ""),
        # addresses are exact
        ("ValueSet?url=http://example.org/vs/A", "v1"),
        ("ValueSet?url=http://example.org/vs/", ""),
        ("ValueSet?url=http://example.org/vs/A,http://example.org/vs/a&status=draft", "v2"),
        # parameters over several types: what one cannot have, another may
        (f"Group?value={LOINC}|LA6576-8", "g1"),
        ("Group?value=LA6576-8", "g1"),
        ("Group?value=true", "g1"),
        ("Group?value=false", ""),
        # strings that are tokens differ by nothing but case
        ("AuditEvent?site=WATCHER", "a1"),
        ("AuditEvent?site=watch", ""),
        ("AuditEvent?altid:not=notme", ""),
        # all codes of an element are of the system that its value set implies, listed or not
        ("Library?content-type=text/cql", "l1"),
        # mime types and language tags are the same in any case, and may have parameters
        ("Library?content-type=TEXT/CQL", "l1"),
        ("DocumentReference?contenttype=text/xml", "d2"),
        ("DocumentReference?contenttype=text/xml;%20charset=utf-8", "d1"),
        ("DocumentReference?contenttype:below=text/xml", "d1 d2"),
        ("DocumentReference?contenttype:below=urn:ietf:bcp:13|TEXT/xml", "d1 d2"),
        ("DocumentReference?contenttype:below=text/xml;%20charset=utf-8", "d1"),
        ("DocumentReference?contenttype:above=text/xml;%20charset=utf-8", "d1 d2"),
        ("DocumentReference?contenttype:above=text/xml", "d2"),
        ("DocumentReference?contenttype:not=TEXT/XML", "d1"),
        ("DocumentReference?language=DE-at", "d1"),
        ("DocumentReference?language=urn:ietf:bcp:47|de-AT", "d1"),
        ("DocumentReference?_filter=language%20ne%20DE-AT", ""),
        ("DocumentReference?_filter=contenttype%20ne%20TEXT/XML", "d1"),
        ("Library?content-type=urn:ietf:bcp:13|text/cql", "l1"),
        ("Library?content-type=urn:ietf:bcp:13|", "l1"),
        ("Library?content-type:not=urn:ietf:bcp:13|", "l2"),
        ("Library?content-type=urn:ietf:bcp:47|", ""),
        # empty parameters are ignored
        ("Patient?gender=&active=true", "p1"),
    ],
)
async def test_a_token_finds_exactly_these(world: Asker, query: str, expected: str) -> None:
    assert sorted(await world.ids(query)) == expected.split()


@pytest.mark.parametrize("code", ["8867-4", f"{LOINC}|8867-4", "8867-4,1-1"])
async def test_the_total_is_the_number_of_matches(world: Asker, code: str) -> None:
    bundle = await world.bundle(f"Observation?code={code}&_summary=count")
    assert bundle["total"] == len(await world.ids(f"Observation?code={code}"))
    assert "entry" not in bundle


async def test_a_resource_with_several_matching_codes_comes_once(world: Asker) -> None:
    assert await world.ids("Observation?code=8867-4,2-2&_sort=-date&_id=o3") == ["o3"]
    assert (await world.ids("Observation?code=8867-4,2-2&_sort=-date")).count("o3") == 1
    assert (await world.bundle("Observation?code=8867-4,2-2&_summary=count"))["total"] == 3
