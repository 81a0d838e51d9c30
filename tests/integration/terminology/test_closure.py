"""`$closure` and `CodeSystem/$find-matches`.

Source: http://hl7.org/fhir/R4/terminology-service.html#closure, codesystem-operation-find-matches.html
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.integration.terminology.made import NOWHERE, PLANTS, repeated

Json = dict[str, Any]


async def ask(web: httpx.AsyncClient, name: str, *codes: str, version: str = "") -> httpx.Response:
    """Call `$closure`."""
    listed: list[Json] = [{"name": "name", "valueString": name}]
    listed += [{"name": "concept", "valueCoding": {"system": PLANTS, "code": code}} for code in codes]
    listed += [{"name": "version", "valueString": version}] if version else []
    return await web.post("$closure", json={"resourceType": "Parameters", "parameter": listed})


def relations(answer: httpx.Response) -> set[tuple[str, str]]:
    """Return (narrower, broader) of what a table is told."""
    assert answer.status_code == 200, answer.text
    return {
        (element["code"], target["code"])
        for group in answer.json().get("group", ())
        for element in group["element"]
        for target in element["target"]
    }


async def test_a_table_grows_by_what_is_new(web: httpx.AsyncClient) -> None:
    begun = await ask(web, "t1")
    assert (begun.json()["version"], relations(begun)) == ("0", set())
    first = await ask(web, "t1", "oak", "plant")
    assert (first.json()["version"], relations(first)) == ("1", {("oak", "plant")})
    second = await ask(web, "t1", "tree", "fern")
    assert second.json()["version"] == "2"
    assert relations(second) == {("oak", "tree"), ("tree", "plant"), ("fern", "plant")}
    again = await ask(web, "t1", "tree")
    assert (again.json()["version"], relations(again)) == ("2", set())


async def test_a_table_is_told_again_from_a_version_on(web: httpx.AsyncClient) -> None:
    await ask(web, "t2")
    await ask(web, "t2", "oak", "plant")
    await ask(web, "t2", "tree")
    assert relations(await ask(web, "t2", version="1")) == {("oak", "tree"), ("tree", "plant")}
    assert len(relations(await ask(web, "t2", version="0"))) == 3


async def test_a_table_can_begin_anew(web: httpx.AsyncClient) -> None:
    await ask(web, "t3")
    await ask(web, "t3", "oak", "plant")
    await ask(web, "t3")
    assert relations(await ask(web, "t3", "oak")) == set()


async def test_tables_know_nothing_of_each_other(web: httpx.AsyncClient) -> None:
    await ask(web, "t4")
    await ask(web, "t5")
    await ask(web, "t4", "plant")
    assert relations(await ask(web, "t5", "oak")) == set()


async def test_the_relation_is_that_the_target_is_broader(web: httpx.AsyncClient) -> None:
    await ask(web, "t6")
    (group,) = (await ask(web, "t6", "oak", "tree")).json()["group"]
    assert group["source"] == group["target"] == PLANTS
    assert group["element"] == [{"code": "oak", "target": [{"code": "tree", "equivalence": "subsumes"}]}]


async def test_wrong_calls_are_refused(web: httpx.AsyncClient) -> None:
    assert (await ask(web, "never begun", "oak")).status_code == 404
    await ask(web, "t7")
    assert (await ask(web, "t7", "rose")).status_code == 404
    assert (await ask(web, "t7", "oak", version="1")).status_code == 400
    assert (await ask(web, "t7", version="new")).status_code == 400
    assert (await web.post("$closure", json={"resourceType": "Parameters"})).status_code == 400
    assert (await web.get("$closure?name=t7")).status_code == 405


def wanted(code: str, kind: str, value: Any) -> Json:
    """Return a property of `$find-matches`."""
    parts = [{"name": "code", "valueCode": code}, {"name": "value", f"value{kind}": value}]
    return {"name": "property", "part": parts}


async def find(
    web: httpx.AsyncClient, *properties: Json, exact: bool = True, system: str = PLANTS
) -> httpx.Response:
    """Call `$find-matches`."""
    listed = [{"name": "system", "valueUri": system}, {"name": "exact", "valueBoolean": exact}, *properties]
    return await web.post(
        "CodeSystem/$find-matches", json={"resourceType": "Parameters", "parameter": listed}
    )


async def test_codes_with_all_properties_are_complete_matches(web: httpx.AsyncClient) -> None:
    answer = await find(web, wanted("height", "Integer", 8), wanted("edible", "Boolean", True))
    assert repeated(answer, "match") == [
        {"code": {"system": PLANTS, "code": "apple", "display": "Apple tree"}}
    ]


async def test_what_does_not_match_is_told(web: httpx.AsyncClient) -> None:
    answer = await find(web, wanted("height", "Integer", 30), wanted("edible", "Boolean", True))
    found = {one["code"]["code"]: one["unmatched"][0]["valueCode"] for one in repeated(answer, "match")}
    assert found == {"oak": "edible", "apple": "height"}


async def test_words_are_for_people(web: httpx.AsyncClient) -> None:
    looked = wanted("display", "String", "apple")
    assert "parameter" not in (await find(web, looked)).json() or not repeated(
        await find(web, looked), "match"
    )
    (found,) = repeated(await find(web, looked, exact=False), "match")
    assert found["code"]["code"] == "apple"
    assert "comment" in found


@pytest.mark.parametrize(
    ("properties", "system", "status"),
    [
        ((), PLANTS, 400),
        ((wanted("colour", "String", "red"),), PLANTS, 400),
        ((wanted("height", "Integer", 1),), NOWHERE, 404),
    ],
)
async def test_what_cannot_be_found_is_said(
    web: httpx.AsyncClient, properties: Any, system: str, status: int
) -> None:
    assert (await find(web, *properties, system=system)).status_code == status
