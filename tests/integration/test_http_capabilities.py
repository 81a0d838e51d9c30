"""The CapabilityStatement says what is there. Source: http://hl7.org/fhir/R4/http.html#capabilities"""

from __future__ import annotations

import httpx
import pytest

from fhir_server.interactions.capabilities import NORMATIVE
from resources.definitions import definitions
from resources.validate.base import explain
from tests.integration.web import XML, running


@pytest.mark.parametrize(
    ("mode", "type_name"),
    [
        ("full", "CapabilityStatement"),
        ("normative", "CapabilityStatement"),
        ("terminology", "TerminologyCapabilities"),
    ],
)
async def test_every_mode_is_a_valid_resource(web: httpx.AsyncClient, mode: str, type_name: str) -> None:
    body = (await web.get(f"metadata?mode={mode}")).json()
    assert body["resourceType"] == type_name
    assert explain(body) == []


async def test_an_unknown_mode_is_400(web: httpx.AsyncClient) -> None:
    assert (await web.get("metadata?mode=half")).status_code == 400


async def test_it_names_version_software_and_where_it_runs(web: httpx.AsyncClient) -> None:
    body = (await web.get("metadata")).json()
    assert body["fhirVersion"] == "4.0.1"
    assert body["implementation"]["url"] == "http://server.example/fhir"
    assert {"name", "version"} <= body["software"].keys()
    assert "application/fhir+xml" in body["format"]
    assert "application/json-patch+json" in body["patchFormat"]


async def test_normative_mode_keeps_normative_types_only(web: httpx.AsyncClient) -> None:
    full, normative = (await web.get("metadata")).json(), (await web.get("metadata?mode=normative")).json()
    assert {entry["type"] for entry in full["rest"][0]["resource"]} == set(definitions().resource_types)
    assert {entry["type"] for entry in normative["rest"][0]["resource"]} == NORMATIVE


async def test_an_interaction_without_handler_is_not_claimed_and_not_served(database_url: str) -> None:
    async with running(database_url) as app:
        handlers = {name: handler for name, handler in app.fhir.handlers.items() if name != "patch"}
        app.fhir.handlers = handlers
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://server.example/fhir/") as web:
            entry = (await web.get("metadata")).json()["rest"][0]["resource"][0]
            answer = await web.patch("Patient/1", content=b"[]")
    assert "patch" not in [interaction["code"] for interaction in entry["interaction"]]
    assert answer.status_code == 404


async def test_searches_across_types_and_compartments_are_claimed(web: httpx.AsyncClient) -> None:
    rest = (await web.get("metadata")).json()["rest"][0]
    claimed = {entry["code"] for entry in rest["interaction"]}
    assert claimed == {"transaction", "batch", "history-system", "search-system"}
    assert {"_id", "_lastUpdated", "_tag", "_profile", "_security", "_source"} <= {
        param["name"] for param in rest["searchParam"]
    }
    base = "http://hl7.org/fhir/CompartmentDefinition/"
    assert sorted(rest["compartment"]) == [
        base + name for name in ("device", "encounter", "patient", "practitioner", "relatedperson")
    ]


async def test_everything_is_claimed_where_it_is_offered(web: httpx.AsyncClient) -> None:
    resources = (await web.get("metadata")).json()["rest"][0]["resource"]
    offered = {
        entry["type"]: [
            one["definition"] for one in entry.get("operation", []) if one["name"] == "everything"
        ]
        for entry in resources
    }
    assert {name: found for name, found in offered.items() if found} == {
        name: [f"http://hl7.org/fhir/OperationDefinition/{name}-everything"]
        for name in ("Encounter", "Group", "Patient")
    }


async def test_search_parameters_and_includes_are_those_of_the_registry(web: httpx.AsyncClient) -> None:
    resources = (await web.get("metadata")).json()["rest"][0]["resource"]
    observation = next(entry for entry in resources if entry["type"] == "Observation")
    params = {param["name"]: param for param in observation["searchParam"]}
    assert params["code"]["type"] == "token"
    assert params["code"]["definition"] == "http://hl7.org/fhir/SearchParameter/clinical-code"
    assert "Observation:subject" in observation["searchInclude"]
    patient = next(entry for entry in resources if entry["type"] == "Patient")
    assert "Observation:subject" in patient["searchRevInclude"]


async def test_it_comes_in_xml_and_packed(web: httpx.AsyncClient) -> None:
    answer = await web.get("metadata", headers={"Accept": XML, "Accept-Encoding": "gzip"})
    assert answer.headers["content-encoding"] == "gzip"
    assert b"<CapabilityStatement " in answer.content
