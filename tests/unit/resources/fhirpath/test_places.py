"""Nodes with types and paths, and the places that patches write to."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from resources.fhirpath import Typed
from resources.fhirpath import compile as compile_path
from tests.unit.resources.fhirpath.factories import observation, patient


def _paths(expression: str, resource: dict[str, Any]) -> list[str]:
    return [node.path for node in compile_path(expression).nodes(resource)]


@pytest.mark.parametrize(
    ("expression", "paths"),
    [
        ("Patient", ["Patient"]),
        ("name.given", ["Patient.name[0].given[0]", "Patient.name[0].given[1]", "Patient.name[1].given[0]"]),
        ("birthDate.extension.value", ["Patient.birthDate.extension[0].value"]),
        ("deceased", ["Patient.deceased"]),
        ("name.given.count()", [""]),
    ],
)
def test_paths_are_concrete(expression: str, paths: list[str]) -> None:
    assert _paths(expression, patient()) == paths


def test_each_path_finds_its_node_again() -> None:
    resource = observation()
    for node in compile_path("descendants()").nodes(resource):
        again = compile_path(node.path).nodes(resource)
        assert [(found.value, found.type_name) for found in again] == [(node.value, node.type_name)]


@pytest.mark.parametrize(
    ("expression", "type_name"),
    [
        ("Observation", "Observation"),
        ("Observation.value", "Quantity"),
        ("Observation.component", "Observation.component"),
        ("Observation.component.value.ofType(string)", "string"),
        ("Observation.code.coding.code", "code"),
        ("Observation.id", "id"),
        ("Observation.value.value > 1", "boolean"),
        ("'a'", "string"),
    ],
)
def test_values_carry_their_fhir_type(expression: str, type_name: str) -> None:
    assert {node.type_name for node in compile_path(expression).nodes(observation())} == {type_name}


def test_a_node_knows_its_container() -> None:
    resource = patient()
    given, birth = (compile_path(e).nodes(resource)[0] for e in ("name[0].given[1]", "birthDate"))
    assert given == Typed("James", "string", "Patient.name[0].given[1]", ["Peter", "James"], 1)
    assert given.parent is resource["name"][0]["given"]
    assert (birth.parent, birth.key) == (resource, "birthDate")


def test_a_place_can_be_written_to() -> None:
    resource = copy.deepcopy(patient())
    for node in compile_path("name.given | birthDate").nodes(resource):
        node.parent[node.key] = node.path
    assert resource["name"][0]["given"] == ["Patient.name[0].given[0]", "Patient.name[0].given[1]"]
    assert resource["birthDate"] == "Patient.birthDate"


def test_a_choice_is_located_at_the_key_it_is_written_with() -> None:
    resource = observation()
    (node,) = compile_path("Observation.value").nodes(resource)
    assert (node.key, node.path) == ("valueQuantity", "Observation.value")
    assert node.parent is resource


def test_a_primitive_with_an_extension_only_is_a_node_without_value() -> None:
    resource = patient(name=[{"given": ["A", None], "_given": [None, {"id": "x"}]}], _active={"id": "y"})
    del resource["active"]
    nodes = compile_path("name.given | active").nodes(resource)
    assert [(node.value, node.path) for node in nodes] == [
        ("A", "Patient.name[0].given[0]"),
        (None, "Patient.name[0].given[1]"),
        (None, "Patient.active"),
    ]
    assert compile_path("name.given | active").evaluate(resource) == ["A"]
    assert compile_path("name.given.select(hasValue())").evaluate(resource) == [True, False]


def test_a_contained_resource_has_its_own_type() -> None:
    resource = observation(contained=[{"resourceType": "Patient", "id": "c"}])
    (node,) = compile_path("contained").nodes(resource)
    assert (node.type_name, node.path) == ("Patient", "Observation.contained[0]")
