"""Every official parameter has its place, or a reason why it has none."""

from __future__ import annotations

import pytest

from fhir_server.search.registry import COLUMNS, MAIN_DATE, POSTED, Param, registry
from resources.definitions import definitions

ALL = [param for name in definitions().resource_types for param in registry(name).params.values()]


def param(type_name: str, code: str) -> Param:
    """Return one parameter."""
    return registry(type_name).params[code]


def test_every_official_parameter_is_known() -> None:
    types = definitions().resource_types
    official = {(name, code) for name in types for code in definitions().search_params(name)}
    assert {(p.type, p.code) for p in ALL} == official | {(name, "_text") for name in types}
    assert len(official) > 3_000


def test_a_parameter_without_a_place_says_why() -> None:
    assert all(bool(p.reason) == (p.place == "refused") for p in ALL)
    assert all(p.parts for p in ALL if p.place != "refused")


def test_no_parameter_with_an_expression_is_refused() -> None:
    assert [f"{p.type}.{p.code}" for p in ALL if p.place == "refused" and p.expression] == []


def test_numbers_of_parameters_are_unique_over_all_types() -> None:
    assert len({p.id for p in ALL}) == len(ALL)


def test_the_tables_name_parameters_that_exist() -> None:
    for type_name, codes in POSTED.items():
        assert all(param(type_name, code).place == "post" for code in codes), type_name
    for type_name, code in MAIN_DATE.items():
        assert param(type_name, code).place == "main", type_name


def test_a_main_date_has_one_value_at_most() -> None:
    mains = [p for p in ALL if p.place == "main"]
    assert len(mains) > 60
    assert all(len(p.paths) == 1 and p.paths[0].single for p in mains)


def test_two_ways_to_write_a_choice_are_one_path() -> None:
    assert len(param("Condition", "onset-date").paths) == 1
    assert registry("Condition").main is param("Condition", "onset-date")


@pytest.mark.parametrize(
    ("type_name", "path"),
    [
        ("Observation", ".subject"),
        ("Coverage", ".beneficiary"),
        ("Immunization", ".patient"),
        ("Account", ""),
        ("Provenance", ""),
        ("Practitioner", ""),
        ("Patient", ""),
    ],
)
def test_a_type_belongs_to_a_patient_where_the_path_has_one_value(type_name: str, path: str) -> None:
    assert registry(type_name).patient_path == path


def test_a_union_is_answered_from_its_parts() -> None:
    combo = param("Observation", "combo-code")
    assert not combo.stored
    assert [part.id for part in combo.parts] == [
        param("Observation", c).id for c in ("code", "component-code")
    ]
    assert [part.post for part in combo.parts] == [True, False]


def test_patient_is_subject_narrowed() -> None:
    (part,) = param("Observation", "patient").parts
    assert (part.id, part.resolves, part.patient) == (param("Observation", "subject").id, "Patient", True)


def test_columns_are_those_of_the_row() -> None:
    assert {p.code for p in ALL if p.place == "column"} == COLUMNS


def test_targets_are_what_the_elements_allow() -> None:
    assert param("Observation", "patient").targets == ("Patient",)
    assert set(param("Observation", "subject").targets) == {"Patient", "Group", "Device", "Location"}
