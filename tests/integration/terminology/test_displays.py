"""`_displays=true`: codes get the displays that they lack, in the answer alone."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

SYSTEM = "http://example.org/fhir/CodeSystem/colours"
COLOURS = {
    "resourceType": "CodeSystem",
    "id": "colours",
    "url": SYSTEM,
    "status": "active",
    "content": "complete",
    "caseSensitive": True,
    "concept": [
        {"code": "r", "display": "Red", "designation": [{"language": "de", "value": "Rot"}]},
        {"code": "g", "display": "Green"},
    ],
}
OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "id": "seen",
    "status": "final",
    "code": {
        "coding": [
            {"system": SYSTEM, "code": "r"},
            {"system": SYSTEM, "code": "g", "display": "Grass"},
            {"system": SYSTEM, "code": "nothing"},
            {"system": "http://nowhere.test/cs", "code": "r"},
        ]
    },
    "valueQuantity": {"system": SYSTEM, "code": "r"},
    "extension": [{"url": "http://example.org/e", "valueCoding": {"system": SYSTEM, "code": "g"}}],
}


@pytest.fixture
async def seen(web: httpx.AsyncClient) -> httpx.AsyncClient:
    """Return a client on a server with the code system and a resource that uses it."""
    for resource in (COLOURS, OBSERVATION):
        path = f"{resource['resourceType']}/{resource['id']}"
        assert (await web.put(path, json=resource)).status_code in (200, 201)
    return web


def displays(resource: dict[str, Any]) -> list[str | None]:
    """Return the displays of the resource's code."""
    return [coding.get("display") for coding in resource["code"]["coding"]]


async def test_only_what_lacks_a_display_and_is_known_gets_one(seen: httpx.AsyncClient) -> None:
    found = (await seen.get("Observation/seen", params={"_displays": "true"})).json()
    assert displays(found) == ["Red", "Grass", None, None]
    assert found["extension"][0]["valueCoding"]["display"] == "Green"
    assert found["valueQuantity"] == OBSERVATION["valueQuantity"], "a Quantity has no display"


async def test_what_is_stored_stays_as_it_is(seen: httpx.AsyncClient) -> None:
    await seen.get("Observation/seen", params={"_displays": "true"})
    assert displays((await seen.get("Observation/seen")).json()) == [None, "Grass", None, None]


@pytest.mark.parametrize(
    ("language", "display"),
    [("de-AT, en;q=0.5", "Rot"), ("fr", "Red"), ("en;q=0.9, de;q=0.1", "Rot"), ("*", "Red")],
)
async def test_the_language_asked_for_is_taken_where_there_is_a_name_in_it(
    seen: httpx.AsyncClient, language: str, display: str
) -> None:
    answer = await seen.get(
        "Observation/seen", params={"_displays": "true"}, headers={"Accept-Language": language}
    )
    assert displays(answer.json())[0] == display


@pytest.mark.parametrize(
    "path",
    [
        "Observation?_id=seen",
        "Observation/seen/_history",
        "Observation/_history",
        "?_type=Observation&_id=seen",
    ],
)
async def test_bundles_are_told_of_too_and_their_links_go_on_asking(
    seen: httpx.AsyncClient, path: str
) -> None:
    answer = (await seen.get(f"{path}{'&' if '?' in path else '?'}_displays=true")).json()
    assert displays(answer["entry"][0]["resource"])[0] == "Red"
    assert all("_displays=true" in link["url"] for link in answer["link"])


async def test_vread_operations_posted_searches_and_batches_know_it_too(seen: httpx.AsyncClient) -> None:
    version = (await seen.get("Observation/seen")).json()["meta"]["versionId"]
    assert (
        displays((await seen.get(f"Observation/seen/_history/{version}?_displays=true")).json())[0] == "Red"
    )
    posted = await seen.post("Observation/_search", data={"_id": "seen", "_displays": "true"})
    assert displays(posted.json()["entry"][0]["resource"])[0] == "Red"
    meta = await seen.get("Observation/$lastn", params={"_id": "seen", "_displays": "true"})
    assert meta.status_code in (200, 400), "known to the operation, whatever it says of the rest"
    request = {"method": "GET", "url": "Observation/seen?_displays=true"}
    batch = {"resourceType": "Bundle", "type": "batch", "entry": [{"request": request}]}
    answer = (await seen.post("", json=batch)).json()
    assert displays(answer["entry"][0]["resource"])[0] == "Red"


async def test_xml_and_elements_work_with_it(seen: httpx.AsyncClient) -> None:
    answer = await seen.get("Observation/seen?_displays=true&_elements=code&_format=xml")
    assert '<display value="Red"/>' in answer.text
    assert "valueQuantity" not in answer.text


async def test_another_value_than_true_or_false_is_refused(seen: httpx.AsyncClient) -> None:
    assert (await seen.get("Observation/seen?_displays=yes")).status_code == 400
    assert displays((await seen.get("Observation/seen?_displays=false")).json())[0] is None
