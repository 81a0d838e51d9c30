"""The paths of stored parameters: held to the types that the parameter takes, through extensions and choices.

Source: http://hl7.org/fhir/R4/search.html#table
"""

from __future__ import annotations

import pytest

from fhir_server.search.fitting import TAKEN, fitted
from fhir_server.search.paths import UnreadableError, paths, unknown_step
from resources.definitions import definitions
from resources.fhirpath.parser import parse

RACE = "Patient.extension.where(url = 'u').extension.value.code"


def types(kind: str, expression: str, type_name: str = "Patient") -> list[tuple[str, ...]]:
    return [path.types for path in fitted(kind, paths(type_name, expression))]


def test_a_choice_is_told_apart_by_type_where_a_step_means_different_things() -> None:
    found = {path.steps[-2].keys[0][0]: path.types for path in paths("Patient", RACE)}
    assert found["valueCoding"] == ("code",)
    assert found["valueTiming"] == ("CodeableConcept",)
    assert "valueString" not in found


def test_the_code_of_a_coding_is_the_coding() -> None:
    assert ("Coding",) in types("token", RACE)
    assert types("string", "Patient.maritalStatus.coding.code") == [("code",)]


def test_an_extension_is_its_value_of_the_types_that_fit() -> None:
    assert types("number", "Patient.extension('u')") == [
        ("decimal", "integer", "positiveInt", "unsignedInt", "Range")
    ]
    assert types("reference", "Patient.extension.where(url = 'u')") == [("canonical", "uri", "Reference")]


def test_a_choice_may_be_named_as_json_has_it() -> None:
    assert types("date", "Patient.extension.where(url = 'u').valueDateTime") == [("dateTime",)]
    with pytest.raises(UnreadableError):
        paths("Patient", "Patient.valueDateTime")


def test_what_does_not_fit_leaves_nothing() -> None:
    assert types("date", "Patient.gender") == []


def test_every_official_parameter_finds_values_that_its_type_takes() -> None:
    for name in definitions().resource_types:
        for one in definitions().search_params(name).values():
            if one.type not in TAKEN or not one.expression:
                continue
            try:
                found = paths(name, one.expression)
            except UnreadableError:
                continue
            assert not found or fitted(one.type, found) or one.code.startswith("_"), (name, one.code)


@pytest.mark.parametrize(
    ("expression", "step"),
    [
        ("Patient.name.family.substring(0, 1)", ""),
        ("Patient.name.where(use = 'official').family | Patient.name.nick", "nick"),
        ("Patient.name.first().family", ""),
        ("Patient.deceased.exists() and Patient.dead", "dead"),
        ("Patient.extension.where(url = 'u').valueDate.exists()", "valueDate"),
    ],
)
def test_an_element_that_no_type_has_is_named(expression: str, step: str) -> None:
    assert unknown_step("Patient", parse(expression)) == step
