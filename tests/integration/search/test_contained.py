"""`_contained`, `_containedType`, chains into what is contained. Source: http://hl7.org/fhir/R4/search.html#contained"""

from __future__ import annotations

from typing import Any

import pytest

from resources.outcome import FhirError
from tests.integration.search.conftest import BASE, Asker, ids
from tests.integration.search.people import observation, patient

Json = dict[str, Any]
ACME = "http://example.org/medications"


def medication(id_: str, code: str, **more: Any) -> Json:
    """Return a Medication."""
    coded = {"coding": [{"system": ACME, "code": code}], "text": f"tablet {code}"}
    return {"resourceType": "Medication", "id": id_, "code": coded, **more}


def request(id_: str, *contained: Json, **more: Any) -> Json:
    """Return a MedicationRequest for the first of what it contains."""
    return {
        "resourceType": "MedicationRequest",
        "id": id_,
        "status": "active",
        "intent": "order",
        "subject": {"reference": "Patient/p"},
        "medicationReference": {"reference": f"#{contained[0]['id']}"},
        "contained": list(contained),
        **more,
    }


MAKER = {"resourceType": "Organization", "id": "org", "name": "Makers & Sons"}
INGREDIENT = [{"itemCodeableConcept": {"coding": [{"system": ACME, "code": "abc"}]}}]
WORLD = [
    patient("p", "Outer"),
    {"resourceType": "Organization", "id": "big", "name": "Big Pharma"},
    medication("free", "x"),
    medication("made", "made", manufacturer={"reference": "Organization/big"}),
    request("23", medication("m1", "x", ingredient=INGREDIENT, manufacturer={"reference": "#org"}), MAKER),
    request("24", medication("m1", "y", manufacturer={"reference": "Organization/big"})),
    request("25", medication("a", "x"), medication("b", "x")),
    {
        **observation("inner", None, "c", "2020-05-01"),
        "contained": [patient("pat", "Inside", birthDate="1970-01-01")],
        "subject": {"reference": "#pat"},
    },
    {**observation("outer", "Patient/p", "c", "2020-05-02"), "status": "final"},
    {
        "resourceType": "DiagnosticReport",
        "id": "report",
        "status": "final",
        "code": {"text": "r"},
        "contained": [
            observation("o1", "Patient/p", "c", "2019-01-01"),
            observation(
                "o2",
                None,
                "d",
                "2021-01-01",
                text={"status": "empty", "div": '<div xmlns="http://www.w3.org/1999/xhtml">odd</div>'},
            ),
        ],
        "result": [{"reference": "#o1"}, {"reference": "#o2"}],
    },
]


async def addresses(world: Asker, query: str) -> list[str]:
    """Return what the matches' fullUrls say below the base."""
    entries = (await world.bundle(query)).get("entry", [])
    return [e["fullUrl"].removeprefix(BASE + "/") for e in entries if e["search"]["mode"] == "match"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("MedicationRequest?medication.ingredient-code=abc", ["23"]),
        (f"MedicationRequest?medication.code={ACME}|x", ["23", "25"]),
        ("MedicationRequest?medication:Medication.code=y", ["24"]),
        ("MedicationRequest?medication:Medication.manufacturer.name=makers", ["23"]),
        ("MedicationRequest?medication:Medication.manufacturer.name=big", ["24"]),
        ("MedicationRequest?medication:Medication._id=m1", ["23", "24"]),
        ("Observation?subject:Patient.name=inside", ["inner"]),
        ("Observation?patient.name=inside&code=c", ["inner"]),
        ("Observation?patient.name=inside,outer&code=c", ["inner", "outer"]),
        ("Observation?patient.name=inside&date=2020", ["inner"]),
        ("Observation?patient=pat", []),
        ("DiagnosticReport?result.code=d", ["report"]),
        ("DiagnosticReport?result.subject:Patient.name=outer", ["report"]),
        ("Medication?ingredient-code=abc", []),
        ("Patient?name=inside", []),
        ("Patient?_id=pat", []),
        ("Patient?_has:Observation:patient:code=c", ["p"]),
    ],
)
async def test_chains_look_inside_and_plain_searches_do_not(
    world: Asker, query: str, found: list[str]
) -> None:
    assert sorted(await world.ids(query)) == found


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("Medication?code=x", {"Medication/free"}),
        ("Medication?code=x&_contained=false", {"Medication/free"}),
        ("Medication?code=x&_contained=true", {"MedicationRequest/23", "MedicationRequest/25"}),
        ("Medication?code=x&_contained=both", {"Medication/free", "MedicationRequest/23", "MedicationRequest/25"}),
        (
            "Medication?code=x&_contained=true&_containedType=contained",
            {"MedicationRequest/23#m1", "MedicationRequest/25#a", "MedicationRequest/25#b"},
        ),
        (
            "Medication?code=x,y&_contained=both&_containedType=contained",
            {
                "Medication/free",
                "MedicationRequest/23#m1",
                "MedicationRequest/24#m1",
                "MedicationRequest/25#a",
                "MedicationRequest/25#b",
            },
        ),
        ("Medication?_id=m1&_contained=true", {"MedicationRequest/23", "MedicationRequest/24"}),
        ("Medication?manufacturer.name=makers&_contained=true", {"MedicationRequest/23"}),
        ("Medication?_content=tablet x&_contained=true", {"MedicationRequest/23", "MedicationRequest/25"}),
        ("Medication?code:not=x&_contained=true", {"MedicationRequest/24"}),
        ("Medication?_lastUpdated=gt2000&_contained=true", set()),
        ("Observation?date=ge2020&_contained=true", {"DiagnosticReport/report"}),
        ("Observation?patient=p&_contained=true&_containedType=contained", {"DiagnosticReport/report#o1"}),
        ("Observation?subject:missing=true&_contained=true&_containedType=contained", {"DiagnosticReport/report#o2"}),
        ("Patient?family=inside&_contained=true", {"Observation/inner"}),
        ("Patient?birthdate=1970&_contained=true&_containedType=contained", {"Observation/inner#pat"}),
        ("?_type=Patient,Organization&_contained=true&_containedType=contained",
         {"Observation/inner#pat", "MedicationRequest/23#org"}),
        ("Medication?code=nothing&_contained=both", set()),
    ],
)  # fmt: skip
async def test_contained_resources_are_found_when_asked_for(
    world: Asker, query: str, found: set[str]
) -> None:
    listed = await addresses(world, query)
    assert set(listed) == found
    assert len(listed) == len(found)
    assert (await world.bundle(query))["total"] == len(found)
    assert (await world.bundle(query + "&_summary=count"))["total"] == len(found)


async def test_the_answer_is_the_contained_resource_itself(world: Asker) -> None:
    bundle = await world.bundle("Medication?ingredient-code=abc&_contained=true&_containedType=contained")
    (entry,) = bundle["entry"]
    assert entry["fullUrl"] == f"{BASE}/MedicationRequest/23#m1"
    assert entry["resource"] == medication(
        "m1", "x", ingredient=INGREDIENT, manufacturer={"reference": "#org"}
    )
    assert entry["search"] == {"mode": "match"}


@pytest.mark.parametrize("kind", ["container", "contained"])
@pytest.mark.parametrize("which", ["true", "both"])
@pytest.mark.parametrize(
    "sort", ["", "&_sort=_id", "&_sort=-_id", "&_sort=code", "&_sort=-code", "&_sort=_lastUpdated"]
)
@pytest.mark.parametrize("count", [1, 2])
async def test_pages_hold_every_match_once(
    world: Asker, kind: str, which: str, sort: str, count: int
) -> None:
    query = f"Medication?_contained={which}&_containedType={kind}{sort}"
    whole = await addresses(world, query)
    pages: list[str] = []
    url: str | None = f"{query}&_count={count}"
    while url is not None:
        bundle = await world.bundle(url)
        pages += [e["fullUrl"].removeprefix(BASE + "/") for e in bundle["entry"]]
        url = next((one["url"] for one in bundle["link"] if one["relation"] == "next"), None)
    assert pages == whole
    assert len(set(whole)) == len(whole) == {"true": 3, "both": 5}[which] + (kind == "contained")


async def test_contained_matches_are_sorted_by_their_own_values(world: Asker) -> None:
    query = "Observation?_contained=both&_containedType=contained&_sort="
    expected = [
        "DiagnosticReport/report#o1",
        "Observation/inner",
        "Observation/outer",
        "DiagnosticReport/report#o2",
    ]
    assert await addresses(world, query + "date") == expected
    assert await addresses(world, query + "-date") == expected[::-1]


async def test_scores_are_given_for_contained_matches(world: Asker) -> None:
    bundle = await world.bundle("Medication?_content=tablet&_contained=both")
    assert len(ids(bundle)) == 5
    assert all(0 < float(entry["search"]["score"]) <= 1 for entry in bundle["entry"])


@pytest.mark.parametrize("kind", ["container", "contained"])
async def test_includes_start_from_the_contained_match(world: Asker, kind: str) -> None:
    query = f"Medication?code=y&_contained=true&_containedType={kind}&_include=Medication:manufacturer"
    assert await world.included(query) == ["Organization/big"]
    subject = f"Observation?code=c&_contained=true&_containedType={kind}&_include=Observation:patient"
    assert await world.included(subject) == ["Patient/p"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (
            "Medication?ingredient-code=abc&_include=Medication:manufacturer",
            [f"{BASE}/MedicationRequest/23#org"],
        ),
        (
            "Medication?ingredient-code=abc&_include=Medication:manufacturer:Organization",
            [f"{BASE}/MedicationRequest/23#org"],
        ),
        ("Medication?ingredient-code=abc", []),
        ("Organization?name=makers&_include=Organization:partof", []),
    ],
)
async def test_a_contained_match_brings_along_what_its_container_holds(
    world: Asker, query: str, found: list[str]
) -> None:
    bundle = await world.bundle(query + "&_contained=true&_containedType=contained")
    included = [e for e in bundle["entry"] if e["search"]["mode"] == "include"]
    assert [e["fullUrl"] for e in included] == found
    assert all(e["resource"] == MAKER for e in included)


async def test_the_container_refers_to_what_it_contains(world: Asker) -> None:
    query = (
        "Medication?code=y&_contained=true&_containedType=contained&_revinclude=MedicationRequest:medication"
    )
    assert await world.included(query) == ["MedicationRequest/24"]


@pytest.mark.parametrize("query", ["_contained=yes", "_containedType=both", "_contained:not=true"])
async def test_other_values_are_refused(world: Asker, query: str) -> None:
    with pytest.raises(FhirError) as problem:
        await world.bundle(f"Medication?{query}")
    assert problem.value.status == 400


async def test_contained_resources_follow_their_container(ask: Asker) -> None:
    await ask.put(request("r", medication("m", "one"), status="active"))
    inside = "Medication?_contained=true&code="
    assert await ask.ids(inside + "one") == ["r"]
    await ask.put(request("r", medication("m", "one"), status="stopped"))
    assert await ask.ids(inside + "one") == ["r"]
    assert await ask.ids("MedicationRequest?medication.code=one&status=stopped") == ["r"]
    await ask.put(request("r", medication("m", "two"), status="stopped"))
    assert await ask.ids(inside + "one") == []
    assert await ask.ids(inside + "two") == ["r"]
    assert await ask.ids("MedicationRequest?medication.code=two") == ["r"]
    await ask.put(request("r", medication("m", "two"), status="stopped", subject={"reference": "Patient/q"}))
    assert await ask.ids("MedicationRequest?medication.code=two&subject=Patient/q") == ["r"]
    plain = {**request("r", medication("m", "two")), "medicationReference": {"reference": "Medication/none"}}
    plain.pop("contained")
    await ask.put(plain)
    assert await ask.ids(inside + "two") == []
    assert await ask.ids("MedicationRequest?medication.code=two") == []


async def test_a_contained_patient_moves_with_its_container(ask: Asker) -> None:
    def inside(family: str, status: str) -> Json:
        made = observation("o", None, "c", "2020", contained=[patient("p", family)], status=status)
        return {**made, "subject": {"reference": "#p"}}

    for family, status in (("One", "final"), ("One", "amended"), ("Two", "amended"), ("Two", "final")):
        await ask.put(inside(family, status))
        assert await ask.ids(f"Observation?patient.name={family}&code=c") == ["o"]
        assert await ask.ids(f"Observation?patient.name={family}&status={status}") == ["o"]
    assert await ask.ids("Observation?patient.name=one&code=c") == []
    assert await ask.ids("Patient?_id=p") == []
