"""`CapabilityStatement/$implements` and `$subset`, and what the statement says of guides that are stored."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.integration.validate.made import profile
from tests.integration.web import client as client_with

GUIDE = "http://guide.test/ImplementationGuide/g"
WANTED: dict[str, Any] = {
    "resourceType": "CapabilityStatement",
    "id": "wanted",
    "url": "http://guide.test/CapabilityStatement/wanted",
    "status": "active",
    "date": "2026-01-01",
    "kind": "requirements",
    "fhirVersion": "4.0.1",
    "format": ["json"],
    "rest": [
        {
            "mode": "server",
            "resource": [
                {
                    "type": "Patient",
                    "interaction": [{"code": "read"}],
                    "searchParam": [{"name": "name", "type": "string"}],
                    "supportedProfile": ["http://profiles.test/StructureDefinition/named-patient"],
                }
            ],
        }
    ],
}


async def put(client: httpx.AsyncClient, *resources: dict[str, Any]) -> None:
    for one in resources:
        answer = await client.put(f"{one['resourceType']}/{one['id']}", json=one)
        assert answer.is_success, answer.text


async def test_what_is_missing_is_told_until_it_is_there(client: httpx.AsyncClient) -> None:
    await put(client, WANTED)
    address = f"CapabilityStatement/$implements?client={WANTED['url']}"
    answer = await client.get(address)
    assert answer.status_code == 422
    (issue,) = answer.json()["issue"]
    assert issue["expression"] == ["CapabilityStatement.rest[0].resource[0].supportedProfile[0]"]
    await put(client, profile(id="named"))
    assert (await client.get(address)).status_code == 200
    inline = {"resourceType": "Parameters", "parameter": [{"name": "resource", "resource": WANTED}]}
    assert (await client.post("CapabilityStatement/$implements", json=inline)).status_code == 200
    other = await client.get(f"CapabilityStatement/wanted/$implements?client={WANTED['url']}")
    assert other.status_code == 200


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("$implements", 400),
        ("$implements?client=http://nobody.test/c", 404),
        ("$implements?profile=x", 400),
        ("$subset", 400),
        ("$subset?resource=Patent", 400),
        ("$subset?resource=Patient&server=http://nobody.test/c", 404),
        ("nobody/$subset?resource=Patient", 404),
    ],
)
async def test_a_call_that_means_nothing_is_refused(
    client: httpx.AsyncClient, query: str, status: int
) -> None:
    assert (await client.get(f"CapabilityStatement/{query}")).status_code == status


async def test_a_subset_has_the_types_that_were_asked_for(client: httpx.AsyncClient) -> None:
    answer = await client.get("CapabilityStatement/$subset?resource=Patient&resource=Group")
    found = answer.json()
    assert [one["type"] for one in found["rest"][0]["resource"]] == ["Group", "Patient"]
    assert found["meta"]["tag"][-1]["code"] == "SUBSETTED"


async def test_the_statement_names_what_is_stored_and_claimed(database_url: str) -> None:
    guide = {"resourceType": "ImplementationGuide", "id": "g", "url": GUIDE, "version": "2", "name": "G",
             "status": "active", "packageId": "g", "fhirVersion": ["4.0.1"]}  # fmt: skip
    async with client_with(database_url, instantiates=(WANTED["url"],)) as client:
        await put(client, guide, profile(id="named"))
        for _ in range(2):
            found = (await client.get("metadata")).json()
            assert found["instantiates"] == [WANTED["url"]]
            assert found["implementationGuide"] == [f"{GUIDE}|2"]
            (patient,) = [one for one in found["rest"][0]["resource"] if one["type"] == "Patient"]
            assert patient["supportedProfile"] == ["http://profiles.test/StructureDefinition/named-patient"]
        await client.delete("ImplementationGuide/g")
        await client.delete("StructureDefinition/named")
        found = (await client.get("metadata")).json()
        assert "implementationGuide" not in found
        assert not [one for one in found["rest"][0]["resource"] if "supportedProfile" in one]
