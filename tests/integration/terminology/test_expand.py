"""`ValueSet/$expand`, parameter by parameter.

Source: http://hl7.org/fhir/R4/valueset-operation-expand.html
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from fhir_server.concepts import sets
from tests.integration.terminology.made import ALL_PLANTS, NOWHERE, PLANTS, TREE_SET, TREES, parameters

Json = dict[str, Any]
ALL = f"ValueSet/$expand?url={ALL_PLANTS}"


async def expansion(web: httpx.AsyncClient, query: str = "", url: str = ALL_PLANTS) -> Json:
    """Return the expansion that a GET answers."""
    answer = await web.get(f"ValueSet/$expand?url={url}&{query}")
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()["expansion"]
    return found


def codes(found: Json) -> list[str]:
    """Return the codes of an expansion in their order."""
    return [one["code"] for one in found.get("contains", ())]


def told(found: Json) -> list[tuple[str, Any]]:
    """Return the parameters of an expansion."""
    return [(one["name"], one[key]) for one in found["parameter"] for key in one if key != "name"]


async def test_codes_come_in_the_order_of_the_definition(web: httpx.AsyncClient) -> None:
    found = await expansion(web)
    assert codes(found) == ["plant", "tree", "oak", "apple", "elm", "fern"]
    assert found["total"] == 6
    assert "offset" not in found
    assert found["contains"][2] == {"system": PLANTS, "code": "oak", "display": "Oak tree"}
    assert found["contains"][0]["abstract"] is True
    assert found["contains"][4]["inactive"] is True


async def test_a_hierarchy_filter_takes_what_is_below(web: httpx.AsyncClient) -> None:
    assert codes(await expansion(web, url=TREES)) == ["tree", "oak", "apple", "elm"]


async def test_pages_are_parts_of_the_whole(web: httpx.AsyncClient) -> None:
    pages = [await expansion(web, f"offset={offset}&count=4") for offset in (0, 4, 8)]
    assert [codes(page) for page in pages] == [["plant", "tree", "oak", "apple"], ["elm", "fern"], []]
    assert [page["total"] for page in pages] == [6, 6, 6]
    assert [page["offset"] for page in pages] == [0, 4, 8]


async def test_count_0_asks_how_many_there_are(web: httpx.AsyncClient) -> None:
    for query in ("count=0", "count=0&excludeNested=false"):
        found = await expansion(web, query)
        assert found["total"] == 6
        assert "contains" not in found


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("filter=tree", ["tree", "oak", "apple"]),
        ("filter=OAK%20tr", ["oak"]),
        ("filter=eich", ["oak"]),
        ("filter=rose", []),
        ("filter=!!", []),
        ("activeOnly=true", ["plant", "tree", "oak", "apple", "fern"]),
        ("excludeNotForUI=true", ["tree", "oak", "apple", "elm", "fern"]),
        ("excludePostCoordinated=true", ["plant", "tree", "oak", "apple", "elm", "fern"]),
        (f"exclude-system={PLANTS}", []),
        (f"exclude-system={PLANTS}%7C2", []),
        (f"exclude-system={PLANTS}%7C1", ["plant", "tree", "oak", "apple", "elm", "fern"]),
        (f"system-version={PLANTS}%7C2", ["plant", "tree", "oak", "apple", "elm", "fern"]),
        (f"check-system-version={PLANTS}%7C2", ["plant", "tree", "oak", "apple", "elm", "fern"]),
        (f"force-system-version={PLANTS}%7C2", ["plant", "tree", "oak", "apple", "elm", "fern"]),
    ],
)
async def test_parameters_narrow_the_expansion(
    web: httpx.AsyncClient, query: str, expected: list[str]
) -> None:
    found = await expansion(web, query)
    assert codes(found) == expected
    assert found["total"] == len(expected)


@pytest.mark.parametrize("name", ["system-version", "check-system-version", "force-system-version"])
async def test_a_version_that_is_not_loaded_is_named(web: httpx.AsyncClient, name: str) -> None:
    answer = await web.get(f"{ALL}&{name}={PLANTS}%7C1")
    assert answer.status_code == 404
    assert f"{PLANTS}|1" in answer.json()["issue"][0]["diagnostics"]


async def test_nested_codes_stand_below_the_broader_ones(web: httpx.AsyncClient) -> None:
    found = await expansion(web, "excludeNested=false&count=2&offset=1")
    assert found["total"] == 6
    (plant,) = found["contains"]
    tree, fern = plant["contains"]
    assert (plant["code"], tree["code"], fern["code"]) == ("plant", "tree", "fern")
    assert codes(tree) == ["oak", "apple", "elm"]


async def test_designations_come_when_they_are_asked_for(web: httpx.AsyncClient) -> None:
    async def names(query: str) -> list[str]:
        oak = (await expansion(web, query))["contains"][2]
        return [one["value"] for one in oak.get("designation", ())]

    assert await names("") == []
    assert await names("includeDesignations=true") == ["Eiche", "Chêne", "Quercus"]
    assert await names("designation=urn:ietf:bcp:47%7Cfr") == ["Chêne"]
    assert await names("designation=http://example.org/uses%7Clatin") == ["Quercus"]
    assert await names("designation=de&includeDesignations=false") == []


async def test_displays_come_in_the_language_asked_for(web: httpx.AsyncClient) -> None:
    found = await expansion(web, "displayLanguage=de-AT")
    assert [one["display"] for one in found["contains"][1:3]] == ["Tree", "Eiche"]


async def test_the_definition_comes_when_it_is_asked_for(web: httpx.AsyncClient) -> None:
    without = (await web.get(ALL)).json()
    assert "compose" not in without
    assert without["url"] == ALL_PLANTS
    assert "compose" in (await web.get(f"{ALL}&includeDefinition=true")).json()


async def test_properties_come_as_an_extension(web: httpx.AsyncClient) -> None:
    found = await expansion(web, "property=height&property=definition")
    extensions = found["contains"][2]["extension"]
    assert [one["url"].rpartition("/")[2] for one in extensions] == [
        "extension-ValueSet.expansion.contains.property"
    ] * 2
    values = {
        one["extension"][0]["valueCode"]: next(v for k, v in one["extension"][1].items() if k != "url")
        for one in extensions
    }
    assert values == {"height": 30, "definition": "A tree with acorns"}


async def test_what_shaped_the_expansion_is_told(web: httpx.AsyncClient) -> None:
    found = await expansion(web, "filter=tree&count=2&activeOnly=true&displayLanguage=en")
    assert told(found) == [
        ("filter", "tree"),
        ("count", 2),
        ("activeOnly", True),
        ("displayLanguage", "en"),
        ("used-codesystem", f"{PLANTS}|2"),
        ("version", f"{PLANTS}|2"),
    ]


async def test_a_value_set_can_be_sent_along(web: httpx.AsyncClient) -> None:
    sent = {
        "resourceType": "ValueSet",
        "status": "draft",
        "compose": {
            "include": [
                {"valueSet": [TREES]},
                {"system": NOWHERE, "concept": [{"code": "moss", "display": "Moss"}]},
            ],
            "exclude": [{"system": PLANTS, "concept": [{"code": "elm"}]}],
        },
    }
    answer = await web.post("ValueSet/$expand", json=parameters(valueSet=("resource", sent)))
    found = answer.json()["expansion"]
    assert codes(found) == ["tree", "oak", "apple", "moss"]
    assert ("used-valueset", f"{TREES}|1") in told(found)


async def test_an_instance_is_expanded(web: httpx.AsyncClient) -> None:
    answer = await web.get("ValueSet/trees/$expand?count=1")
    assert codes(answer.json()["expansion"]) == ["tree"]


async def test_a_version_of_the_value_set_can_be_named(web: httpx.AsyncClient) -> None:
    assert (await web.get(f"ValueSet/$expand?url={TREES}&valueSetVersion=1")).status_code == 200
    assert (await web.get(f"ValueSet/$expand?url={TREES}&valueSetVersion=9")).status_code == 404


@pytest.mark.parametrize(
    ("version", "status"), [("1", 200), ("9", 404)], ids=["the same version", "another version"]
)
async def test_a_version_is_asked_of_what_is_at_hand_too(
    web: httpx.AsyncClient, version: str, status: int
) -> None:
    assert (await web.get(f"ValueSet/trees/$expand?valueSetVersion={version}")).status_code == status
    sent = parameters(valueSet=("resource", TREE_SET), valueSetVersion=("string", version))
    assert (await web.post("ValueSet/$expand", json=sent)).status_code == status
    both = await web.get(f"ValueSet/$expand?url={TREES}|1&valueSetVersion={version}")
    assert both.status_code == (200 if version == "1" else 400)


@pytest.mark.parametrize("asked", ["url={}|9", "url={}&valueSetVersion=9"])
async def test_a_version_that_is_not_here_is_no_other(web: httpx.AsyncClient, asked: str) -> None:
    own = "http://hl7.org/fhir/ValueSet/observation-status"
    assert (await web.get(f"ValueSet/$expand?url={own}|4.0.1")).status_code == 200
    assert (await web.get("ValueSet/$expand?" + asked.format(own))).status_code == 404


async def test_the_value_set_of_an_element_is_found_by_context(web: httpx.AsyncClient) -> None:
    params = {
        "context": "http://hl7.org/fhir/StructureDefinition/Patient#Patient.gender",
        "contextDirection": "incoming",
    }
    answer = await web.get("ValueSet/$expand", params=params)
    assert codes(answer.json()["expansion"]) == ["male", "female", "other", "unknown"]


async def test_everything_that_is_missing_is_named(web: httpx.AsyncClient) -> None:
    answer = await web.get("ValueSet/broken/$expand")
    assert answer.status_code == 404
    assert NOWHERE in answer.json()["issue"][0]["diagnostics"]


async def test_units_have_no_end(web: httpx.AsyncClient) -> None:
    answer = await web.get("ValueSet/$expand?url=http://hl7.org/fhir/ValueSet/ucum-units")
    assert answer.status_code == 422
    assert answer.json()["issue"][0]["code"] == "too-costly"


async def test_a_changed_code_system_counts_at_once(web: httpx.AsyncClient) -> None:
    system = {
        "resourceType": "CodeSystem",
        "id": "moods",
        "url": "http://example.org/moods",
        "status": "active",
        "content": "complete",
        "concept": [{"code": "glad"}],
    }
    sent = {
        "resourceType": "ValueSet",
        "status": "draft",
        "compose": {"include": [{"system": system["url"]}]},
    }
    for mood in (["glad"], ["glad", "sad"], ["calm"]):
        changed = system | {"concept": [{"code": code} for code in mood]}
        assert (await web.put("CodeSystem/moods", json=changed)).status_code in (200, 201)
        answer = await web.post("ValueSet/$expand", json=parameters(valueSet=("resource", sent)))
        assert codes(answer.json()["expansion"]) == mood
    assert (await web.delete("CodeSystem/moods")).status_code in (200, 204)
    assert (
        await web.post("ValueSet/$expand", json=parameters(valueSet=("resource", sent)))
    ).status_code == 404


@pytest.mark.parametrize(
    "query",
    [
        "",
        f"url={TREES}&context=x%23y",
        f"url={TREES}&count=-1",
        f"url={TREES}&count=1000000",
        f"url={TREES}&offset=x",
        f"url={TREES}&activeOnly=perhaps",
        f"url={TREES}&system-version={PLANTS}",
        f"url={TREES}&date=1999",
        f"url={TREES}&colour=red",
    ],
)
async def test_wrong_calls_are_refused(web: httpx.AsyncClient, query: str) -> None:
    assert (await web.get(f"ValueSet/$expand?{query}")).status_code == 400


async def test_more_codes_than_an_answer_holds_come_in_pages(web: httpx.AsyncClient) -> None:
    many = {
        "resourceType": "ValueSet",
        "status": "draft",
        "compose": {"include": [{"system": NOWHERE, "concept": [{"code": f"c{n}"} for n in range(10_001)]}]},
    }
    whole = await web.post("ValueSet/$expand", json=parameters(valueSet=("resource", many)))
    assert whole.status_code == 400
    assert whole.json()["issue"][0]["code"] == "too-costly"
    body = parameters(valueSet=("resource", many), offset=("integer", 10_000), count=("integer", 10))
    page = (await web.post("ValueSet/$expand", json=body)).json()["expansion"]
    assert (codes(page), page["total"]) == (["c10000"], 10_001)


async def test_an_expansion_is_a_valid_value_set(web: httpx.AsyncClient) -> None:
    query = "includeDesignations=true&property=height&excludeNested=false&includeDefinition=true"
    made = (await web.get(f"{ALL}&{query}")).json()
    outcome = (await web.post("ValueSet/$validate", json=made)).json()
    assert [one for one in outcome["issue"] if one["severity"] in ("error", "fatal")] == []


async def test_a_total_that_would_take_long_is_left_out_but_told_when_asked_for(
    web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sets, "FEW", 1)
    word = "filter=tree"
    pages = [await expansion(web, f"{word}&count=2&offset={offset}") for offset in (0, 2)]
    assert [codes(page) for page in pages] == [["tree", "oak"], ["apple"]]
    assert "total" not in pages[0]
    assert pages[1]["total"] == 3
    assert (await expansion(web, f"{word}&count=0"))["total"] == 3
    assert (await expansion(web, word))["total"] == 3


async def test_pages_are_the_same_wherever_a_list_begins(
    web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def queries() -> list[str]:
        narrowed = ("", "filter=tree", "activeOnly=true", "excludeNotForUI=true&filter=oak")
        return [f"{one}&count=2&offset={offset}" for one in narrowed for offset in (0, 1, 2, 4)]

    before = [codes(await expansion(web, query, TREES)) for query in queries()]
    for few, late in ((0, 1_000), (0, 1), (1_000, 1)):
        monkeypatch.setattr(sets, "FEW", few)
        monkeypatch.setattr(sets, "LATE", late)
        await web.put("ValueSet/forget", json={"resourceType": "ValueSet", "id": "forget", "status": "draft"})
        assert [codes(await expansion(web, query, TREES)) for query in queries()] == before
