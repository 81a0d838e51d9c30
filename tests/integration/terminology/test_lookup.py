"""`CodeSystem/$lookup` and `$subsumes`.

Source: http://hl7.org/fhir/R4/codesystem-operation-lookup.html, codesystem-operation-subsumes.html
"""

from __future__ import annotations

import httpx
import pytest

from tests.integration.terminology.made import NOWHERE, PLANTS, parameters, repeated, said

OAK = f"CodeSystem/$lookup?system={PLANTS}&code=oak"


async def test_name_version_and_display_are_told(web: httpx.AsyncClient) -> None:
    found = said(await web.get(OAK))
    assert found == {"name": "Plants", "version": "2", "display": "Oak tree"}


async def test_without_property_everything_is_told(web: httpx.AsyncClient) -> None:
    answer = await web.get(OAK)
    told = {one["code"]: one["value"] for one in repeated(answer, "property")}
    assert told == {"height": 30, "edible": False, "definition": "A tree with acorns", "parent": "tree"}
    assert [one["value"] for one in repeated(answer, "designation")] == ["Eiche", "Chêne", "Quercus"]


async def test_only_the_properties_asked_for_are_told(web: httpx.AsyncClient) -> None:
    answer = await web.get(f"{OAK}&property=height&property=lang.fr")
    assert [one["code"] for one in repeated(answer, "property")] == ["height"]
    assert [one["value"] for one in repeated(answer, "designation")] == ["Chêne"]


async def test_children_come_with_their_displays(web: httpx.AsyncClient) -> None:
    answer = await web.get(f"CodeSystem/$lookup?system={PLANTS}&code=plant&property=child")
    assert repeated(answer, "property") == [
        {"code": "child", "value": "tree", "description": "Tree"},
        {"code": "child", "value": "fern", "description": "Fern"},
    ]


async def test_a_region_falls_back_to_its_language(web: httpx.AsyncClient) -> None:
    assert said(await web.get(f"{OAK}&displayLanguage=de-CH"))["display"] == "Eiche"


async def test_a_coding_is_looked_up_by_post(web: httpx.AsyncClient) -> None:
    body = parameters(coding=("Coding", {"system": PLANTS, "code": "fern"}))
    assert said(await web.post("CodeSystem/$lookup", json=body))["display"] == "Fern"


async def test_r4s_own_code_systems_are_known(web: httpx.AsyncClient) -> None:
    system = "http://hl7.org/fhir/administrative-gender"
    assert said(await web.get(f"CodeSystem/$lookup?system={system}&code=female"))["display"] == "Female"


async def test_units_are_codes_too(web: httpx.AsyncClient) -> None:
    answer = await web.get("CodeSystem/$lookup?system=http://unitsofmeasure.org&code=mg/dL")
    assert said(answer)["display"] == "mg/dL"


async def test_a_code_system_that_is_not_loaded_is_named(web: httpx.AsyncClient) -> None:
    answer = await web.get(f"CodeSystem/$lookup?system={NOWHERE}&code=x")
    assert answer.status_code == 404
    assert NOWHERE in answer.json()["issue"][0]["diagnostics"]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        (f"system={PLANTS}&code=rose", 404),
        (f"system={PLANTS}&code=OAK", 404),
        ("code=oak", 400),
        (f"system={PLANTS}", 400),
        (f"system={PLANTS}&code=oak&colour=red", 400),
        (f"system={PLANTS}&code=oak&date=2001-01-01", 400),
        (f"system={PLANTS}&code=oak&version=1", 404),
    ],
)
async def test_wrong_calls_are_refused(web: httpx.AsyncClient, query: str, status: int) -> None:
    assert (await web.get(f"CodeSystem/$lookup?{query}")).status_code == status


@pytest.mark.parametrize(
    ("a", "b", "outcome"),
    [
        ("oak", "oak", "equivalent"),
        ("plant", "oak", "subsumes"),
        ("oak", "plant", "subsumed-by"),
        ("oak", "fern", "not-subsumed"),
    ],
)
async def test_two_codes_are_compared(web: httpx.AsyncClient, a: str, b: str, outcome: str) -> None:
    answer = await web.get(f"CodeSystem/$subsumes?system={PLANTS}&codeA={a}&codeB={b}")
    assert said(answer) == {"outcome": outcome}
    on_instance = await web.get(f"CodeSystem/plants/$subsumes?codeA={a}&codeB={b}")
    assert said(on_instance) == {"outcome": outcome}


async def test_codings_of_two_code_systems_cannot_be_compared(web: httpx.AsyncClient) -> None:
    body = parameters(
        codingA=("Coding", {"system": PLANTS, "code": "oak"}),
        codingB=("Coding", {"system": NOWHERE, "code": "x"}),
    )
    assert (await web.post("CodeSystem/$subsumes", json=body)).status_code == 400


async def test_an_unknown_code_subsumes_nothing_and_is_said(web: httpx.AsyncClient) -> None:
    answer = await web.get(f"CodeSystem/$subsumes?system={PLANTS}&codeA=oak&codeB=rose")
    assert answer.status_code == 404
    assert "rose" in answer.text
