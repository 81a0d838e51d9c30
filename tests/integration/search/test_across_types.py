"""Searches of several types, of all types and within compartments.

Source: http://hl7.org/fhir/R4/http.html#search, http://hl7.org/fhir/R4/search.html#_type,
http://hl7.org/fhir/R4/compartmentdefinition.html
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from resources.outcome import FhirError
from tests.integration.search.conftest import BASE, Asker, Json, ids, link
from tests.integration.search.people import LOINC, observation, patient

TAG = {"system": "urn:tags", "code": "study"}


def ref(text: str) -> Json:
    """Return a Reference."""
    return {"reference": text}


def condition(id_: str, subject: str, **more: Any) -> Json:
    """Return a Condition."""
    return {"resourceType": "Condition", "id": id_, "subject": ref(subject), **more}


def tagged(resource: Json, **meta: Any) -> Json:
    """Return a resource with our tag."""
    return {**resource, "meta": {"tag": [TAG], **meta}}


CODE = {"coding": [{"system": LOINC, "code": "a"}]}
WORLD = [
    tagged(patient("p1", "Smith", gender="male", birthDate="1980-01-01")),
    patient("p2", "Jones", gender="female", link=[{"other": ref("Patient/p1"), "type": "seealso"}]),
    {"resourceType": "Practitioner", "id": "d1", "gender": "male", "name": [{"family": "Smith"}]},
    {
        "resourceType": "Person",
        "id": "x1",
        "name": [{"text": "Smith, A."}],
        "link": [{"target": ref("Patient/p1")}],
    },
    tagged({"resourceType": "Organization", "id": "g1", "name": "Clinic"}, profile=["http://x/Clinic"]),
    observation("o1", "Patient/p1", "a", "2020-01-01", encounter=ref("Encounter/e1")),
    tagged(observation("o2", "Patient/p2", "b", "2021-01-01", performer=[ref("Patient/p1")])),
    observation("o3", "Patient/p2", "a", "2019-01-01", performer=[ref("Practitioner/d1")]),
    observation("o4", "Group/p1", "a"),
    tagged(
        condition("c1", "Patient/p1", code=CODE, onsetDateTime="2020-06-01", encounter=ref("Encounter/e1"))
    ),
    condition("c2", "Patient/p2", asserter=ref("Patient/p1")),
    condition("c3", "Patient/p2", onsetDateTime="2018-01-01"),
    {
        "resourceType": "Group",
        "id": "p1",
        "type": "person",
        "actual": True,
        "member": [{"entity": ref("Patient/p2")}],
    },
    {
        "resourceType": "Encounter",
        "id": "e1",
        "status": "finished",
        "class": {"code": "AMB"},
        "subject": ref("Patient/p1"),
        "participant": [{"individual": ref("Practitioner/d1")}],
    },
    {
        "resourceType": "Account",
        "id": "a1",
        "status": "active",
        "subject": [ref("Patient/p1"), ref("Patient/p2")],
    },
    {"resourceType": "Medication", "id": "m1"},
    {
        "resourceType": "List",
        "id": "l1",
        "status": "current",
        "mode": "working",
        "subject": ref("Patient/p1"),
        "entry": [
            {"item": ref("Observation/o1")},
            {"item": ref("Patient/p1")},
            {"item": ref("Medication/none")},
        ],
    },
]


async def found(world: Asker, query: str) -> str:
    """Return 'Type/id' of all matches, sorted; the total must agree."""
    bundle = await world.bundle(query)
    named = [f"{e['resource']['resourceType']}/{e['resource']['id']}" for e in bundle.get("entry", [])]
    counted = await world.bundle(query + ("&" if "?" in query else "?") + "_summary=count")
    assert counted["total"] == len(named)
    return " ".join(sorted(named))


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("?_tag=urn:tags|study", "Condition/c1 Observation/o2 Organization/g1 Patient/p1"),
        ("?_tag=study", "Condition/c1 Observation/o2 Organization/g1 Patient/p1"),
        ("?_tag=study&_type=Patient,Condition", "Condition/c1 Patient/p1"),
        ("?_tag=study&_profile=http://x/Clinic", "Organization/g1"),
        ("?_id=p1", "Group/p1 Patient/p1"),
        ("?_id=p1,o1&_type=Observation,Group,Patient", "Group/p1 Observation/o1 Patient/p1"),
        (
            "?_type=Patient,Observation&_tag:not=study",
            "Observation/o1 Observation/o3 Observation/o4 Patient/p2",
        ),
        ("?_type=Patient,Organization&_tag:missing=true", "Patient/p2"),
        ("?_type=Patient,Practitioner&gender=male", "Patient/p1 Practitioner/d1"),
        ("?_type=Patient,Practitioner,Person&name=smith", "Patient/p1 Person/x1 Practitioner/d1"),
        ("?_type=Observation,Condition&patient=p1", "Condition/c1 Observation/o1"),
        ("?_type=Observation,Condition,Account&patient=p1", "Account/a1 Condition/c1 Observation/o1"),
        ("?_type=Observation,Condition,Account&patient:missing=true", "Observation/o4"),
        ("?_type=Observation,Condition&subject:Group=p1", "Observation/o4"),
        ("?_type=Observation,Condition&code=a", "Condition/c1 Observation/o1 Observation/o3 Observation/o4"),
        (f"?_type=Observation,Condition&code={LOINC}|a&patient=p1", "Condition/c1 Observation/o1"),
        ("?_type=Observation,Condition&code:not=a", "Condition/c2 Condition/c3 Observation/o2"),
        (
            "?_type=Observation,Condition&patient.name=jones",
            "Condition/c2 Condition/c3 Observation/o2 Observation/o3",
        ),
        ("?_type=Observation,Condition&subject:Patient.gender=male", "Condition/c1 Observation/o1"),
        ("?_type=Patient,Group&_has:Observation:subject:code=a", "Group/p1 Patient/p1 Patient/p2"),
        ("?_type=Patient,Group&_has:Observation:patient:code=a", "Patient/p1 Patient/p2"),
        ("?_type=Patient", "Patient/p1 Patient/p2"),
        ("Patient?_type=Patient&name=smith", "Patient/p1"),
        ("?_list=l1", "Observation/o1 Patient/p1"),
        ("?_list=l1&_type=Patient,Medication", "Patient/p1"),
        ("Observation?_list=l1", "Observation/o1"),
        ("Observation?_list=List/l1,nothing&code=a", "Observation/o1"),
        ("Observation?_list=nothing", ""),
        # compartments
        ("Patient/p1/Observation", "Observation/o1 Observation/o2"),
        ("Patient/p1/Observation?code=a", "Observation/o1"),
        ("Patient/p1/Encounter?status=finished", "Encounter/e1"),
        ("Patient/p1/Condition", "Condition/c1 Condition/c2"),
        ("Patient/p1/Condition?code=a&patient=p1", "Condition/c1"),
        ("Patient/p1/Patient", "Patient/p1 Patient/p2"),
        ("Patient/p1/*?_type=Condition,Account", "Account/a1 Condition/c1 Condition/c2"),
        ("Patient/p1/*?_tag=study", "Condition/c1 Observation/o2 Patient/p1"),
        (
            "Patient/p1/*",
            (
                "Account/a1 Condition/c1 Condition/c2 Encounter/e1 List/l1 Observation/o1 Observation/o2 Patient/p1"
                " Patient/p2 Person/x1"
            ),
        ),
        ("Patient/p2/Group", "Group/p1"),
        ("Patient/nobody/*", ""),
        ("Patient/nobody/Observation", ""),
        ("Encounter/e1/*", "Condition/c1 Encounter/e1 Observation/o1"),
        ("Encounter/e1/Encounter", "Encounter/e1"),
        ("Practitioner/d1/*", "Encounter/e1 Observation/o3 Practitioner/d1"),
        ("Practitioner/d1/Observation?code=a", "Observation/o3"),
        ("Device/none/Observation", ""),
        ("RelatedPerson/none/*", ""),
    ],
)
async def test_types_in_question(world: Asker, query: str, expected: str) -> None:
    assert await found(world, query) == expected


async def test_all_types_without_a_criterion_are_all_resources(world: Asker) -> None:
    pages = await world.walk("?_count=4")
    assert sorted(id_ for page in pages for id_ in page) == sorted(r["id"] for r in WORLD)


@pytest.mark.parametrize(
    "query",
    [
        "?_tag=study",
        "?_type=Observation,Condition",
        "?_type=Observation,Condition&patient=p1,p2",
        "?_type=Observation,Condition&patient=p2",
        "?_type=Observation,Condition&code=a",
        "?_type=Observation,Condition&_sort=-_lastUpdated",
        "?_type=Observation,Condition&_sort=_id",
        "?_type=Patient,Practitioner&_sort=family",
        "?_sort=-_lastUpdated",
        "?_sort=_lastUpdated,-_id",
        "Patient/p1/*?_sort=_id",
        "Patient/p2/*",
        "?_type=Observation,Encounter&_sort=date",
        "?_type=Observation,Encounter,CareTeam,Flag&_sort=-date",
    ],
)
async def test_pages_of_several_types_hold_each_match_once(world: Asker, query: str) -> None:
    whole = await world.ids(query + "&_count=100" if "?" in query else query + "?_count=100")
    small = query + ("&" if "?" in query else "?") + "_count=1"
    forth = await world.walk(small)
    assert [id_ for page in forth for id_ in page] == whole
    last = (await world.bundle(small)) if len(whole) == 1 else None
    assert last is None or link(last, "next") is None


async def test_sorted_by_a_date_that_types_keep_in_different_places(world: Asker) -> None:
    query = "?_type=Observation,Encounter&_id=o1,o2,o3,e1&_sort="
    assert await world.ids(query + "date") == ["o3", "o1", "o2", "e1"]
    assert await world.ids(query + "-date") == ["o2", "o1", "o3", "e1"]


async def test_links_lead_back_to_where_the_search_was_asked(world: Asker) -> None:
    for query in (
        "?_type=Patient,Practitioner&_count=1",
        "Patient/p1/*?_count=1",
        "Patient/p1/Observation?_count=1",
    ):
        bundle = await world.bundle(query)
        start = f"{BASE}{query}" if query.startswith("?") else f"{BASE}/{query}"
        assert link(bundle, "self") == start
        assert str(link(bundle, "next")).startswith(start + "&_cursor=")


async def test_includes_start_from_every_type(world: Asker) -> None:
    query = (
        "?_type=Observation,Encounter&_id=o1,e1&_include=Observation:encounter&_include=Encounter:participant"
    )
    assert await world.included(query) == ["Practitioner/d1"]
    query = (
        "?_type=Patient,Encounter&_id=p1,e1&_revinclude=Observation:patient&_revinclude=Condition:encounter"
    )
    assert await world.included(query) == ["Condition/c1", "Observation/o1"]


@pytest.mark.parametrize(
    "query",
    [
        "?name=x",
        "?_type=Patient,Observation&name=x",
        "Patient/p1/*?name=x",
        "?_type=Patient,Group&gender=male",
    ],
)
async def test_parameters_that_some_type_lacks_are_reported_or_refused(world: Asker, query: str) -> None:
    bundle = await world.bundle(query, strict=False)
    said = [e["resource"] for e in bundle["entry"] if e["search"]["mode"] == "outcome"]
    assert "no search parameter of all the types" in said[0]["issue"][0]["diagnostics"]
    assert "name" not in str(link(bundle, "self"))
    assert "gender" not in str(link(bundle, "self"))
    with pytest.raises(FhirError) as refused:
        await world.bundle(query)
    assert refused.value.status == 400


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("?_type=Nothing", 400),
        ("?_type=Patient,", 200),
        ("Patient?_type=Observation", 400),
        ("Patient/p1/*?_type=Medication", 400),
        ("Patient/p1/Medication", 404),
        ("Patient/p1/Nothing", 404),
        ("Organization/g1/Patient", 404),
        ("?_list=$current-problems", 400),
        ("?_type:not=Patient", 400),
        ("?_type=Patient,Group&_sort=birthdate", 400),
    ],
)
async def test_what_cannot_be_searched_is_refused(world: Asker, query: str, status: int) -> None:
    if status == 200:
        assert await world.ids(query) == ["p1", "p2"]
        return
    with pytest.raises(FhirError) as refused:
        await world.bundle(query, strict=False)
    assert refused.value.status == status


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        (
            "?_type=Observation,Condition&_filter=code eq a and patient eq Patient/p1",
            "Condition/c1 Observation/o1",
        ),
        ("?_type=Observation,Condition&_filter=code eq b or _id eq c1", "Condition/c1 Observation/o2"),
        ("?_type=Observation,Account&_filter=patient re Patient/p1", "Account/a1 Observation/o1"),
        (
            "?_type=Observation,Account&_filter=patient.gender eq female",
            "Account/a1 Observation/o2 Observation/o3",
        ),
        ("?_filter=_tag eq study and not (_id eq o2)", "Condition/c1 Organization/g1 Patient/p1"),
    ],
)
async def test_a_filter_asks_each_type_in_its_own_way(world: Asker, query: str, expected: str) -> None:
    assert await found(world, query.replace(" eq Patient/", " re Patient/")) == expected


async def test_no_match_is_lost_or_doubled_while_others_write(ask: Asker) -> None:
    steady = [observation(f"o{i}", "Patient/p", "a", f"2020-01-0{i + 1}") for i in range(4)]
    steady += [condition(f"c{i}", "Patient/p", onsetDateTime=f"2020-02-0{i + 1}") for i in range(4)]
    await ask.put(patient("p", "P"), *steady)
    for start in ("?_type=Observation,Condition", "Patient/p/*?_type=Observation,Condition", "?_sort=_id"):
        seen: list[str] = []
        url: str | None = start + "&_count=2"
        turn = 0
        while url:
            bundle = await ask.bundle(url)
            seen += ids(bundle)
            url = link(bundle, "next")
            await ask.put({**steady[0], "status": "amended", "note": [{"text": f"{start} {turn}"}]})
            if turn < 4:
                await ask.put(observation(f"n{turn}", "Patient/p", "a"), condition(f"a{turn}", "Patient/p"))
            turn += 1
            assert turn < 40
        assert [seen.count(one["id"]) for one in steady] == [1] * len(steady)
        assert len(seen) == len(set(seen))


async def test_a_long_period_of_any_of_the_types_is_reached_by_a_later_date(
    client: httpx.AsyncClient,
) -> None:
    long = {"start": "2001-01-01", "end": "2004-12-31"}
    for resource in (
        {**observation("long-o", "Patient/p1", "a", "2004-06-01"), "id": "long-o"},
        {
            "resourceType": "DiagnosticReport",
            "id": "long-d",
            "status": "final",
            "code": {"text": "x"},
            "effectivePeriod": long,
        },
    ):
        answer = await client.put(f"{resource['resourceType']}/{resource['id']}", json=resource)
        assert answer.status_code in (200, 201), answer.text
    for sort in ("", "-date", "_lastUpdated"):
        query = {
            "_type": "Observation,DiagnosticReport",
            "date": ["ge2004-01-01", "le2004-12-31"],
            "_sort": sort,
        }
        bundle = (await client.get("", params=query)).json()
        assert sorted(entry["resource"]["id"] for entry in bundle["entry"]) == ["long-d", "long-o"]
