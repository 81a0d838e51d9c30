"""Queries over the definitions, without a database.

Source: http://hl7.org/fhir/R4/graphql.html, https://spec.graphql.org/October2021/
"""

from __future__ import annotations

from typing import Any

import pytest

from fhir_server.operations.graphql import document
from fhir_server.operations.graphql.compiler import Compiler
from fhir_server.operations.graphql.limits import LIMITS, Budget
from fhir_server.operations.graphql.plan import Field
from fhir_server.operations.graphql.values import coerced
from resources.outcome import FhirError


def fields(query: str, type_name: str = "Patient", **variables: Any) -> list[Field]:
    """Return the compiled fields of `query` on a type."""
    found = document.read(query, None, LIMITS)
    return Compiler(found, coerced(found.operation, variables), Budget(LIMITS)).root(type_name)


def pairs(query: str, **variables: Any) -> tuple[tuple[str, str], ...]:
    """Return the parameters of the search that `query` asks for."""
    search = fields(query, "Query", **variables)[0].search
    assert search is not None
    return search.pairs


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("clinical_status: active", ("clinical-status", "active")),
        ("_id: [1, 2, example]", ("_id", "1,2,example")),
        ('code: "http://loinc.org|1"', ("code", "http://loinc.org|1")),
        ('code: "a,b"', ("code", "a\\,b")),
        ('code: "a\\\\,b"', ("code", "a\\,b")),
        ('_sort: "-onset-date,code"', ("_sort", "-onset-date,code")),
        ('_sort: ["-code", "_id"]', ("_sort", "-code,_id")),
        ('_filter: "code eq 1"', ("_filter", "code eq 1")),
        ("own_param: true", ("own-param", "true")),
        ("code: 1.50", ("code", "1.50")),
    ],
)
def test_arguments_become_search_parameters(argument: str, expected: tuple[str, str]) -> None:
    assert pairs(f"{{ ConditionList({argument}) {{ id }} }}") == (expected,)


def test_an_argument_that_is_null_or_a_variable_without_value_is_left_out() -> None:
    query = "query($a: String, $b: String) { ConditionList(code: $a, category: $b, severity: null) { id } }"
    assert pairs(query, b="x") == (("category", "x"),)


def test_the_same_field_twice_is_one_with_both_selections() -> None:
    (name,) = fields("{ name { family } ...more } fragment more on Patient { name { given } }")
    assert name.selection is not None
    assert [one.key for one in name.selection("HumanName")] == ["family", "given"]


def test_a_backbone_is_named_as_in_r4s_schemas() -> None:
    (contact,) = fields("{ contact { ... on PatientContact { gender } } }")
    assert contact.selection is not None
    assert [one.key for one in contact.selection("Patient.contact")] == ["gender"]


def test_a_field_that_some_resource_has_is_left_out_on_the_others() -> None:
    (contained,) = fields("{ contained { id birthDate } }")
    assert contained.selection is not None
    assert [one.key for one in contained.selection("Patient")] == ["id", "birthDate"]
    assert [one.key for one in contained.selection("Group")] == ["id"]


@pytest.mark.parametrize(
    ("query", "line", "column"),
    [("{\n  id\n  nope\n}", 3, 3), ("{ name(use: {a: 1}) { text } }", 1, 13), ("{ id", 1, 5)],
)
def test_a_refusal_names_its_place(query: str, line: int, column: int) -> None:
    with pytest.raises(FhirError) as caught:
        fields(query)
    assert (caught.value.issues[0].line, caught.value.issues[0].column) == (line, column)


@pytest.mark.parametrize(
    ("declared", "value"),
    [
        ("Int", "1"),
        ("Int", True),
        ("String", 1),
        ("Boolean", "true"),
        ("[Int!]", [None]),
        ("code", 1),
        ("ID!", None),
    ],
)
def test_a_variable_of_another_type_is_refused(declared: str, value: Any) -> None:
    with pytest.raises(FhirError, match=r"\$a"):
        fields(f"query($a: {declared}) {{ name(_count: $a) {{ text }} }}", a=value)


def test_an_undeclared_variable_is_refused() -> None:
    with pytest.raises(FhirError, match="declares no variable"):
        fields("{ id }", a=1)


def test_depth_is_bounded() -> None:
    with pytest.raises(FhirError) as caught:
        fields("{ extension " * 26 + "{ url }" + "}" * 26)
    assert caught.value.issues[0].code == "too-costly"
