"""`$validate-code` of code systems and value sets.

Source: http://hl7.org/fhir/R4/codesystem-operation-validate-code.html, valueset-operation-validate-code.html
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.integration.terminology.made import ALL_PLANTS, NOWHERE, PLANTS, TREE_SET, TREES, parameters, said

IN_PLANTS = f"CodeSystem/$validate-code?url={PLANTS}"
IN_TREES = f"ValueSet/$validate-code?url={TREES}&system={PLANTS}"


@pytest.mark.parametrize(
    ("query", "result", "message"),
    [
        ("code=oak", True, ""),
        ("code=oak&display=Oak%20tree", True, ""),
        ("code=oak&display=oak%20TREE", True, ""),
        ("code=oak&display=Eiche", True, ""),
        ("code=oak&display=Beech", False, "should be 'Oak tree'"),
        ("code=rose", False, "not in the code system"),
        ("code=elm", True, "inactive"),
        ("code=elm&display=Oak", False, "should be 'Elm'"),
        ("code=plant", False, "abstract"),
        ("code=plant&abstract=true", True, ""),
    ],
)
async def test_codes_of_a_code_system(web: httpx.AsyncClient, query: str, result: bool, message: str) -> None:
    found = said(await web.get(f"{IN_PLANTS}&{query}"))
    assert found["result"] is result
    assert message in found.get("message", "")
    assert bool(message) == ("message" in found)


async def test_the_right_display_and_the_version_come_back(web: httpx.AsyncClient) -> None:
    found = said(await web.get(f"{IN_PLANTS}&code=oak"))
    assert found == {"result": True, "display": "Oak tree", "code": "oak", "system": PLANTS, "version": "2"}


@pytest.mark.parametrize("query", [f"{IN_PLANTS}&version=1", f"{IN_TREES}&systemVersion=1"])
async def test_a_version_that_is_not_loaded_is_told_with_the_one_that_has_the_code(
    web: httpx.AsyncClient, query: str
) -> None:
    found = said(await web.get(f"{query}&code=oak"))
    assert (found["result"], found["version"]) == (True, "2")
    assert found["message"] == f"The version {PLANTS}|1 is not loaded: the code is in 2"


async def test_the_display_comes_in_the_language_asked_for(web: httpx.AsyncClient) -> None:
    assert said(await web.get(f"{IN_PLANTS}&code=oak&displayLanguage=fr"))["display"] == "Chêne"


async def test_a_coding_of_another_system_is_not_in_this_one(web: httpx.AsyncClient) -> None:
    body = parameters(url=("uri", PLANTS), coding=("Coding", {"system": NOWHERE, "code": "oak"}))
    found = said(await web.post("CodeSystem/$validate-code", json=body))
    assert found["result"] is False
    assert PLANTS in found["message"]


async def test_a_code_system_can_be_sent_along(web: httpx.AsyncClient) -> None:
    sent = {
        "resourceType": "CodeSystem",
        "status": "draft",
        "content": "complete",
        "concept": [{"code": "a", "display": "A"}],
    }
    for code, result in (("a", True), ("b", False)):
        body = parameters(codeSystem=("resource", sent), code=("code", code))
        assert said(await web.post("CodeSystem/$validate-code", json=body))["result"] is result


async def test_an_instance_is_asked_by_its_address(web: httpx.AsyncClient) -> None:
    assert said(await web.get("CodeSystem/plants/$validate-code?code=oak"))["result"] is True
    assert said(await web.get(f"ValueSet/trees/$validate-code?code=fern&system={PLANTS}"))["result"] is False


@pytest.mark.parametrize(
    ("code", "result"), [("oak", True), ("tree", True), ("fern", False), ("rose", False)]
)
async def test_codes_of_a_value_set(web: httpx.AsyncClient, code: str, result: bool) -> None:
    assert said(await web.get(f"{IN_TREES}&code={code}"))["result"] is result


async def test_one_right_coding_of_a_concept_is_enough(web: httpx.AsyncClient) -> None:
    concept = {"coding": [{"system": NOWHERE, "code": "x"}, {"system": PLANTS, "code": "oak"}]}
    body = parameters(url=("uri", TREES), codeableConcept=("CodeableConcept", concept))
    found = said(await web.post("ValueSet/$validate-code", json=body))
    assert found["result"] is True
    assert found["code"] == "oak"


async def test_a_value_set_can_be_sent_along(web: httpx.AsyncClient) -> None:
    sent = {name: value for name, value in TREE_SET.items() if name not in ("id", "url")}
    body = parameters(valueSet=("resource", sent), code=("code", "apple"), system=("uri", PLANTS))
    assert said(await web.post("ValueSet/$validate-code", json=body))["result"] is True


async def test_what_is_bound_to_an_element_is_asked_by_context(web: httpx.AsyncClient) -> None:
    context = "http://hl7.org/fhir/StructureDefinition/Patient#Patient.gender"
    path = "ValueSet/$validate-code"
    for code, result in (("female", True), ("lady", False)):
        answer = await web.get(path, params={"context": context, "code": code})
        assert said(answer)["result"] is result


async def test_units_are_told_by_their_grammar(web: httpx.AsyncClient) -> None:
    url = "http://hl7.org/fhir/ValueSet/ucum-units"
    for code, result in (("mg/dL", True), ("furlongs!", False)):
        params = {"url": url, "system": "http://unitsofmeasure.org", "code": code}
        assert said(await web.get("ValueSet/$validate-code", params=params))["result"] is result


@pytest.mark.parametrize(
    "query",
    [
        f"CodeSystem/$validate-code?url={NOWHERE}&code=x",
        f"ValueSet/$validate-code?url={NOWHERE}&system={NOWHERE}&code=x",
        f"ValueSet/$validate-code?url=http://example.org/ValueSet/broken&system={NOWHERE}&code=x",
    ],
)
async def test_what_is_not_loaded_is_named_and_never_a_no(web: httpx.AsyncClient, query: str) -> None:
    answer = await web.get(query)
    assert answer.status_code == 404
    issue = answer.json()["issue"][0]
    assert NOWHERE in issue["diagnostics"]
    assert issue["extension"][0]["valueString"] == "terminology-not-loaded"


async def test_what_is_loaded_of_a_broken_value_set_is_told_all_the_same(web: httpx.AsyncClient) -> None:
    path = f"ValueSet/$validate-code?url=http://example.org/ValueSet/broken&system={PLANTS}"
    assert said(await web.get(f"{path}&code=oak"))["result"] is True
    assert said(await web.get(f"{path}&code=rose"))["result"] is False


@pytest.mark.parametrize(
    "query",
    [
        "CodeSystem/$validate-code?code=oak",
        f"CodeSystem/$validate-code?url={PLANTS}",
        f"CodeSystem/plants/$validate-code?url={PLANTS}&code=oak",
        f"ValueSet/$validate-code?url={ALL_PLANTS}&code=oak",
        f"ValueSet/$validate-code?system={PLANTS}&code=oak",
        f"ValueSet/$validate-code?url={ALL_PLANTS}&system={PLANTS}&code=oak&abstract=maybe",
        f"ValueSet/$validate-code?context=Patient.gender&system={PLANTS}&code=oak",
    ],
)
async def test_wrong_calls_are_refused(web: httpx.AsyncClient, query: str) -> None:
    assert (await web.get(query)).status_code == 400


async def test_many_are_asked_in_a_batch(web: httpx.AsyncClient) -> None:
    body: dict[str, Any] = parameters(url=("uri", PLANTS), code=("code", "rose"))
    batch = {
        "resourceType": "Bundle",
        "type": "batch",
        "entry": [
            {"request": {"method": "GET", "url": f"{IN_PLANTS}&code=oak"}},
            {"request": {"method": "POST", "url": "CodeSystem/$validate-code"}, "resource": body},
            {"request": {"method": "GET", "url": f"CodeSystem/$validate-code?url={NOWHERE}&code=x"}},
        ],
    }
    answer = await web.post("", json=batch)
    assert answer.status_code == 200
    entries = answer.json()["entry"]
    assert [one["response"]["status"][:3] for one in entries] == ["200", "200", "404"]
    results = [one["resource"]["parameter"][0]["valueBoolean"] for one in entries[:2]]
    assert results == [True, False]
