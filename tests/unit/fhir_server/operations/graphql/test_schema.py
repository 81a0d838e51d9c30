"""The schema that introspection shows, without a database.

Source: http://hl7.org/fhir/R4/graphql.html#schema
"""

from __future__ import annotations

from graphql import GraphQLField, GraphQLInterfaceType, GraphQLObjectType, GraphQLSchema, validate_schema

from fhir_server.operations.graphql.schema import schema
from fhir_server.search.custom import forget
from fhir_server.search.registry import Epoch, install
from resources.definitions import SearchParam, definitions


def field(shown: GraphQLSchema, type_name: str, name: str) -> GraphQLField:
    """Return a field of a type."""
    found = shown.type_map[type_name]
    assert isinstance(found, GraphQLObjectType | GraphQLInterfaceType)
    one: GraphQLField = found.fields[name]
    return one


def test_the_schema_is_a_valid_one_with_all_resources() -> None:
    shown = schema("Query")
    assert validate_schema(shown) == []
    assert shown.query_type is not None
    assert set(definitions().resource_types) <= shown.query_type.fields.keys()


def test_lists_take_filters_and_single_values_none() -> None:
    shown = schema("Query")
    assert {"use", "family", "fhirpath", "_offset", "_count"} <= field(shown, "Patient", "name").args.keys()
    assert not field(shown, "Patient", "maritalStatus").args
    assert str(field(shown, "Patient", "_birthDate").type) == "Element"
    assert str(field(shown, "Observation", "valueQuantity").type) == "Quantity"
    assert str(field(shown, "Patient", "contact").type) == "[PatientContact]"


def test_a_reverse_lookup_needs_its_reference() -> None:
    inside = field(schema("Patient"), "Patient", "ConditionList")
    assert str(inside.args["_reference"].type) == "code!"
    assert "clinical_status" in inside.args
    assert "_offset" not in field(schema("Patient"), "Patient", "ConditionConnection").args


def test_a_stored_parameter_is_an_argument_if_its_code_is_a_name() -> None:
    own = [
        SearchParam(f"http://x.example/{code}", code, "token", ("Patient",), "Patient.gender")
        for code in ("own-gender", "own.gender")
    ]
    try:
        install(Epoch.value + 1, {"Patient": tuple(own)})
        args = field(schema("Query"), "Query", "PatientList").args
    finally:
        forget()
    assert "own_gender" in args
    assert "own.gender" not in args
    assert "own_gender" not in field(schema("Query"), "Query", "PatientList").args
