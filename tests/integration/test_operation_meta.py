"""`$meta`, `$meta-add`, `$meta-delete` and `$diff`.

Source: http://hl7.org/fhir/R4/resource-operation-meta.html and its siblings
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

TAG = {"system": "http://tags.test", "code": "a", "display": "first"}
OTHER = {"system": "http://tags.test", "code": "b"}
LABEL = {"system": "http://terminology.hl7.org/CodeSystem/v3-Confidentiality", "code": "R"}
PROFILE = "http://profiles.test/p"


async def put(client: httpx.AsyncClient, id_: str, **content: Any) -> None:
    """Store a Basic."""
    body = {"resourceType": "Basic", "id": id_, "code": {"text": "x"}, **content}
    answer = await client.put(f"Basic/{id_}", json=body)
    assert answer.status_code in (200, 201), answer.text


def given(**meta: Any) -> dict[str, Any]:
    """Return the Parameters of $meta-add and $meta-delete."""
    return {"resourceType": "Parameters", "parameter": [{"name": "meta", "valueMeta": meta}]}


def returned(answer: httpx.Response) -> dict[str, Any]:
    """Return the meta that an operation answers."""
    assert answer.status_code == 200, answer.text
    (one,) = answer.json()["parameter"]
    found: dict[str, Any] = one["valueMeta"]
    return found


async def test_the_meta_of_a_resource_is_what_reading_it_shows(client: httpx.AsyncClient) -> None:
    await put(client, "m1", meta={"tag": [TAG]})
    assert returned(await client.get("Basic/m1/$meta")) == (await client.get("Basic/m1")).json()["meta"]
    assert (await client.get("Basic/nobody/$meta")).status_code == 404


async def test_the_meta_of_a_type_and_of_the_server_is_each_thing_once(client: httpx.AsyncClient) -> None:
    await put(client, "m2", meta={"tag": [TAG, OTHER], "profile": [PROFILE]})
    await put(client, "m3", meta={"tag": [TAG], "security": [LABEL]})
    for path in ("Basic/$meta", "$meta"):
        found = returned(await client.get(path))
        assert found["tag"].count(TAG) == 1
        assert OTHER in found["tag"]
        assert LABEL in found["security"]
        assert PROFILE in found["profile"]
        assert "versionId" not in found
    assert "tag" not in returned(await client.get("Slot/$meta"))


async def test_adding_keeps_what_is_there_and_makes_a_version(client: httpx.AsyncClient) -> None:
    await put(client, "m4", meta={"tag": [TAG]})
    again = given(tag=[{**TAG, "display": "another word"}, OTHER], profile=[PROFILE])
    found = returned(await client.post("Basic/m4/$meta-add", json=again))
    assert (found["tag"], found["profile"], found["versionId"]) == ([TAG, OTHER], [PROFILE], "2")
    assert (await client.get("Basic", params={"_tag": "http://tags.test|b", "_id": "m4"})).json()[
        "total"
    ] == 1
    assert returned(await client.post("Basic/m4/$meta-add", json=again))["versionId"] == "2"


async def test_deleting_goes_by_system_and_code_and_ignores_what_is_not_there(
    client: httpx.AsyncClient,
) -> None:
    await put(client, "m5", meta={"tag": [TAG, OTHER], "security": [LABEL]})
    gone = given(tag=[{"system": TAG["system"], "code": "a"}], security=[LABEL], profile=["http://not.there"])
    found = returned(await client.post("Basic/m5/$meta-delete", json=gone))
    assert found["tag"] == [OTHER]
    assert "security" not in found
    assert (await client.get("Basic/m5")).json()["meta"] == found


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "Basic/m6/$meta-add", None, 405),
        ("POST", "Basic/$meta-add", given(tag=[TAG]), 404),
        ("POST", "Basic/m6/$meta-add", {"resourceType": "Parameters"}, 400),
        ("POST", "Basic/m6/$meta-add", given(tag="x"), 422),
        ("POST", "Basic/nobody/$meta-add", given(tag=[TAG]), 404),
        ("GET", "Basic/m6/$meta?x=y", None, 400),
    ],
)
async def test_a_wrong_call_is_refused(
    client: httpx.AsyncClient, method: str, path: str, body: Any, status: int
) -> None:
    await put(client, "m6")
    answer = await client.request(method, path, json=body) if body else await client.request(method, path)
    assert answer.status_code == status, answer.text
    assert answer.json()["resourceType"] == "OperationOutcome"


async def test_a_difference_is_the_patch_between_two_versions(client: httpx.AsyncClient) -> None:
    await put(client, "d1", code={"text": "one"})
    await put(client, "d1", code={"text": "two"}, created="2024-01-01")
    await put(client, "d1", code={"text": "three"}, created="2024-01-01")
    latest = (await client.get("Basic/d1/$diff")).json()
    assert [part for one in latest["parameter"] for part in one["part"] if part["name"] == "path"] == [
        {"name": "path", "valueString": "Basic.code.text"}
    ]
    first = (await client.get("Basic/d1/$diff", params={"from": "1", "to": "2"})).json()
    for one in first["parameter"]:
        one["part"] = [part for part in one["part"] if part["name"] != "previousValue"]
    before = (await client.get("Basic/d1/_history/1")).json()
    await put(client, "d2", **{k: v for k, v in before.items() if k in ("code", "created")})
    patched = await client.patch("Basic/d2", json=first)
    assert patched.status_code == 200, patched.text
    assert (patched.json()["code"], patched.json()["created"]) == ({"text": "two"}, "2024-01-01")


async def test_two_resources_are_compared_by_reference(client: httpx.AsyncClient) -> None:
    await put(client, "d3", code={"text": "one"})
    await put(client, "d4", code={"text": "two"})
    found = await client.get("$diff", params={"from": "Basic/d3/_history/1", "to": "Basic/d4"})
    paths = [
        p["valueString"] for one in found.json()["parameter"] for p in one["part"] if p["name"] == "path"
    ]
    assert paths == ["Basic.id", "Basic.code.text"]
    assert (await client.get("$diff", params={"from": "Basic/d3", "to": "Basic/d3"})).json() == {
        "resourceType": "Parameters"
    }


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("Basic/d5/$diff", 400),
        ("Basic/nobody/$diff", 404),
        ("Basic/d5/$diff?from=x", 400),
        ("Basic/d5/$diff?from=7&to=1", 404),
        ("$diff?from=Basic/d5", 400),
        ("$diff?from=Basic/d5&to=http://else.where/Basic/d5", 400),
        ("$diff?from=Basic/d5&to=Basic/nobody", 404),
        ("$diff?from=Basic/d5&to=Patient/d5", 400),
    ],
)
async def test_what_cannot_be_compared_is_refused(client: httpx.AsyncClient, path: str, status: int) -> None:
    await put(client, "d5")
    await client.put("Patient/d5", json={"resourceType": "Patient", "id": "d5"})
    assert (await client.get(path)).status_code == status


@pytest.mark.parametrize("name", ["diff", "fhirpath", "reindex"])
async def test_operations_of_our_own_are_defined_here(client: httpx.AsyncClient, name: str) -> None:
    statement = (await client.get("metadata")).json()["rest"][0]
    listed = {one["name"]: one["definition"] for one in statement["operation"]}
    assert listed[name].endswith(f"/OperationDefinition/{name}")
    definition = (await client.get(f"OperationDefinition/{name}")).json()
    assert (definition["code"], definition["url"]) == (name, listed[name])
    assert len(definition["parameter"]) >= 3
    assert (await client.post("OperationDefinition", json=definition)).status_code == 201
    await client.put(f"OperationDefinition/{name}", json=definition)
    await client.delete(f"OperationDefinition/{name}")
    assert (await client.get(f"OperationDefinition/{name}")).json()["code"] == name
