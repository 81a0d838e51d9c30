"""TerminologyCapabilities, and that whatever terminology answers is a valid resource.

Source: http://hl7.org/fhir/R4/terminologycapabilities.html
"""

from __future__ import annotations

import httpx
import pytest

from resources.validate.explain import errors, explain
from tests.integration.terminology.made import ALL_PLANTS, COLOURS, MAP, PLANTS


async def test_the_code_systems_that_are_here_are_listed(web: httpx.AsyncClient) -> None:
    await web.get(f"CodeSystem/$lookup?system={PLANTS}&code=oak")
    made = (await web.get("metadata?mode=terminology")).json()
    listed = {one["uri"]: one for one in made["codeSystem"]}
    assert listed[PLANTS]["subsumption"] is True
    assert listed[PLANTS]["version"] == [
        {
            "code": "2",
            "compositional": False,
            "property": ["height", "edible", "inactive", "notSelectable"],
        }
    ]
    for url in (COLOURS, "http://unitsofmeasure.org", "http://hl7.org/fhir/administrative-gender"):
        assert url in listed


async def test_a_deleted_code_system_is_not_listed(web: httpx.AsyncClient) -> None:
    url = "http://example.org/short-lived"
    made = {
        "resourceType": "CodeSystem",
        "id": "short",
        "url": url,
        "status": "active",
        "content": "complete",
    }
    await web.put("CodeSystem/short", json=made | {"concept": [{"code": "a"}]})
    assert (await web.get(f"CodeSystem/$lookup?system={url}&code=a")).status_code == 200

    async def listed() -> bool:
        found = (await web.get("metadata?mode=terminology")).json()
        return url in {one["uri"] for one in found["codeSystem"]}

    assert await listed()
    await web.delete("CodeSystem/short")
    assert not await listed()


async def test_what_expansions_take_is_listed(web: httpx.AsyncClient) -> None:
    made = (await web.get("metadata?mode=terminology")).json()
    assert {"filter", "displayLanguage"} < {one["name"] for one in made["expansion"]["parameter"]}


@pytest.mark.parametrize(
    "query",
    [
        "metadata?mode=terminology",
        f"CodeSystem/$lookup?system={PLANTS}&code=oak",
        f"CodeSystem/$lookup?system={PLANTS}&code=plant",
        f"CodeSystem/$subsumes?system={PLANTS}&codeA=oak&codeB=tree",
        f"CodeSystem/$validate-code?url={PLANTS}&code=elm",
        f"ValueSet/$validate-code?url={ALL_PLANTS}&system={PLANTS}&code=rose",
        f"ValueSet/$expand?url={ALL_PLANTS}&includeDesignations=true&property=edible&excludeNested=false",
        f"ConceptMap/$translate?url={MAP}&system={PLANTS}&code=apple",
        f"ConceptMap/$translate?url={MAP}&system={PLANTS}&code=elm",
    ],
)
async def test_answers_are_valid_resources(web: httpx.AsyncClient, query: str) -> None:
    answer = await web.get(query)
    assert answer.status_code == 200, answer.text
    assert list(errors(explain(answer.json()))) == []
