"""What stored parameters can do: every type of search, chains, includes, published packages.

Source: http://hl7.org/fhir/R4/search.html, http://hl7.org/fhir/us/core/STU6.1/search-parameters.html
"""

from __future__ import annotations

import asyncio
import tarfile
import time
from typing import Any

import httpx
import pytest

from resources.codec.json import parse_json
from tests.integration.reindex.test_custom_parameters import (
    EYES,
    URL,
    Json,
    _official_only,  # noqa: F401 - a fixture
    eyes,
    ids,
    indexed,
    issues,
    parameter,
    put,
    web,  # noqa: F401 - a fixture
)
from tests.integration.web import client
from tests.shared import shared_path


def person(id_: str, **more: Any) -> Json:
    return {"resourceType": "Patient", "id": id_, **more}


KINDS = [
    parameter("alias", "string", f"Patient.extension('{URL}alias').value"),
    parameter("height", "quantity", f"Patient.extension.where(url = '{URL}height').value"),
    parameter("rank", "number", f"Patient.extension('{URL}rank').value.ofType(integer)"),
    parameter("joined", "date", f"Patient.extension.where(url='{URL}joined').valueDateTime"),
    parameter("page", "uri", f"Patient.extension('{URL}page').value"),
    parameter("initial", "string", "Patient.name.given.first().substring(0, 1)"),
    parameter("code-of", "token", "Patient.name.family.first().substring(0, 3).upper()"),
    parameter("address-of", "uri", "'http://example.org/' + Patient.name.family.first()"),
    parameter("grown", "token", "Patient.deceased.exists() and Patient.deceased != false"),
]


async def test_every_type_of_parameter_finds_what_it_reads(web: httpx.AsyncClient) -> None:  # noqa: F811
    await put(web, *KINDS)
    values: list[tuple[str, Any]] = [
        ("alias", {"valueString": "Émile"}),
        ("height", {"valueQuantity": {"value": 180, "system": "http://unitsofmeasure.org", "code": "cm"}}),
        ("rank", {"valueInteger": 7}),
        ("joined", {"valueDateTime": "2020-05-01"}),
        ("page", {"valueUrl": "http://example.org/p"}),
    ]
    for name, value in values:
        await put(web, person(name, extension=[{"url": URL + name, **value}]))
    await put(web, person("named", name=[{"given": ["Zoe", "Q"]}, {"given": ["A"]}], deceasedBoolean=True))
    await put(web, person("family", name=[{"family": "Winter"}]))
    found = {
        query: await ids(web, f"Patient?{query}")
        for query in (
            "alias=emil", "height=1.8|http://unitsofmeasure.org|m", "rank=gt6", "rank=8", "joined=2020-05",
            "page=http://example.org/p", "initial=z", "grown=true", "alias:missing=false",
            "_sort=joined&joined:missing=false", "code-of=WIN", "address-of=http://example.org/Winter",
        )
    }  # fmt: skip
    assert found == {
        "alias=emil": ["alias"],
        "height=1.8|http://unitsofmeasure.org|m": ["height"],
        "rank=gt6": ["rank"],
        "rank=8": [],
        "joined=2020-05": ["joined"],
        "page=http://example.org/p": ["page"],
        "initial=z": ["named"],
        "grown=true": ["named"],
        "alias:missing=false": ["alias"],
        "_sort=joined&joined:missing=false": ["joined"],
        "code-of=WIN": ["family"],
        "address-of=http://example.org/Winter": ["family"],
    }


FRIEND = parameter("friend", "reference", f"Patient.extension('{URL}friend').value", target=["Patient"])


async def test_a_reference_chains_includes_and_is_asked_for_in_reverse(web: httpx.AsyncClient) -> None:  # noqa: F811
    friend = [{"url": f"{URL}friend", "valueReference": {"reference": "Patient/a"}}]
    await put(web, FRIEND, EYES, eyes("a", "green"), person("b", extension=friend), person("c"))
    await indexed(web, "Patient?friend.eyes=green")
    assert await ids(web, "Patient?friend=Patient/a") == ["b"]
    assert await ids(web, "Patient?friend.eyes=green") == ["b"]
    assert await ids(web, "Patient?friend:Patient.eyes:missing=false") == ["b"]
    assert await ids(web, "Patient?_has:Patient:friend:_id=b") == ["a"]
    answer = (await web.get("Patient?_id=b&_include=Patient:friend")).json()
    assert [e["resource"]["id"] for e in answer["entry"]] == ["b", "a"]
    answer = (await web.get("Patient?_id=a&_revinclude=Patient:friend")).json()
    assert [e["resource"]["id"] for e in answer["entry"]] == ["a", "b"]


async def test_a_parameter_of_every_type_is_one_of_each(web: httpx.AsyncClient) -> None:  # noqa: F811
    await put(web, parameter("language-of", "token", "Resource.language", "Resource"))
    await put(
        web,
        person("fr", language="fr"),
        {"resourceType": "Basic", "id": "de", "language": "de", "code": {"text": "x"}},
    )
    assert await ids(web, "Patient?language-of=fr") == ["fr"]
    assert await ids(web, "Basic?language-of=de") == ["de"]


async def test_a_composite_pairs_within_an_element(web: httpx.AsyncClient) -> None:  # noqa: F811
    use = parameter("contact-use", "token", "Patient.telecom.use")
    value = parameter("contact-value", "token", "Patient.telecom.value")
    components = [
        {"definition": use["url"], "expression": "use"},
        {"definition": value["url"], "expression": "value"},
    ]
    both = parameter("use-value", "composite", "Patient.telecom", component=components)
    assert (await web.put("SearchParameter/use-value", json=both)).status_code == 422
    await put(web, use, value, both)
    telecom = [{"use": "home", "value": "1"}, {"use": "work", "value": "2"}]
    await put(web, person("both", telecom=telecom))
    assert await ids(web, "Patient?use-value=home$1") == ["both"]
    assert await ids(web, "Patient?use-value=home$2") == []


def published(package: str) -> list[Json]:
    """Return the SearchParameters of a package."""
    with tarfile.open(shared_path("packages") / package) as archive:
        found = [archive.extractfile(member) for member in archive if "/SearchParameter-" in member.name]
        return [parse_json(one.read()) for one in found if one is not None]


@pytest.mark.parametrize("package", ["us-core-6.1.0.tgz", "carin-bb-2.0.0.tgz"])
async def test_published_parameters_can_be_stored(web: httpx.AsyncClient, package: str) -> None:  # noqa: F811
    await put(web, *published(package))
    rest = (await web.get("metadata")).json()["rest"][0]["resource"]
    codes = {(r["type"], p["name"]): p["definition"] for r in rest for p in r["searchParam"]}
    active = [one for one in published(package) if one["status"] == "active"]
    assert active
    assert [one["id"] for one in active for base in one["base"] if (base, one["code"]) not in codes] == []


RACE = {
    "url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race",
    "extension": [
        {
            "url": "ombCategory",
            "valueCoding": {"system": "urn:oid:2.16.840.1.113883.6.238", "code": "2106-3"},
        },
        {"url": "text", "valueString": "White"},
    ],
}


async def test_race_of_us_core_is_found_with_and_without_its_system(web: httpx.AsyncClient) -> None:  # noqa: F811
    await put(web, *[one for one in published("us-core-6.1.0.tgz") if one["code"] in ("race", "name")])
    await put(web, person("white", extension=[RACE]))
    assert await ids(web, "Patient?race=2106-3") == ["white"]
    assert await ids(web, "Patient?race=urn:oid:2.16.840.1.113883.6.238|2106-3") == ["white"]
    assert await ids(web, "Patient?race=other|2106-3") == []


async def test_repeating_an_official_parameter_changes_nothing(web: httpx.AsyncClient) -> None:  # noqa: F811
    await put(web, person("a", name=[{"family": "Able"}]))
    await put(web, *[one for one in published("us-core-6.1.0.tgz") if one["id"] == "us-core-patient-family"])
    assert await issues(web, "Patient?family=able") == []
    assert await ids(web, "Patient?family=able") == ["a"]
    await indexed(web, "Patient?family=able")


@pytest.mark.parametrize(
    "expression",
    [
        "Patient.name.family.first().matches('^(a+)+$')",
        "Patient.repeat(extension).descendants().descendants().count() > 5",
        "Patient.name.given.single().length() > 1",
    ],
)
async def test_an_expression_that_cannot_be_afforded_costs_its_value_not_the_resource(
    web: httpx.AsyncClient,  # noqa: F811
    expression: str,
) -> None:
    await put(web, parameter("costly", "token", expression))
    extension: Json = {"url": URL, "valueString": "x"}
    for _ in range(12):
        extension = {"url": URL, "extension": [extension, {"url": URL, "valueString": "x"}]}
    names = [{"family": "a" * 60 + "b", "given": ["Ab", "Cd"]}]
    before = time.monotonic()
    await put(web, person("p", name=names, extension=[extension] * 20))
    assert time.monotonic() - before < 5
    assert await ids(web, "Patient?costly:missing=true") in (["p"], [])
    assert await ids(web, "Patient?_id=p") == ["p"]


async def test_another_time_zone_is_another_index(fresh_database_url: str) -> None:
    """Days begin at another moment: until every resource is indexed so, searches say it."""
    async with client(fresh_database_url) as one:
        await put(one, person("p", birthDate="1974-12-25"))
        assert await ids(one, "Patient?birthdate=1974-12-25") == ["p"]
    async with client(fresh_database_url, time_zone="Asia/Tokyo") as one:
        deadline, modes = time.monotonic() + 20, ["outcome"]
        while "match" not in modes:
            assert time.monotonic() < deadline
            assert modes == ["outcome"], "nothing is missing without a word"
            answer = (await one.get("Patient?birthdate=1974-12-25")).json()
            modes = [entry["search"]["mode"] for entry in answer.get("entry", [])]
            await asyncio.sleep(0.02)
    async with client(fresh_database_url, time_zone="Asia/Tokyo") as one:
        answer = (await one.get("Patient?birthdate=1974-12-25")).json()
        assert [entry["search"]["mode"] for entry in answer["entry"]] == ["match"], "nothing is left to do"
