"""History of a resource, a type and the system. Source: http://hl7.org/fhir/R4/http.html#history"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

Json = dict[str, Any]


async def put(client: httpx.AsyncClient, place: str, **more: Any) -> Json:
    """Return the resource after a PUT."""
    kind, id_ = place.split("/")
    answer = await client.put(place, json={"resourceType": kind, "id": id_, **more})
    assert answer.status_code in (200, 201), answer.text
    found: Json = answer.json()
    return found


async def pages(client: httpx.AsyncClient, url: str) -> list[Json]:
    """Return all entries of all pages."""
    entries: list[Json] = []
    following: str | None = url
    while following:
        answer = await client.get(following)
        assert answer.status_code == 200, answer.text
        entries += answer.json().get("entry", [])
        links = answer.json()["link"]
        following = next((link["url"] for link in links if link["relation"] == "next"), None)
    return entries


async def test_every_version_is_told_newest_first_the_deletion_too(client: httpx.AsyncClient) -> None:
    await put(client, "Patient/h1")
    await put(client, "Patient/h1", gender="male")
    await client.delete("Patient/h1")
    await put(client, "Patient/h1", gender="female")
    answer = (await client.get("Patient/h1/_history")).json()
    assert answer["type"] == "history" and answer["total"] == 4
    assert [e["request"]["method"] for e in answer["entry"]] == ["PUT", "DELETE", "PUT", "PUT"]
    assert [e["response"]["status"][:3] for e in answer["entry"]] == ["200", "204", "200", "201"]
    assert "resource" not in answer["entry"][1]
    assert answer["entry"][0]["fullUrl"].endswith("/fhir/Patient/h1")
    assert (await client.get("Patient/h1/_history/3")).status_code == 410
    assert (await client.get("Patient/h1/_history/2")).json()["gender"] == "male"
    assert (await client.get("Patient/h1/_history/9")).status_code == 404


async def test_pages_hold_each_version_once_while_others_write(client: httpx.AsyncClient) -> None:
    for number in range(7):
        await put(client, f"Basic/p{number}", code={"text": "x"})
    first = (await client.get("Basic/_history?_count=3")).json()
    for number in range(3):
        await put(client, f"Basic/later{number}", code={"text": "x"})
    following = next(link["url"] for link in first["link"] if link["relation"] == "next")
    rest = await pages(client, following)
    ids = [e["resource"]["id"] for e in [*first["entry"], *rest]]
    assert ids == [f"p{number}" for number in range(6, -1, -1)]


async def test_since_takes_what_the_last_answer_said_is_safe(client: httpx.AsyncClient) -> None:
    await put(client, "Basic/s1", code={"text": "x"})
    safe = (await client.get("Basic/_history?_count=1")).json()["meta"]["lastUpdated"]
    await put(client, "Basic/s2", code={"text": "x"})
    found = await pages(client, f"Basic/_history?_since={safe}")
    assert "s2" in [e["resource"]["id"] for e in found]


async def test_at_tells_the_versions_that_were_current_then(client: httpx.AsyncClient) -> None:
    first = await put(client, "Basic/a1", code={"text": "one"})
    second = await put(client, "Basic/a1", code={"text": "two"})
    moment = first["meta"]["lastUpdated"]
    assert moment < second["meta"]["lastUpdated"]
    found = await pages(client, f"Basic/a1/_history?_at={moment}")
    assert [e["resource"]["code"]["text"] for e in found] == ["one"]
    assert await pages(client, "Basic/a1/_history?_at=2001") == []
    this_year = await pages(client, f"Basic/a1/_history?_at={moment[:4]}")
    assert [e["resource"]["code"]["text"] for e in this_year] == ["two", "one"]


async def test_a_list_narrows_history_to_what_it_holds(client: httpx.AsyncClient) -> None:
    for number in range(3):
        await put(client, f"Basic/l{number}", code={"text": "x"})
    await put(client, "Basic/l1", code={"text": "y"})
    items = [{"item": {"reference": "Basic/l0"}}, {"item": {"reference": "Basic/l1/_history/1"}}]
    await put(client, "List/ls", status="current", mode="working", entry=items)
    for named in ("ls", "List/ls"):
        found = await pages(client, f"Basic/_history?_list={named}")
        assert [(e["resource"]["id"], e["resource"]["meta"]["versionId"]) for e in found] == [
            ("l1", "1"),
            ("l0", "1"),
        ]


async def test_later_pages_look_like_the_first(client: httpx.AsyncClient) -> None:
    for text in ("x", "y"):
        await put(client, "Basic/e1", code={"text": text}, created="2026")
    found = await pages(client, "Basic/e1/_history?_count=1&_elements=code")
    assert [e["resource"]["code"]["text"] for e in found] == ["y", "x"]
    assert not any("created" in e["resource"] for e in found)


async def test_the_system_tells_of_every_type(client: httpx.AsyncClient) -> None:
    await put(client, "Basic/y1", code={"text": "x"})
    await put(client, "Patient/y1")
    found = await pages(client, "_history?_count=2")
    assert [e["fullUrl"].split("/fhir/")[1] for e in found[:2]] == ["Patient/y1", "Basic/y1"]


@pytest.mark.parametrize(
    "query",
    [
        "_since=2020&_since=2021",
        "_count=1&_count=2",
        "_since=yesterday",
        "_count=-1",
        "_at=2020-13",
        "_cursor=xyz",
        "name=x",
    ],
)
async def test_repeated_unknown_and_malformed_parameters_are_refused(
    client: httpx.AsyncClient, query: str
) -> None:
    for url in (f"_history?{query}", f"Patient/_history?{query}"):
        answer = await client.get(url)
        assert answer.status_code == 400, (url, answer.text)
        assert answer.json()["issue"][0]["diagnostics"]


async def test_history_of_what_never_was_is_not_found(client: httpx.AsyncClient) -> None:
    assert (await client.get("Patient/never/_history")).status_code == 404
