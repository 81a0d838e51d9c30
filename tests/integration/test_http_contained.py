"""Words and contained resources over HTTP. Source: http://hl7.org/fhir/R4/search.html#contained and #content"""

from __future__ import annotations

import pytest

from tests.integration.web import JSON, XML, client

REQUEST = {
    "resourceType": "MedicationRequest",
    "id": "23",
    "status": "active",
    "intent": "order",
    "subject": {"display": "somebody"},
    "medicationReference": {"reference": "#m1"},
    "contained": [
        {"resourceType": "Medication", "id": "m1", "status": "active", "code": {"text": "blue pills"}}
    ],
}
QUERY = "_content=pills&_contained=true&_containedType=contained"


@pytest.mark.parametrize("subset", ["", "&_elements=code", "&_summary=true", "&_format=xml", "&_pretty=true"])
async def test_a_contained_match_is_answered_in_every_form(database_url: str, subset: str) -> None:
    async with client(database_url) as web:
        put = await web.put("MedicationRequest/23", json=REQUEST, headers={"Content-Type": JSON})
        put.raise_for_status()
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        for answer in (
            await web.get(f"Medication?{QUERY}{subset}"),
            await web.post("Medication/_search", content=f"{QUERY}{subset}", headers=form),
        ):
            assert answer.status_code == 200, answer.text
            assert answer.headers["content-type"].startswith(XML if "xml" in subset else JSON)
            assert "MedicationRequest/23#m1" in answer.text
            assert "blue pills" in answer.text
            assert "score" in answer.text
            assert "somebody" not in answer.text


async def test_the_capability_statement_names_text_searches(database_url: str) -> None:
    async with client(database_url) as web:
        body = (await web.get("metadata")).json()
    for one in body["rest"][0]["resource"]:
        assert {"_text", "_content"} <= {param["name"] for param in one["searchParam"]}
