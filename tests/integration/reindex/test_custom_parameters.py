"""Stored SearchParameters over HTTP: in force at once, indexed in the background, refused where they cannot work.

Source: http://hl7.org/fhir/R4/searchparameter.html, http://hl7.org/fhir/R4/search.html
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from fhir_server.search import custom
from resources.validate.base import check
from tests.integration.web import client

Json = dict[str, Any]
URL = "http://example.org/fhir/"


@pytest.fixture(autouse=True)
def _official_only() -> Any:
    yield
    custom.forget()


@pytest.fixture
async def web(fresh_database_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with client(fresh_database_url) as one:
        yield one


def parameter(code: str, kind: str, expression: str, *base: str, **more: Any) -> Json:
    """Return an active SearchParameter."""
    return {
        "resourceType": "SearchParameter",
        "id": code.lower(),
        "url": f"{URL}SearchParameter/{code}",
        "name": code.replace("-", ""),
        "status": "active",
        "description": "A parameter of our own",
        "code": code,
        "base": list(base) or ["Patient"],
        "type": kind,
        "expression": expression,
    } | more


def eyes(id_: str, color: str) -> Json:
    """Return a Patient with an extension that only a stored parameter reads."""
    coding = {"system": "http://example.org/colors", "code": color}
    return {
        "resourceType": "Patient",
        "id": id_,
        "extension": [{"url": f"{URL}eyes", "valueCodeableConcept": {"coding": [coding]}}],
    }


EYES = parameter("eyes", "token", f"Patient.extension('{URL}eyes').value")


async def put(web: httpx.AsyncClient, *resources: Json) -> None:
    for resource in resources:
        answer = await web.put(f"{resource['resourceType']}/{resource['id']}", json=resource)
        assert answer.status_code in (200, 201), answer.text


async def ids(web: httpx.AsyncClient, query: str) -> list[str]:
    answer = await web.get(query)
    assert answer.status_code == 200, answer.text
    return [e["resource"]["id"] for e in answer.json().get("entry", []) if e["search"]["mode"] == "match"]


async def issues(web: httpx.AsyncClient, query: str) -> list[Json]:
    entries = (await web.get(query)).json().get("entry", [])
    return [i for e in entries if e["search"]["mode"] == "outcome" for i in e["resource"]["issue"]]


async def indexed(web: httpx.AsyncClient, query: str) -> None:
    """Wait until a search says no more that it is incomplete."""
    for _ in range(200):
        if not await issues(web, query):
            return
        await asyncio.sleep(0.05)
    raise AssertionError("never indexed")


async def test_new_writes_are_found_at_once(web: httpx.AsyncClient) -> None:
    await put(web, EYES, eyes("green", "green"), eyes("blue", "blue"))
    assert await ids(web, "Patient?eyes=green") == ["green"]
    assert await ids(web, "Patient?eyes=http://example.org/colors|blue") == ["blue"]


async def test_old_resources_are_found_after_the_job_and_until_then_the_search_says_so(
    web: httpx.AsyncClient,
) -> None:
    await put(web, eyes("green", "green"), EYES)
    said = await issues(web, "Patient?eyes=green")
    if await ids(web, "Patient?eyes=green") == []:
        assert said[0]["code"] == "incomplete" and "%" in said[0]["diagnostics"]
    await indexed(web, "Patient?eyes=green")
    assert await ids(web, "Patient?eyes=green") == ["green"]
    history = (await web.get("Patient/green/_history")).json()
    assert history["total"] == 1


async def test_reindex_is_asked_for_watched_and_leaves_versions_alone(web: httpx.AsyncClient) -> None:
    await put(web, eyes("green", "green"))
    before = (await web.get("Patient/green")).json()
    asked = await web.post("Patient/$reindex", json={"resourceType": "Parameters"})
    assert asked.status_code == 202, asked.text
    status = asked.headers["content-location"]
    answer = asked
    for _ in range(200):
        answer = await web.get(status)
        if answer.status_code == 200:
            break
        assert answer.status_code == 202 and answer.headers["x-progress"]
        await asyncio.sleep(0.05)
    told = {one["name"]: one for one in answer.json()["parameter"]}
    assert told["state"]["valueCode"] == "done" and told["percent"]["valueInteger"] == 100
    assert told["done"]["valueDecimal"] == 1 and told["changed"]["valueDecimal"] == 0
    assert (await web.get("Patient/green")).json() == before


async def test_the_operation_is_told_of_and_its_definition_can_be_read(web: httpx.AsyncClient) -> None:
    rest = (await web.get("metadata")).json()["rest"][0]
    own = [one for one in rest["operation"] if one["definition"].startswith("http://server.example/")]
    assert "reindex" in {one["name"] for one in own}
    for one in own:
        answer = await web.get(one["definition"])
        assert answer.status_code == 200 and answer.json()["code"] == one["name"]
        check(answer.json())


async def test_a_job_can_be_cancelled(web: httpx.AsyncClient) -> None:
    asked = await web.post("$reindex?type=Patient&type=Observation")
    assert asked.status_code == 202, asked.text
    status = asked.headers["content-location"]
    assert (await web.delete(status)).status_code == 202
    assert (await web.get(status)).status_code == 404
    assert (await web.delete("_job/unknown")).status_code == 404


@pytest.mark.parametrize(
    ("change", "element", "text"),
    [
        ({"expression": "Patient.name.family("}, "expression", "cannot be read"),
        ({"expression": "Patient.nothing"}, "expression", ""),
        ({"expression": "Observation.code"}, "expression", "Patient"),
        ({"expression": "Patient.name"}, "expression", "token"),
        ({"expression": "Patient.managingOrganization.resolve().name"}, "expression", "resolve()"),
        ({"expression": "Patient.birthDate < today()"}, "expression", "today()"),
        ({"code": "birthdate", "type": "date", "expression": "Patient.deceased"}, "code", "R4 itself"),
        ({"code": "_eyes"}, "code", "cannot be the code"),
        ({"type": "special"}, "type", "special"),
        ({"type": "composite"}, "component", "two components"),
        ({"base": ["Patient", "Group"]}, "expression", "Group"),
    ],
)
async def test_what_cannot_be_served_is_refused(
    web: httpx.AsyncClient, change: Json, element: str, text: str
) -> None:
    answer = await web.put("SearchParameter/eyes", json=EYES | change)
    assert answer.status_code == 422, answer.text
    found = answer.json()["issue"]
    assert any(
        i.get("expression") == [f"SearchParameter.{element}"] and text in i["diagnostics"] for i in found
    ), found


async def test_a_draft_may_be_wrong_and_changes_nothing(web: httpx.AsyncClient) -> None:
    await put(web, EYES | {"status": "draft", "expression": "Patient.("})
    answer = await web.get("Patient?eyes=green", headers={"Prefer": "handling=strict"})
    assert answer.status_code == 400


async def test_a_second_definition_of_a_code_is_refused(web: httpx.AsyncClient) -> None:
    await put(web, EYES)
    other = EYES | {"id": "other", "url": f"{URL}other"}
    answer = await web.put("SearchParameter/other", json=other)
    assert answer.status_code == 422 and "SearchParameter/eyes" in answer.text


@pytest.mark.parametrize("how", ["delete", "retire"])
async def test_a_parameter_that_is_gone_is_unknown(web: httpx.AsyncClient, how: str) -> None:
    await put(web, EYES, eyes("green", "green"))
    if how == "delete":
        assert (await web.delete("SearchParameter/eyes")).status_code == 204
    else:
        await put(web, EYES | {"status": "retired"})
    answer = await web.get("Patient?eyes=green", headers={"Prefer": "handling=strict"})
    assert answer.status_code == 400 and "eyes" in answer.text


async def test_conditional_requests_wait_for_the_index(web: httpx.AsyncClient) -> None:
    await put(web, eyes("green", "green"), EYES)
    answer = await web.put("Patient?eyes=green", json=eyes("green", "green"))
    assert answer.status_code in (200, 503)
    if answer.status_code == 503:
        assert answer.headers["retry-after"]
    await indexed(web, "Patient?eyes=green")
    answer = await web.put("Patient?eyes=green", json=eyes("green", "brown"))
    assert answer.status_code == 200


async def test_a_bundle_creates_a_parameter_and_what_it_finds(web: httpx.AsyncClient) -> None:
    entries = [
        {"resource": one, "request": {"method": "PUT", "url": f"{one['resourceType']}/{one['id']}"}}
        for one in (eyes("green", "green"), EYES, eyes("blue", "blue"))
    ]
    answer = await web.post("", json={"resourceType": "Bundle", "type": "transaction", "entry": entries})
    assert answer.status_code == 200, answer.text
    await indexed(web, "Patient?eyes=green")
    assert await ids(web, "Patient?eyes=green,blue") == ["green", "blue"]
