"""How $graphql is called, and what it answers beside R4's examples.

Source: http://hl7.org/fhir/R4/graphql.html, https://graphql.org/learn/serving-over-http/
"""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import pytest

from fhir_server.operations.graphql import reading
from fhir_server.search.find import find
from fhir_server.storage import read as storage
from tests.integration.graphql.world import ask, refused

AT = "Patient/example"


async def test_by_get(web: httpx.AsyncClient) -> None:
    answer = await web.get(f"{AT}/$graphql", params={"query": "{name{family}}", "_pretty": "true"})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json;charset=utf-8"
    assert answer.json()["data"]["name"][0] == {"family": "Chalmers"}


async def test_the_query_itself_as_body(web: httpx.AsyncClient) -> None:
    headers = {"content-type": "application/graphql"}
    answer = await web.post(f"{AT}/$graphql", content="{ id }", headers=headers)
    assert answer.json() == {"data": {"id": "example"}}


async def test_parameters_as_body(web: httpx.AsyncClient) -> None:
    body = {"resourceType": "Parameters", "parameter": [{"name": "query", "valueString": "{ id }"}]}
    answer = await web.post(f"{AT}/$graphql", json=body, headers={"content-type": "application/fhir+json"})
    assert answer.json() == {"data": {"id": "example"}}


async def test_application_graphql_is_taken_nowhere_else(web: httpx.AsyncClient) -> None:
    answer = await web.post("Patient", content="{ id }", headers={"content-type": "application/graphql"})
    assert answer.status_code == 415


async def test_in_a_batch_the_answer_is_a_binary(web: httpx.AsyncClient) -> None:
    entry = {"request": {"method": "GET", "url": f"{AT}/$graphql?query={{id}}"}}
    answer = await web.post("", json={"resourceType": "Bundle", "type": "batch", "entry": [entry]})
    resource = answer.json()["entry"][0]["resource"]
    assert (resource["resourceType"], resource["contentType"]) == ("Binary", "application/json")
    assert json.loads(base64.b64decode(resource["data"])) == {"data": {"id": "example"}}


async def test_the_capability_statement_names_it(web: httpx.AsyncClient) -> None:
    rest = (await web.get("metadata")).json()["rest"][0]
    wanted = {"name": "graphql", "definition": "http://hl7.org/fhir/OperationDefinition/Resource-graphql"}
    assert wanted in rest["operation"]
    assert all(wanted in one["operation"] for one in rest["resource"])


async def test_variables_and_the_operations_name(web: httpx.AsyncClient) -> None:
    query = (
        "query one($id: ID!, $use: code = official, $with: Boolean!) "
        "{ Patient(id: $id) { id @include(if: $with) name(use: $use) { family } } } query two { __typename }"
    )
    found = await ask(web, query, operationName="one", variables={"id": "example", "with": False})
    assert found == {"Patient": {"name": [{"family": "Chalmers"}]}}
    assert await ask(web, query, operationName="two") == {"__typename": "Query"}


async def test_fragments_aliases_and_skip(web: httpx.AsyncClient) -> None:
    query = (
        "{ a: Patient(id: example) { ...who b: active @skip(if: true) } } "
        "fragment who on Patient { __typename resourceType ... on DomainResource { n: name { ...words } } } "
        "fragment words on HumanName { __typename given }"
    )
    found = await ask(web, query)
    assert found["a"]["__typename"] == found["a"]["resourceType"] == "Patient"
    assert found["a"]["n"][1] == {"__typename": "HumanName", "given": ["Jim"]}
    assert "b" not in found["a"]


async def test_a_contained_resource_is_resolved_in_place(web: httpx.AsyncClient) -> None:
    query = (
        "{ managingOrganization { resource { ... on Organization { name } } } contained { resourceType id } }"
    )
    found = await ask(web, query, AT)
    assert found["managingOrganization"]["resource"] == {"name": "Inside"}
    assert found["contained"] == [{"resourceType": "Organization", "id": "org"}]


async def test_an_entry_of_a_bundle_refers_to_its_neighbours(web: httpx.AsyncClient) -> None:
    query = (
        "{ entry { resource { ... on Observation { subject { resource(type: Patient) { birthDate } } } } } }"
    )
    found = await ask(web, query, "Bundle/document")
    assert found["entry"][0]["resource"]["subject"]["resource"] == {"birthDate": "2000-01-01"}


async def test_decimals_keep_their_digits(web: httpx.AsyncClient) -> None:
    answer = await web.get("Observation/example/$graphql", params={"query": "{valueQuantity{value}}"})
    assert "185.5" in answer.text


async def test_what_cannot_be_resolved_is_an_error_unless_optional(web: httpx.AsyncClient) -> None:
    at = "Observation/dangling"
    status, code, text = await refused(web, "{ subject { resource { id } } }", at)
    assert (status, code) == (404, "not-found")
    assert "elsewhere" in text
    found = await ask(web, "{ subject { resource(optional: true) { id } } }", at)
    assert found == {"subject": {}}


async def test_references_of_a_level_are_one_statement(
    web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[list[tuple[str, str]]] = []
    several = storage.several

    async def counted(conn: Any, keys: Any) -> Any:
        calls.append(sorted(keys))
        return await several(conn, keys)

    monkeypatch.setattr(storage, "several", counted)
    practitioners = "generalPractitioner { resource { id } }"
    query = f"{{ ConditionList(patient: example) {{ subject {{ resource(type: Patient) {{ {practitioners} }} }} }} }}"
    found = await ask(web, query)
    assert len(found["ConditionList"]) == 5
    assert calls == [[("Patient", "example")], [("Practitioner", "doc"), ("Practitioner", "other")]]


async def test_a_reverse_lookup_around_many_is_one_search(
    web: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []

    async def counted(session: Any, path: str, pairs: Any, **more: Any) -> Any:
        calls.append(path)
        return await find(session, path, pairs, **more)

    monkeypatch.setattr(reading, "find", counted)
    conditions = "ConditionList(_reference: patient, clinical_status: active, _sort: _id) { id }"
    query = f"{{ PatientList(_sort: _id) {{ id {conditions} }} }}"
    found = await ask(web, query)
    assert calls == ["Patient", "Condition"]
    assert {one["id"]: [each["id"] for each in one["ConditionList"]] for one in found["PatientList"]} == {
        "example": ["c0", "c1", "c2", "c3"],
        "second": [],
    }


async def test_fhirpath_filters_matches(web: httpx.AsyncClient) -> None:
    query = "{ ConditionList(patient: example, fhirpath: \"clinicalStatus.coding.code = 'relapse'\") { id } }"
    assert await ask(web, query) == {"ConditionList": [{"id": "c4"}]}
    query = "{ ConditionConnection(patient: example, fhirpath: \"id = 'c2'\") { edges { resource { id } } } }"
    assert (await ask(web, query))["ConditionConnection"] == {"edges": [{"resource": {"id": "c2"}}]}


async def test_a_list_counts_and_skips(web: httpx.AsyncClient) -> None:
    found = await ask(web, "{ ConditionList(patient: example, _sort: _id, _count: 2, _offset: 1) { id } }")
    assert [one["id"] for one in found["ConditionList"]] == ["c1", "c2"]


async def test_a_search_without_match_is_an_empty_list(web: httpx.AsyncClient) -> None:
    assert await ask(web, "{ PatientList(family: nobody) { id } }") == {"PatientList": []}


@pytest.mark.parametrize(
    ("at", "query", "said"),
    [
        (AT, "{ nme { text } }", "Patient has no element or field 'nme'"),
        (AT, "{ name { txt } }", "'txt'"),
        (AT, "{ name }", "select"),
        (AT, "{ birthDate { x } }", "nothing inside"),
        (AT, "{ birthDate(_count: 1) }", "takes no arguments"),
        (AT, "{ name(nope: 1) { text } }", "'nope'"),
        (AT, "{ name(use: 1.5) { text } }", "is no code"),
        (AT, "{ name(_count: -1) { text } }", "from 0"),
        (AT, '{ name(fhirpath: "((") { text } }', "FHIRPath"),
        (AT, "{ name { text } name(use: usual) { text } }", "two ways"),
        (AT, "{ name @nope { text } }", "@nope"),
        (AT, "{ ... @flatten { id } }", "fields only"),
        (AT, "{ ... on Group { name } }", "never a Group"),
        (AT, "{ ... on Nothing { name } }", "Nothing"),
        (AT, "{ id @include }", "if: Boolean"),
        (AT, "{ generalPractitioner { resource { nothing } } }", "'nothing'"),
        (AT, "{ generalPractitioner { resource(type: Nobody) { id } } }", "Nobody"),
        (AT, "{ ConditionList { id } }", "_reference"),
        (AT, "{ ConditionList(_reference: nothing) { id } }", "nothing"),
        (AT, "{ ConditionList(_reference: encounter) { id } }", "can name a Patient"),
        (AT, "{ ConditionList(_reference: patient, _id: 1) { id } }", "no meaning"),
        (AT, '{ ConditionConnection(_reference: patient, _cursor: "x") { count } }', "root"),
        (
            AT,
            "{ contained { ... on Organization { PatientList(_reference: organization) { id } } } }",
            "no address",
        ),
        ("", "{ Patient { id } }", "(id: …)"),
        ("", "{ Patients { id } }", "Query has no"),
        ("", "{ PatientList(nope: 1) { id } }", "nope"),
        ("", '{ PatientList(_include: "Patient:link") { id } }', "_include"),
        ("", '{ PatientConnection(_cursor: "abc") { count } }', "cursor"),
        ("", "{ PatientList { id __schema { types { name } } } }", "__schema"),
        ("", "subscription { PatientList { id } }", "subscription"),
        ("", "query($a: Nope) { PatientList(name: $a) { id } }", "Nope"),
        ("", "query($a: String!) { PatientList(name: $a) { id } }", "needs a value"),
        ("", "{ PatientList(name: $a) { id } }", "$a"),
        ("", "{ PatientList(name: {a: 1}) { id } }", "object"),
        (AT, "{ name @flatten { family @singleton } }", "several values"),
        (AT, "{ identifier @flatten { value } extension @flatten { value: url } }", "both string and uri"),
    ],
)
async def test_what_is_wrong_is_said(web: httpx.AsyncClient, at: str, query: str, said: str) -> None:
    status, _, text = await refused(web, query, at)
    assert 400 <= status < 500
    assert said in text


@pytest.mark.parametrize("query", ["", None])
async def test_a_request_without_query_is_refused(web: httpx.AsyncClient, query: str | None) -> None:
    answer = await web.post("$graphql", json={"query": query})
    assert (answer.status_code, answer.json()["data"]) == (400, None)


async def test_an_unknown_url_parameter_is_refused(web: httpx.AsyncClient) -> None:
    answer = await web.get("$graphql", params={"query": "{__typename}", "_summary": "true"})
    assert answer.status_code == 400


async def test_an_instance_that_is_not_there_is_404(web: httpx.AsyncClient) -> None:
    assert (await refused(web, "{ id }", "Patient/nobody"))[:2] == (404, "not-found")


async def test_a_deleted_instance_is_410(web: httpx.AsyncClient) -> None:
    await web.put("Basic/gone", json={"resourceType": "Basic", "id": "gone", "code": {"text": "x"}})
    await web.delete("Basic/gone")
    assert (await refused(web, "{ id }", "Basic/gone"))[:2] == (410, "deleted")
