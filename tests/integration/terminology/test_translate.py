"""`ConceptMap/$translate`.

Source: http://hl7.org/fhir/R4/conceptmap-operation-translate.html
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.integration.terminology.made import (
    COLOUR_MAP,
    COLOURS,
    MAP,
    NOWHERE,
    PLANTS,
    parameters,
    repeated,
    said,
)

BY_URL = f"ConceptMap/$translate?url={MAP}&system={PLANTS}"


def matches(answer: httpx.Response) -> list[tuple[str, str]]:
    """Return (equivalence, code) of each match."""
    assert answer.status_code == 200, answer.text
    return [(one["equivalence"], one.get("concept", {}).get("code", "")) for one in repeated(answer, "match")]


async def test_a_code_is_translated(web: httpx.AsyncClient) -> None:
    answer = await web.get(f"{BY_URL}&code=oak")
    assert said(answer)["result"] is True
    assert repeated(answer, "match") == [
        {"equivalence": "wider", "concept": {"system": COLOURS, "code": "brown"}, "source": f"{MAP}|1"}
    ]


@pytest.mark.parametrize(
    "query",
    [
        f"ConceptMap/plants-to-colours/$translate?system={PLANTS}&code=fern",
        f"ConceptMap/$translate?system={PLANTS}&code=fern&targetsystem={COLOURS}",
        f"ConceptMap/$translate?system={PLANTS}&code=fern",
        f"ConceptMap/$translate?system={PLANTS}&code=fern&target=http://example.org/ValueSet/colours",
        f"{BY_URL}&code=fern&conceptMapVersion=1",
    ],
)
async def test_maps_are_found_in_every_way(web: httpx.AsyncClient, query: str) -> None:
    assert matches(await web.get(query)) == [("equivalent", "green")]


async def test_a_map_can_be_sent_along(web: httpx.AsyncClient) -> None:
    body = parameters(
        conceptMap=("resource", COLOUR_MAP), coding=("Coding", {"system": PLANTS, "code": "fern"})
    )
    assert matches(await web.post("ConceptMap/$translate", json=body)) == [("equivalent", "green")]


async def test_a_mapping_that_depends_on_something_waits_for_it(web: httpx.AsyncClient) -> None:
    answer = await web.get(f"{BY_URL}&code=apple")
    assert matches(answer) == [("relatedto", "green")]
    assert "http://example.org/season = autumn" in said(answer)["message"]


async def test_dependencies_that_are_given_count(web: httpx.AsyncClient) -> None:
    body: dict[str, Any] = parameters(
        url=("uri", MAP), coding=("Coding", {"system": PLANTS, "code": "apple"})
    )
    parts = [
        {"name": "element", "valueUri": "http://example.org/season"},
        {"name": "concept", "valueCodeableConcept": {"coding": [{"code": "autumn"}]}},
    ]
    body["parameter"].append({"name": "dependency", "part": parts})
    answer = await web.post("ConceptMap/$translate", json=body)
    assert matches(answer) == [("relatedto", "red"), ("relatedto", "green")]
    product = repeated(answer, "match")[0]["product"]
    assert product[0]["valueUri"] == "http://example.org/part"
    assert product[1]["valueCoding"] == {"code": "fruit"}


async def test_a_code_without_target_is_unmatched(web: httpx.AsyncClient) -> None:
    answer = await web.get(f"{BY_URL}&code=elm")
    assert said(answer)["result"] is False
    assert matches(answer) == [("unmatched", "")]


async def test_codes_that_are_not_mapped_follow_the_rule_for_them(web: httpx.AsyncClient) -> None:
    assert matches(await web.get(f"{BY_URL}&code=rose")) == [("relatedto", "grey")]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"mode": "provided"}, [("equal", "rose")]),
        ({"mode": "fixed", "code": "red"}, [("relatedto", "red")]),
        ({"mode": "other-map", "url": MAP}, [("relatedto", "grey")]),
    ],
)
async def test_every_rule_for_unmapped_codes(web: httpx.AsyncClient, rule: Any, expected: Any) -> None:
    group: dict[str, Any] = {"source": PLANTS, "target": COLOURS, "unmapped": rule}
    group["element"] = [{"code": "oak", "target": [{"code": "red", "equivalence": "equal"}]}]
    sent = {"resourceType": "ConceptMap", "status": "draft", "group": [group]}
    body = parameters(conceptMap=("resource", sent), coding=("Coding", {"system": PLANTS, "code": "rose"}))
    assert matches(await web.post("ConceptMap/$translate", json=body)) == expected


async def test_a_map_that_goes_on_in_one_that_is_not_here_is_named(web: httpx.AsyncClient) -> None:
    group: dict[str, Any] = {
        "source": PLANTS,
        "target": COLOURS,
        "unmapped": {"mode": "other-map", "url": NOWHERE},
    }
    group["element"] = [{"code": "oak"}]
    sent = {"resourceType": "ConceptMap", "status": "draft", "group": [group]}
    body = parameters(conceptMap=("resource", sent), coding=("Coding", {"system": PLANTS, "code": "a"}))
    answer = await web.post("ConceptMap/$translate", json=body)
    assert answer.status_code == 404
    assert NOWHERE in answer.text


async def test_backwards_the_meaning_turns_around(web: httpx.AsyncClient) -> None:
    answer = await web.get(f"ConceptMap/$translate?url={MAP}&system={COLOURS}&code=brown&reverse=true")
    assert repeated(answer, "match") == [
        {"equivalence": "narrower", "concept": {"system": PLANTS, "code": "oak"}, "source": f"{MAP}|1"}
    ]
    found = await web.get(f"ConceptMap/$translate?system={COLOURS}&code=green&reverse=true")
    assert matches(found) == [("equivalent", "fern"), ("relatedto", "apple")]


async def test_a_map_between_other_value_sets_says_nothing(web: httpx.AsyncClient) -> None:
    answer = await web.get(f"{BY_URL}&code=fern&target=http://example.org/ValueSet/else")
    found = said(answer)
    assert found["result"] is False
    assert "is not to http://example.org/ValueSet/else" in found["message"]


async def test_r4s_own_maps_are_known(web: httpx.AsyncClient) -> None:
    params = {
        "system": "http://hl7.org/fhir/administrative-gender",
        "code": "female",
        "targetsystem": "http://terminology.hl7.org/CodeSystem/v3-AdministrativeGender",
    }
    found = matches(await web.get("ConceptMap/$translate", params=params))
    assert [code for _, code in found] == ["F"]


async def test_a_changed_map_counts_at_once(web: httpx.AsyncClient) -> None:
    url = "http://example.org/ConceptMap/changing"
    for colour in ("red", "green"):
        target = {"code": colour, "equivalence": "equal"}
        group = {"source": PLANTS, "target": COLOURS, "element": [{"code": "oak", "target": [target]}]}
        made = {
            "resourceType": "ConceptMap",
            "id": "changing",
            "url": url,
            "status": "retired",
            "group": [group],
        }
        assert (await web.put("ConceptMap/changing", json=made)).status_code in (200, 201)
        answer = await web.get(f"ConceptMap/$translate?url={url}&system={PLANTS}&code=oak")
        assert matches(answer) == [("equal", colour)]


@pytest.mark.parametrize(
    ("query", "status"),
    [
        (f"url={MAP}&code=oak", 400),
        (f"url={MAP}&system={PLANTS}", 400),
        (f"url={MAP}&system={PLANTS}&code=oak&reverse=perhaps", 400),
        (f"url={NOWHERE}&system={PLANTS}&code=oak", 404),
        (f"url={MAP}&conceptMapVersion=7&system={PLANTS}&code=oak", 404),
        (f"system={NOWHERE}&code=oak", 404),
        (f"url={MAP}&system={PLANTS}&code=oak&colour=red", 400),
    ],
)
async def test_wrong_calls_are_refused(web: httpx.AsyncClient, query: str, status: int) -> None:
    assert (await web.get(f"ConceptMap/$translate?{query}")).status_code == status
