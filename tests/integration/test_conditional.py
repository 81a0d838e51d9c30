"""Conditional create, update, patch and delete. Source: http://hl7.org/fhir/R4/http.html#ccreate and its siblings"""

from __future__ import annotations

import asyncio

import httpx
import pytest

from tests.integration.test_transactions import SYSTEM, patient, total

JSON_PATCH = {"Content-Type": "application/json-patch+json"}


def by(value: str) -> str:
    """Return the criteria of the patient with the identifier `value`."""
    return f"identifier={SYSTEM}|{value}"


async def twins(client: httpx.AsyncClient, value: str) -> None:
    """Make two patients that share an identifier."""
    for _ in range(2):
        assert (await client.post("Patient", json=patient(value))).status_code == 201


async def test_conditional_create_makes_one_and_then_points_to_it(client: httpx.AsyncClient) -> None:
    first = await client.post("Patient", json=patient("c1"), headers={"If-None-Exist": by("c1")})
    again = await client.post("Patient", json=patient("c1"), headers={"If-None-Exist": by("c1")})
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json()["id"] == again.json()["id"]


async def test_several_matches_fail_every_conditional_write_but_delete(client: httpx.AsyncClient) -> None:
    await twins(client, "two")
    body = patient("two")
    answers = [
        await client.post("Patient", json=body, headers={"If-None-Exist": by("two")}),
        await client.put(f"Patient?{by('two')}", json=body),
        await client.patch(f"Patient?{by('two')}", content=b"[]", headers=JSON_PATCH),
    ]
    assert [a.status_code for a in answers] == [412, 412, 412]
    assert (await client.delete(f"Patient?{by('two')}")).status_code == 204
    assert await total(client, f"Patient?{by('two')}") == 0


async def test_conditional_update_follows_the_table_of_the_specification(client: httpx.AsyncClient) -> None:
    made = await client.put(f"Patient?{by('u1')}", json=patient("u1"))
    assert made.status_code == 201
    id_ = made.json()["id"]
    same = await client.put(f"Patient?{by('u1')}", json=patient("u1", id=id_, active=True))
    assert same.status_code == 200 and same.json()["meta"]["versionId"] == "2"
    other = await client.put(f"Patient?{by('u1')}", json=patient("u1", id="someone-else"))
    assert other.status_code == 400
    own = await client.put(f"Patient?{by('u2')}", json=patient("u2", id="my-own-id"))
    assert own.status_code == 201 and own.json()["id"] == "my-own-id"


async def test_conditional_patch_needs_a_match(client: httpx.AsyncClient) -> None:
    change = b'[{"op":"add","path":"/gender","value":"male"}]'
    assert (await client.patch(f"Patient?{by('p0')}", content=change, headers=JSON_PATCH)).status_code == 404
    await client.post("Patient", json=patient("p0"))
    done = await client.patch(f"Patient?{by('p0')}", content=change, headers=JSON_PATCH)
    assert done.status_code == 200 and done.json()["gender"] == "male"


@pytest.mark.parametrize(
    ("method", "url", "status"),
    [
        ("PUT", "Patient", 412),
        ("DELETE", "Patient", 412),
        ("DELETE", "Patient?nonsense=1", 400),
        ("PUT", "Patient?identifier:nonsense=1", 400),
        ("DELETE", "Patient?_count=5", 412),
    ],
)
async def test_criteria_must_say_something_and_be_understood(
    client: httpx.AsyncClient, method: str, url: str, status: int
) -> None:
    body = patient("x") if method == "PUT" else None
    answer = await client.request(method, url, json=body)
    assert answer.status_code == status, answer.text
    assert answer.json()["issue"][0]["severity"] == "error"


async def test_parallel_conditional_updates_make_one_resource_and_lose_nothing(
    client: httpx.AsyncClient,
) -> None:
    answers = await asyncio.gather(
        *(client.put(f"Patient?{by('many')}", json=patient("many")) for _ in range(20))
    )
    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
    assert await total(client, f"Patient?{by('many')}") == 1
    (entry,) = (await client.get(f"Patient?{by('many')}")).json()["entry"]
    assert entry["resource"]["meta"]["versionId"] == "20"


async def test_if_match_protects_updates_patches_and_deletes(client: httpx.AsyncClient) -> None:
    await client.put("Patient/im1", json=patient("im1", id="im1"))
    stale, right = {"If-Match": 'W/"9"'}, {"If-Match": 'W/"1"'}
    body = patient("im1", id="im1", active=True)
    assert (await client.put("Patient/im1", json=body, headers=stale)).status_code == 412
    patch = b'[{"op":"add","path":"/active","value":false}]'
    assert (await client.patch("Patient/im1", content=patch, headers=JSON_PATCH | stale)).status_code == 412
    assert (await client.delete("Patient/im1", headers=stale)).status_code == 412
    assert (
        await client.put("Patient/new-im", json=patient("n", id="new-im"), headers=right)
    ).status_code == 412
    assert (await client.put("Patient/im1", json=body, headers={"If-Match": "<>"})).status_code == 400
    assert (await client.put("Patient/im1", json=body, headers=right)).status_code == 200


async def test_delete_undelete_and_delete_again(client: httpx.AsyncClient) -> None:
    await client.put("Patient/du", json=patient("du", id="du"))
    assert (await client.delete("Patient/du")).status_code == 204
    assert (await client.get("Patient/du")).status_code == 410
    assert (await client.delete("Patient/du")).status_code == 204
    back = await client.put("Patient/du", json=patient("du", id="du"))
    assert back.status_code == 201 and back.json()["meta"]["versionId"] == "3"
    assert await total(client, f"Patient?{by('du')}") == 1
    assert (await client.delete("Patient/never-was")).status_code == 204


async def test_if_none_match_protects_what_is_there(client: httpx.AsyncClient) -> None:
    body, star = patient("inm", id="inm"), {"If-None-Match": "*"}
    assert (await client.put("Patient/inm", json=body, headers=star)).status_code == 201
    assert (await client.put("Patient/inm", json=body, headers=star)).status_code == 412
    assert (await client.put("Patient/inm", json=body, headers={"If-None-Match": 'W/"1"'})).status_code == 412
    assert (await client.put(f"Patient?{by('inm')}", json=body, headers=star)).status_code == 412
    assert (await client.delete("Patient/inm", headers=star)).status_code == 412
    other = await client.put("Patient/inm", json=body, headers={"If-None-Match": 'W/"7"'})
    assert other.status_code == 200 and other.json()["meta"]["versionId"] == "2"
