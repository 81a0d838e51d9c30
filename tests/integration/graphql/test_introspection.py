"""What clients learn of the types, and that what they may ask by it is what the server answers.

Source: http://hl7.org/fhir/R4/graphql.html#schema, https://spec.graphql.org/October2021/#sec-Introspection
"""

from __future__ import annotations

import httpx
import pytest

from graphql import (
    GraphQLSchema,
    build_client_schema,
    get_introspection_query,
    parse,
    specified_rules,
    validate,
)
from graphql import validation as rules
from graphql.validation import ASTValidationRule
from tests.integration.graphql.test_r4_page import CONNECTION
from tests.integration.graphql.world import ask, refused

AT = "Patient/example"
_shown: dict[str, GraphQLSchema] = {}

STANDARD: list[tuple[str, str]] = [
    (AT, "{ name { text given family } }"),
    (AT, "{ birthDate _birthDate { extension {valueDateTime} } }"),
    (AT, '{ name(fhirpath: "family.exists()") { text given family } }'),
    (AT, "{ name(use: official) { text given family } }"),
    (AT, "{ name(use: [official, usual], _count: 1, _offset: 1) { family } }"),
    (AT, '{ myext: extension(url: "http://myextension.url/details") @singleton { value : valueString } }'),
    (AT, "{ identifier @flatten { system value } active name @flatten { text given @first family } }"),
    (AT, '{ name @slice(path: "$index") @flatten {given @first @singleton family}}'),
    (AT, '{ telecom @slice(path: "use") { value } }'),
    (AT, "{ managingOrganization { resource(type: Organization, optional: true) { id } } }"),
    (AT, "{ generalPractitioner { resource { __typename ... on Practitioner { name { family } } } } }"),
    (AT, "{ contained { resourceType id } }"),
    (AT, "{ name(use: usual) {given} ConditionList(_reference: patient, _sort: _id) { id } }"),
    (
        AT,
        (
            "{ ConditionConnection(_reference:patient, _count: 3)"
            " {count,offset,pagesize,edges{mode,score,resource{...on Condition{resourceType,id}}}} }"
        ),
    ),
    ("", "{ Patient(id: example) { id, active } }"),
    (
        "",
        "{ ConditionList(clinical_status: relapse, patient: example) { clinicalStatus { coding { code } } } }",
    ),
    ("", '{PatientList(name:"pet"){name{family,given}}}'),
    ("", "{ ConditionList(_id: [c1, c2, none]) { id } }"),
    ("", "{ ConditionList(patient: example, _sort: _id, _count: 2, _offset: 1) { id } }"),
    ("", "{ ConditionConnection(patient: example, fhirpath: \"id = 'c2'\") { edges { resource { id } } } }"),
    ("", f"{{ ConditionConnection (patient: example, _count: 2) {{ {CONNECTION} }} }}"),
    (
        "",
        "{ PatientList(_sort: _id) { id ConditionList(_reference: patient, clinical_status: active) { id } } }",
    ),
    (
        "",
        (
            "{ a: Patient(id: example) { ...who b: active @skip(if: true) } } "
            "fragment who on Patient { resourceType ... on DomainResource { n: text { status } } }"
        ),
    ),
    ("", "query($use: [code] = official) { Patient(id: example) { name(use: $use) { family } } }"),
]

BEYOND: list[tuple[str, str, type[ASTValidationRule]]] = [
    (
        "",
        "{ ObservationList { subject { resource(type : Patient, optional: true) { birthDate } } } }",
        rules.FieldsOnCorrectTypeRule,
    ),
    (AT, "{ generalPractitioner { resource { active } } }", rules.FieldsOnCorrectTypeRule),
    (AT, "{ LinkageList(_reference: item) { id } }", rules.FieldsOnCorrectTypeRule),
    (
        AT,
        "{ generalPractitioner { resource(type: Practitioner) { id } resource(type: Group) { id } } }",
        rules.OverlappingFieldsCanBeMergedRule,
    ),
    (
        AT,
        "{ name(use: usual) @flatten { given } name @flatten { family } }",
        rules.OverlappingFieldsCanBeMergedRule,
    ),
    (AT, '{ managingOrganization(reference: "#org") { display } }', rules.KnownArgumentNamesRule),
    ("", "query($id: ID!) { Patient(id: $id) { id } }", rules.KnownTypeNamesRule),
    (
        "",
        "query($use: code = official) { Patient(id: example) { name(use: $use) { family } } }",
        rules.VariablesInAllowedPositionRule,
    ),
]
"""What the server answers beyond the schema, with the one rule of GraphQL that it breaks: what R4 adds to GraphQL, and
what the schema leaves out, since it would be too large."""


async def schema(web: httpx.AsyncClient, at: str) -> GraphQLSchema:
    """Return the schema that a client builds from the server's answer, asked for once.

    The first question after a start builds the types of the server; where that takes too long, it says when to repeat.
    """
    if at not in _shown:
        await web.get(
            f"{at}/$graphql" if at else "$graphql", params={"query": "{ __schema { queryType { name } } }"}
        )
        _shown[at] = build_client_schema(await ask(web, get_introspection_query(), at))
    return _shown[at]


async def test_the_root_is_query_or_the_resource(web: httpx.AsyncClient) -> None:
    for at, root in (("", "Query"), (AT, "Patient")):
        shown = await schema(web, at)
        assert shown.query_type is not None
        assert shown.query_type.name == root
        assert {"PatientContact", "HumanName", "Condition", "ConditionEdge"} <= shown.type_map.keys()
        names = {one.name for one in shown.directives}
        assert names >= {"skip", "include", "flatten", "first", "singleton", "slice"}


@pytest.mark.parametrize(("at", "query"), STANDARD)
async def test_a_query_is_valid_by_the_schema_and_answered(
    web: httpx.AsyncClient, at: str, query: str
) -> None:
    assert [one.message for one in validate(await schema(web, at), parse(query))] == []
    assert await ask(web, query, at)


@pytest.mark.parametrize(("at", "query", "rule"), BEYOND)
async def test_what_is_answered_beyond_the_schema_breaks_one_rule(
    web: httpx.AsyncClient, at: str, query: str, rule: type[ASTValidationRule]
) -> None:
    shown, asked = await schema(web, at), parse(query)
    assert validate(shown, asked, [rule])
    assert validate(shown, asked, [one for one in specified_rules if one is not rule]) == []
    await ask(web, query, at, variables={"id": "example"} if "$id" in query else {})


@pytest.mark.parametrize(
    "query",
    [
        "{ PatientList(nope: 1) { id } }",
        "{ Patients { id } }",
        "{ PatientList { nme } }",
        "{ Patient { id } }",
    ],
)
async def test_what_the_server_refuses_is_not_valid(web: httpx.AsyncClient, query: str) -> None:
    assert validate(await schema(web, ""), parse(query))
    assert (await refused(web, query))[0] == 400


async def test_one_type_by_name(web: httpx.AsyncClient) -> None:
    query = "query($n: String!) { __typename ...t } fragment t on Query { t: __type(name: $n) { name kind } }"
    found = await ask(web, query, variables={"n": "HumanName"})
    assert found == {"__typename": "Query", "t": {"name": "HumanName", "kind": "OBJECT"}}
    assert await ask(web, '{ __type(name: "Nothing") { name } }') == {"__type": None}
    assert await ask(web, "{ __schema { queryType { name } } }", "Observation/example") == {
        "__schema": {"queryType": {"name": "Observation"}}
    }


@pytest.mark.parametrize(
    ("query", "code", "said"),
    [
        ("{ __schema { queryType { name } } PatientList { id } }", "not-supported", "'PatientList' is data"),
        (
            "{ ...a __schema { queryType { name } } } fragment a on Query { PatientList { id } }",
            "not-supported",
            "data",
        ),
        ("{ PatientList { __schema { queryType { name } } } }", "invalid", "at the root"),
        ("{ __schema { nope } }", "invalid", "nope"),
        ("{ __schema { queryType { name @flatten(x: 1) } } }", "invalid", "Unknown argument"),
        ("{ __type { name } }", "invalid", "name"),
        (
            "{ __schema { types " + "{ ofType " * 30 + "{ name }" + "}" * 30 + " } }",
            "too-costly",
            "25 levels",
        ),
        ("{ __schema { types {" + " name" * 2_000 + "} } }", "too-costly", "1000 fields"),
        (
            "{ __schema { types { fields { type { fields { type { fields { name } } } } } } } }",
            "invalid",
            "introspection depth",
        ),
    ],
)
async def test_what_is_wrong_is_said(web: httpx.AsyncClient, query: str, code: str, said: str) -> None:
    status, found, text = await refused(web, query)
    assert (status, found) == (400, code)
    assert said in text
