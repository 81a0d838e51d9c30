"""`_sort` by every type of parameter: order, several keys, several values, missing ones, and pages.

Source: http://hl7.org/fhir/R4/search.html#sort
"""

from __future__ import annotations

from typing import Any

import pytest

from resources.outcome import FhirError
from tests.integration.search.conftest import BASE, Asker, link
from tests.integration.search.people import MRN, observation, patient, quantity

LONG = "http://example.org/" + "x" * 900


def coded(*codes: tuple[str, str]) -> dict[str, Any]:
    """Return an element with a CodeableConcept of some codings."""
    return {"code": {"coding": [{"system": system, "code": code} for system, code in codes]}}


def flat(pages: list[list[str]]) -> list[str]:
    """Return the ids of all pages, one after the other."""
    return [id_ for page in pages for id_ in page]


WORLD = [
    {"resourceType": "Practitioner", "id": "d1", "name": [{"family": "D"}]},
    {"resourceType": "Practitioner", "id": "d2", "name": [{"family": "D"}]},
    patient(
        "p1",
        "Zed",
        "Cy",
        "Ada",
        gender="male",
        active=True,
        identifier=[{"system": MRN, "value": "B"}, {"system": "urn:z", "value": "Y"}],
        telecom=[{"system": "phone", "value": "1"}, {"system": "email", "value": "z@example.org"}],
        generalPractitioner=[{"reference": "Practitioner/d2"}],
        deceasedBoolean=False,
    ),
    patient(
        "p2",
        "Älb",
        "Bo",
        gender="female",
        active=False,
        identifier=[{"system": "urn:a", "value": "C"}],
        telecom=[{"system": "email", "value": "a@example.org"}],
        generalPractitioner=[{"reference": f"{BASE}/Practitioner/d1"}],
        deceasedDateTime="2020",
    ),
    patient(
        "p3",
        "Ale",
        gender="female",
        identifier=[{"system": "urn:only"}],
        generalPractitioner=[
            {"reference": "http://elsewhere.example/Practitioner/9"},
            {"identifier": {"value": "x"}},
        ],
    ),
    {"resourceType": "Patient", "id": "p4"},
    {**observation("o1", "Patient/p2", "x", "2020"), **coded(("http://b", "2"), ("http://a", "9"))},
    {**observation("o2", "Patient/p1", "x", "2021"), **coded(("http://a", "5"))},
    {**observation("o3", None, "x", valueQuantity=quantity(3, "g")), **coded(("http://a", "1"))},
    {**observation("o4", "Patient/p1", "x", "2019"), "code": {"text": "no coding"}},
    {"resourceType": "ValueSet", "id": "v1", "status": "draft", "url": LONG + "b"},
    {"resourceType": "ValueSet", "id": "v2", "status": "draft", "url": "http://example.org/a"},
    {"resourceType": "ValueSet", "id": "v3", "status": "active", "url": LONG + "a"},
    {"resourceType": "ValueSet", "id": "v4", "status": "active"},
]

ORDERS = {
    "Patient?_sort=gender,_id": ["p2", "p3", "p1", "p4"],
    "Patient?_sort=-gender,_id": ["p1", "p2", "p3", "p4"],
    "Patient?_sort=-gender,-_id": ["p1", "p3", "p2", "p4"],
    "Patient?_sort=active,_id": ["p2", "p1", "p3", "p4"],
    "Patient?_sort=identifier,_id": ["p1", "p2", "p3", "p4"],
    "Patient?_sort=-identifier,_id": ["p1", "p2", "p3", "p4"],
    "Patient?_sort=email,_id": ["p2", "p1", "p3", "p4"],
    "Patient?_sort=phone,_id": ["p1", "p2", "p3", "p4"],
    "Patient?_sort=general-practitioner,_id": ["p2", "p1", "p3", "p4"],
    "Patient?_sort=-general-practitioner,_id": ["p3", "p1", "p2", "p4"],
    "Patient?_sort=deceased,_id": ["p1", "p3", "p4", "p2"],
    "Patient?_sort=-deceased,_id": ["p2", "p1", "p3", "p4"],
    "Patient?_sort=given,_id": ["p1", "p2", "p3", "p4"],
    "Patient?_sort=-given,_id": ["p1", "p2", "p3", "p4"],
    "Patient?_sort=family,_id": ["p2", "p3", "p1", "p4"],
    "Patient?_sort=gender,-family": ["p3", "p2", "p1", "p4"],
    "Patient?_sort=gender&_sort=-family": ["p3", "p2", "p1", "p4"],
    "Observation?_sort=code,_id": ["o3", "o1", "o2", "o4"],
    "Observation?_sort=-code,_id": ["o1", "o2", "o3", "o4"],
    "Observation?_sort=subject,date": ["o4", "o2", "o1", "o3"],
    "Observation?_sort=patient,-date": ["o2", "o4", "o1", "o3"],
    "Observation?_sort=value-quantity,code": ["o3", "o1", "o2", "o4"],
    "ValueSet?_sort=url,_id": ["v2", "v1", "v3", "v4"],
    "ValueSet?_sort=status,url,_id": ["v3", "v4", "v2", "v1"],
}


@pytest.mark.parametrize(("query", "ids"), ORDERS.items())
async def test_any_parameter_sorts_and_missing_values_come_last(
    world: Asker, query: str, ids: list[str]
) -> None:
    assert await world.ids(query) == ids


@pytest.mark.parametrize(("query", "ids"), ORDERS.items())
@pytest.mark.parametrize("count", [1, 3])
async def test_pages_keep_the_order_in_both_directions(
    world: Asker, query: str, ids: list[str], count: int
) -> None:
    pages = await world.walk(f"{query}&_count={count}")
    assert flat(pages) == ids
    bundle = await world.bundle(f"{query}&_count={count}")
    while (after := link(bundle, "next")) is not None:
        bundle = await world.bundle(after)
    before = link(bundle, "prev")
    assert before is not None
    back = await world.walk(before, "prev")
    assert sorted(flat(back) + pages[-1]) == sorted(ids)


async def test_ties_are_paged_without_loss(world: Asker) -> None:
    pages = await world.walk("ValueSet?_sort=status&_count=1")
    assert sorted(flat(pages)) == ["v1", "v2", "v3", "v4"]
    assert [sorted(page) for page in await world.walk("ValueSet?_sort=status&_count=2")] == [
        ["v3", "v4"],
        ["v1", "v2"],
    ]


async def test_a_long_value_does_not_make_the_cursor_longer_than_an_address_may_be(world: Asker) -> None:
    bundle = await world.bundle("ValueSet?_sort=url&_count=2")
    after = link(bundle, "next")
    assert after is not None
    assert len(after) < 2_000


async def test_several_types_sort_by_what_they_have_in_common(world: Asker) -> None:
    found = await world.ids("?_type=Patient,ValueSet&_sort=_id")
    assert found == ["p1", "p2", "p3", "p4", "v1", "v2", "v3", "v4"]


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("Observation?_sort=code-value-quantity", "several values at once"),
        ("Location?_sort=near", "cannot be sorted by 'near'"),
        ("Patient?_sort=nonsense", "'nonsense': no such parameter"),
        ("Patient?_sort=name,", "'': no such parameter"),
        ("Patient?_sort=" + ",".join(["name"] * 11), "more than 10 keys"),
        ("Patient?_sort:desc=name", "takes no modifier"),
    ],
)
async def test_what_has_no_order_is_refused_by_name(world: Asker, query: str, text: str) -> None:
    with pytest.raises(FhirError) as refused:
        await world.ids(query)
    assert refused.value.status == 400
    assert text in refused.value.issues[0].text
