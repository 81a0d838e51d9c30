"""`$fhirpath`: expressions of clients, on a resource that is sent or stored."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

PATIENT: dict[str, Any] = {
    "resourceType": "Patient",
    "id": "fp",
    "name": [{"family": "Smith", "given": ["Ann", "Bea"]}, {"given": ["Cy"]}],
    "birthDate": "1970-03-01",
    "generalPractitioner": [{"reference": "Practitioner/fp"}, {"reference": "Practitioner/none"}],
    "maritalStatus": {"coding": [{"system": "http://codes.test/m", "code": "b"}]},
}


CODES = {"top": "a", "side": "c", "lost": "nowhere"}
"""Variables of some tests: Codings."""


@pytest.fixture(autouse=True)
async def stored(client: httpx.AsyncClient) -> None:
    practitioner = {"resourceType": "Practitioner", "id": "fp", "name": [{"family": "Doc"}]}
    system = {
        "resourceType": "CodeSystem",
        "id": "fp",
        "url": "http://codes.test/m",
        "status": "active",
        "content": "complete",
        "hierarchyMeaning": "is-a",
        "concept": [{"code": "a", "concept": [{"code": "b"}]}, {"code": "c"}],
    }
    values = {
        "resourceType": "ValueSet",
        "id": "fp",
        "url": "http://values.test/m",
        "status": "active",
        "compose": {"include": [{"system": "http://codes.test/m", "concept": [{"code": "b"}]}]},
    }
    for resource in (practitioner, PATIENT, system, values):
        answer = await client.put(f"{resource['resourceType']}/{resource['id']}", json=resource)
        assert answer.status_code in (200, 201), answer.text


def call(expression: str, **more: Any) -> dict[str, Any]:
    """Return the Parameters of a call on PATIENT."""
    given = [{"name": "expression", "valueString": expression}, {"name": "resource", "resource": PATIENT}]
    given += [{"name": name, "valueString": value} for name, value in more.items()]
    return {"resourceType": "Parameters", "parameter": given}


async def results(client: httpx.AsyncClient, expression: str, **more: Any) -> list[dict[str, Any]]:
    """Return the `result` parameters of a call."""
    answer = await client.post("$fhirpath", json=call(expression, **more))
    assert answer.status_code == 200, answer.text
    return [one for one in answer.json()["parameter"] if one["name"] == "result"]


async def test_values_come_under_their_types(client: httpx.AsyncClient) -> None:
    (result,) = await results(client, "name.given.first() | birthDate | name.count() | (1.50 'mg') | true")
    assert result["part"] == [
        {"name": "string", "valueString": "Ann"},
        {"name": "date", "valueDate": "1970-03-01"},
        {"name": "integer", "valueInteger": 2},
        {
            "name": "Quantity",
            "valueQuantity": {
                "value": 1.5,
                "unit": "mg",
                "system": "http://unitsofmeasure.org",
                "code": "mg",
            },
        },
        {"name": "boolean", "valueBoolean": True},
    ]


async def test_each_context_has_a_result_of_its_own(client: httpx.AsyncClient) -> None:
    found = await results(client, "given.count() + %resource.name.count()", context="name")
    assert [(one["valueString"], one["part"][0]["valueInteger"]) for one in found] == [
        ("Patient.name[0]", 4),
        ("Patient.name[1]", 3),
    ]


async def test_a_stored_resource_is_evaluated_where_it_lies(client: httpx.AsyncClient) -> None:
    answer = await client.get("Patient/fp/$fhirpath", params={"expression": "name.family"})
    assert answer.json()["parameter"][-1]["part"] == [{"name": "string", "valueString": "Smith"}]
    assert (await client.get("Patient/nobody/$fhirpath", params={"expression": "id"})).status_code == 404


async def test_references_are_followed_on_this_server(client: httpx.AsyncClient) -> None:
    (result,) = await results(client, "generalPractitioner.resolve().name.family")
    assert result["part"] == [{"name": "string", "valueString": "Doc"}]
    (whole,) = await results(client, "generalPractitioner.resolve()")
    assert whole["part"][0]["resource"]["id"] == "fp"


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ("maritalStatus.memberOf('http://values.test/m')", True),
        ("maritalStatus.coding.first().memberOf('http://values.test/m')", True),
        ("'z'.memberOf('http://values.test/m')", False),
        ("%factory.exists() or maritalStatus.subsumedBy(maritalStatus)", None),
        ("maritalStatus.subsumedBy(maritalStatus)", True),
        ("%factory.Coding('http://codes.test/m', 'a').subsumes(maritalStatus)", None),
        ("maritalStatus.coding.subsumes(%top)", False),
        ("%top.subsumes(maritalStatus.coding)", True),
        ("%side.subsumes(maritalStatus.coding)", False),
        ("%lost.subsumes(maritalStatus.coding)", None),
    ],
)
async def test_terminology_is_that_of_this_server(
    client: httpx.AsyncClient, expression: str, holds: bool | None
) -> None:
    body = call(expression)
    codings = {name: {"system": "http://codes.test/m", "code": code} for name, code in CODES.items()}
    parts = [{"name": name, "valueCoding": coding} for name, coding in codings.items()]
    body["parameter"].append({"name": "variables", "part": parts})
    answer = await client.post("$fhirpath", json=body)
    if holds is None:
        assert answer.status_code == 400
    else:
        assert answer.json()["parameter"][-1]["part"] == [{"name": "boolean", "valueBoolean": holds}]


async def test_variables_are_the_callers(client: httpx.AsyncClient) -> None:
    given = call("name.where(family = %wanted).given")
    given["parameter"].append({"name": "variables", "part": [{"name": "wanted", "valueString": "Smith"}]})
    answer = await client.post("$fhirpath", json=given)
    assert [one["valueString"] for one in answer.json()["parameter"][-1]["part"]] == ["Ann", "Bea"]


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"resourceType": "Patient"}, "Parameters"),
        ({"resourceType": "Parameters"}, "expression"),
        (
            {"resourceType": "Parameters", "parameter": [{"name": "expression", "valueString": "id"}]},
            "resource",
        ),
        ({"resourceType": "Parameters", "parameter": [{"name": "speed", "valueString": "x"}]}, "speed"),
        (call("name.where("), "position"),
        (call("name.memberOf('http://nowhere')"), "http://nowhere"),
        (call("(1 | 2).toString()"), "FHIRPath"),
        (call("name", context="birthDate"), "context"),
        ({"resourceType": "Parameters", "parameter": [{"valueString": "x"}]}, "name"),
        ({"resourceType": "Parameters", "parameter": "x"}, "array"),
    ],
)
async def test_a_wrong_call_is_told_what_is_wrong(client: httpx.AsyncClient, body: Any, word: str) -> None:
    answer = await client.post("$fhirpath", json=body)
    assert answer.status_code in (400, 422)
    assert word in answer.text


async def test_an_expression_that_would_run_for_ever_ends(client: httpx.AsyncClient) -> None:
    bomb = "%resource.descendants()"
    for _ in range(3):
        bomb = f"%resource.descendants().select({bomb})"
    answer = await client.post("$fhirpath", json=call(bomb))
    assert answer.status_code == 400
    assert answer.json()["issue"][0]["code"] == "too-costly"


PROFILE = "http://hl7.org/fhir/StructureDefinition/vitalsigns"
OBSERVATION = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}


async def conforms(client: httpx.AsyncClient, resource: dict[str, Any], url: str) -> Any:
    """Return the value of conformsTo(), None where the call is refused."""
    body = call(f"conformsTo('{url}')")
    body["parameter"][1]["resource"] = resource
    answer = await client.post("$fhirpath", json=body)
    return answer.json()["parameter"][-1]["part"][0]["valueBoolean"] if answer.is_success else None


async def test_conforms_to_is_what_validation_says(client: httpx.AsyncClient) -> None:
    other = {"resourceType": "StructureDefinition", "id": "fp", "url": "http://profiles.test/fp", "name": "Fp",
             "status": "active", "kind": "resource", "abstract": False, "type": "Observation",
             "baseDefinition": "http://hl7.org/fhir/StructureDefinition/Observation", "derivation": "constraint",
             "differential": {"element": [{"path": "Observation.value[x]", "min": 1}]}}  # fmt: skip
    assert (await client.put("StructureDefinition/fp", json=other)).is_success
    assert await conforms(client, OBSERVATION, PROFILE) is False
    assert await conforms(client, OBSERVATION, "http://profiles.test/fp") is False
    assert await conforms(client, {**OBSERVATION, "valueString": "a"}, "http://profiles.test/fp") is True
    assert await conforms(client, OBSERVATION, "http://hl7.org/fhir/StructureDefinition/Observation") is True
    assert await conforms(client, OBSERVATION, "http://nobody.test/p") is None
