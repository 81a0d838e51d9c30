"""What types have in common is asked once. Source: http://hl7.org/fhir/R4/search.html#_type"""

from __future__ import annotations

from fhir_server.search import plan, several
from fhir_server.search.registry import registry
from fhir_server.search.sql import Sql
from resources.definitions import definitions


def test_one_type_is_itself() -> None:
    assert several.known(("Patient",)) is registry("Patient")


def test_parameters_of_every_resource_are_one_parameter_of_all_types() -> None:
    shared = several.known(definitions().resource_types).params
    tag = shared["_tag"]
    assert tag.groups == ()
    assert len({part.id for part in tag.parts}) == len(tag.types) == len(definitions().resource_types)
    assert "name" not in shared
    assert {"_id", "_lastUpdated", "_profile", "_security", "_source", "_tag"} <= set(shared)


def test_types_that_keep_a_parameter_differently_are_asked_in_groups() -> None:
    patient = several.known(("Account", "Condition", "Observation")).params["patient"]
    assert sorted(group.types for group in patient.groups) == [("Account",), ("Condition", "Observation")]


def test_a_parameter_that_one_type_lacks_is_none_of_theirs() -> None:
    params = several.known(("Observation", "Patient")).params
    assert params.get("name") is None
    assert "code" not in params


def test_a_search_of_one_type_says_the_same_as_ever() -> None:
    for types in ("Patient", ("Patient",)):
        rows = plan.source(Sql(), types, [])
        assert (rows.tables, rows.conditions, rows.order) == (
            "resource r",
            ["r.type = 102", "r.live"],
            "type",
        )


def test_several_types_come_one_after_the_other_and_all_types_without_a_condition() -> None:
    rows = plan.source(Sql(), ("Group", "Patient"), [])
    assert (rows.conditions, rows.order) == (["r.type IN (57, 102)", "r.live"], "type")
    assert plan.source(Sql(), tuple(definitions().resource_types), []).conditions == ["r.live"]
