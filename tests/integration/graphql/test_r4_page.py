"""Every example of R4's page on GraphQL.

Source: http://hl7.org/fhir/R4/graphql.html
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.integration.graphql.world import ask, post, refused

AT = "Patient/example"
NAMES = [
    {"family": "Chalmers", "given": ["Peter", "James"]},
    {"given": ["Jim"]},
    {"family": "Windsor", "given": ["Peter", "James"]},
]
SYSTEM = "urn:oid:1.2.36.146.595.217.0.1"

FIELDS: list[tuple[str, str, Any]] = [
    (AT, "{ name { text given family } }", {"name": NAMES}),
    (
        "Observation/example",
        "{ valueQuantity { value unit } }",
        {"valueQuantity": {"value": 185.5, "unit": "lbs"}},
    ),
    (
        AT,
        "{ birthDate _birthDate { extension {valueDateTime} } }",
        {
            "birthDate": "1974-12-25",
            "_birthDate": {"extension": [{"valueDateTime": "1974-12-25T14:35:45-05:00"}]},
        },
    ),
    (AT, '{ name(fhirpath: "family.exists()") { text given family } }', {"name": [NAMES[0], NAMES[2]]}),
    (AT, "{ name(use: official) { text given family } }", {"name": [NAMES[0]]}),
    (
        AT,
        '{ myext: extension(url: "http://myextension.url/details") @singleton { value : valueString } }',
        {"myext": {"value": "some value"}},
    ),
    (
        "List/long",
        "{ entry(_count: 5, _offset: 5) { deleted item { reference } } }",
        {
            "entry": [
                {"deleted": number % 2 == 0, "item": {"reference": f"Condition/c{number % 5}"}}
                for number in range(5, 10)
            ]
        },
    ),
    (
        "Observation/example",
        "{ subject { reference, resource {active} } }",
        {"subject": {"reference": "Patient/example", "resource": {"active": True}}},
    ),
    (
        "Observation/example",
        (
            "{ id subject { reference resource { ...on Patient { birthDate } ...on Group { name } } }"
            " code {coding {system code} } }"
        ),
        {
            "id": "example",
            "subject": {"reference": "Patient/example", "resource": {"birthDate": "1974-12-25"}},
            "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
        },
    ),
    (
        "Observation/example",
        (
            "{ id subject { reference resource(type : Patient) { birthDate }"
            " resource(type : Practitioner) { qualification { code { text } } } } code {coding {system code} } }"
        ),
        {
            "id": "example",
            "subject": {"reference": "Patient/example", "resource": {"birthDate": "1974-12-25"}},
            "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
        },
    ),
]
"""The extension is made one object by @singleton: elements that repeat are lists, as R4's schema has them."""

FLATTENING: list[tuple[str, Any]] = [
    (
        "{ identifier { system value } active name { text given family } }",
        {"identifier": [{"system": SYSTEM, "value": "12345"}], "active": True, "name": NAMES},
    ),
    (
        "{ identifier @flatten { system value } active name @flatten { text given family } }",
        {
            "system": [SYSTEM],
            "value": ["12345"],
            "active": True,
            "given": ["Peter", "James", "Jim", "Peter", "James"],
            "family": ["Chalmers", "Windsor"],
        },
    ),
    (
        "{ identifier @flatten { system value } active name @flatten { text given @first family } }",
        {
            "system": [SYSTEM],
            "value": ["12345"],
            "active": True,
            "given": ["Peter", "Jim", "Peter"],
            "family": ["Chalmers", "Windsor"],
        },
    ),
    (
        (
            "{ identifier @flatten { system @singleton value @singleton } active"
            " name @flatten @first { text given family @singleton } }"
        ),
        {
            "system": SYSTEM,
            "value": "12345",
            "active": True,
            "given": ["Peter", "James"],
            "family": "Chalmers",
        },
    ),
    (
        '{ name @slice(path: "$index") @flatten {given @first @singleton family}}',
        {
            "given.0": "Peter",
            "family.0": ["Chalmers"],
            "given.1": "Jim",
            "given.2": "Peter",
            "family.2": ["Windsor"],
        },
    ),
    (
        '{ identifier @flatten { system value } active name @flatten @slice(path: "use") { given family @singleton } }',
        {
            "system": [SYSTEM],
            "value": ["12345"],
            "active": True,
            "given.official": ["Peter", "James"],
            "family.official": "Chalmers",
            "given.usual": ["Jim"],
            "given.maiden": ["Peter", "James"],
            "family.maiden": "Windsor",
        },
    ),
    (
        (
            "{ identifier @flatten { system value } active"
            ' name @flatten @slice(path: "$index") { given family @singleton } }'
        ),
        {
            "system": [SYSTEM],
            "value": ["12345"],
            "active": True,
            "given.0": ["Peter", "James"],
            "family.0": "Chalmers",
            "given.1": ["Jim"],
            "given.2": ["Peter", "James"],
            "family.2": "Windsor",
        },
    ),
    (
        '{ telecom @slice(path: "use") { value } }',
        {"telecom.work": [{"value": "1"}], "telecom.home": [{"value": "2"}]},
    ),
]


@pytest.mark.parametrize(("at", "query", "expected"), FIELDS)
async def test_fields_and_references(web: httpx.AsyncClient, at: str, query: str, expected: Any) -> None:
    assert await ask(web, query, at) == expected


@pytest.mark.parametrize(("query", "expected"), FLATTENING)
async def test_flattening(web: httpx.AsyncClient, query: str, expected: Any) -> None:
    assert await ask(web, query, AT) == expected


async def test_an_extension_chosen_by_url_stays_in_its_list_without_singleton(web: httpx.AsyncClient) -> None:
    query = '{ myext: extension(url: "http://myextension.url/details") { value : valueString } }'
    assert await ask(web, query, AT) == {"myext": [{"value": "some value"}]}


async def test_one_resource(web: httpx.AsyncClient) -> None:
    assert await ask(web, "{ Patient(id: example) { id, active } }") == {
        "Patient": {"id": "example", "active": True}
    }


async def test_a_list(web: httpx.AsyncClient) -> None:
    query = "{ ConditionList(clinical_status: relapse, patient: example) { id, clinicalStatus { coding { code } } } }"
    found = await ask(web, query)
    assert found == {"ConditionList": [{"id": "c4", "clinicalStatus": {"coding": [{"code": "relapse"}]}}]}


async def test_a_list_by_name(web: httpx.AsyncClient) -> None:
    found = await ask(web, '{PatientList(name:"pet"){name{family,given}}}')
    assert {"name": [{"family": "Petrov", "given": ["Ana"]}]} in found["PatientList"]


async def test_a_list_of_ids_is_or(web: httpx.AsyncClient) -> None:
    found = await ask(web, "{ ConditionList(_id: [c1, c2, none]) { id } }")
    assert sorted(one["id"] for one in found["ConditionList"]) == ["c1", "c2"]


CONNECTION = "count offset pagesize first previous next last edges { mode, score, resource { id } }"


async def test_a_connection_is_walked_by_its_cursors_alone(web: httpx.AsyncClient) -> None:
    found = await ask(web, f"{{ ConditionConnection (patient: example, _count: 2) {{ {CONNECTION} }} }}")
    page = found["ConditionConnection"]
    assert (page["count"], page["offset"], page["pagesize"]) == (5, 0, 2)
    assert "previous" not in page
    seen = [page]
    while "next" in page:
        query = f'{{ ConditionConnection (_cursor: "{page["next"]}") {{ {CONNECTION} }} }}'
        page = (await ask(web, query))["ConditionConnection"]
        seen.append(page)
    assert [one["offset"] for one in seen] == [0, 2, 4]
    assert [one["count"] for one in seen] == [5, 5, 5]
    ids = [edge["resource"]["id"] for one in seen for edge in one["edges"]]
    assert sorted(ids) == ["c0", "c1", "c2", "c3", "c4"]
    assert {edge["mode"] for one in seen for edge in one["edges"]} == {"match"}
    query = '{ ConditionConnection (cursor: "%s") { offset edges { resource { id } } } }'
    back = (await ask(web, query % seen[2]["previous"]))["ConditionConnection"]
    assert [edge["resource"]["id"] for edge in back["edges"]] == ids[2:4]
    first = (await ask(web, query % seen[2]["first"]))["ConditionConnection"]
    assert [edge["resource"]["id"] for edge in first["edges"]] == ids[:2]
    last = (await ask(web, query % seen[2]["last"]))["ConditionConnection"]
    assert [edge["resource"]["id"] for edge in last["edges"]] == ids[4:]


async def test_reverse_references(web: httpx.AsyncClient) -> None:
    found = await ask(
        web, "{ name(use: usual) {given} ConditionList(_reference: patient, _sort: _id) { id } }", AT
    )
    assert found["name"] == [{"given": ["Jim"]}]
    assert [one["id"] for one in found["ConditionList"]] == ["c0", "c1", "c2", "c3", "c4"]


async def test_a_reverse_connection(web: httpx.AsyncClient) -> None:
    query = (
        "{ name{family,given} ConditionConnection(_reference:patient, _count: 3)"
        " {count,offset,pagesize,first,previous,next,last,"
        "edges{mode,score,resource{...on Condition{resourceType,id,clinicalStatus{text}}}}} }"
    )
    page = (await ask(web, query, AT))["ConditionConnection"]
    assert (page["count"], len(page["edges"])) == (5, 3)
    assert {edge["resource"]["resourceType"] for edge in page["edges"]} == {"Condition"}


async def test_an_error_is_graphql_with_an_outcome(web: httpx.AsyncClient) -> None:
    answer = await post(web, "{ Patient(id: nobody) { id } }")
    assert answer.status_code == 404
    body = answer.json()
    assert body["data"] is None
    (error,) = body["errors"]
    assert error["locations"] == [{"line": 1, "column": 3}]
    outcome = error["extensions"]["resource"]
    assert (outcome["resourceType"], outcome["issue"][0]["code"]) == ("OperationOutcome", "not-found")


@pytest.mark.parametrize(
    "query",
    [
        "mutation { PatientCreate(res: {}) { id } }",
        "mutation { PatientUpdate(id: example, res: {}) { id } }",
        "mutation { PatientDelete(id: example) { id } }",
    ],
)
async def test_mutations_are_refused_by_name(web: httpx.AsyncClient, query: str) -> None:
    status, code, text = await refused(web, query)
    assert (status, code) == (400, "not-supported")
    assert "mutation" in text


@pytest.mark.parametrize(
    ("query", "said"),
    [
        # as R4 prints them, by mistake: there is no type Practioner, and an edge holds its match in `resource`
        (
            "{ObservationList{subject{resource{...on Practioner{practitionerRole{speciality}}}}}}",
            "Practioner",
        ),
        ("{ ConditionConnection (_count: 1) { edges { id, clinicalStatus } } }", "'id'"),
        ("{PatientConnection(){count}}", "Syntax Error"),
    ],
)
async def test_what_r4_prints_by_mistake_is_refused(web: httpx.AsyncClient, query: str, said: str) -> None:
    status, _, text = await refused(web, query)
    assert status == 400
    assert said in text


async def test_a_query_on_what_another_operation_answers(web: httpx.AsyncClient) -> None:
    params = {"_graphql": '{ result: parameter(name: "return") { value: valueMeta { versionId } } }'}
    answer = await web.get("Patient/example/$meta", params=params)
    assert answer.headers["content-type"].startswith("application/json")
    assert answer.json() == {"data": {"result": [{"value": {"versionId": "1"}}]}}


async def test_a_failed_operation_is_answered_as_ever(web: httpx.AsyncClient) -> None:
    answer = await web.get("Patient/nobody/$meta", params={"_graphql": "{ id }"})
    assert answer.status_code == 404
    assert answer.json()["resourceType"] == "OperationOutcome"
