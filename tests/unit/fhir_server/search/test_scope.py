"""What the path of a search names. Source: http://hl7.org/fhir/R4/http.html#search"""

from __future__ import annotations

import pytest

from fhir_server.search.scope import narrowed, scope_of
from resources.definitions import definitions
from resources.outcome import FhirError


@pytest.mark.parametrize(
    ("path", "types", "owner"),
    [
        ("Patient", ("Patient",), None),
        ("Patient/_search", ("Patient",), None),
        ("Patient/1/Observation", ("Observation",), ("Patient", "1")),
        ("Encounter/1/Condition/_search", ("Condition",), ("Encounter", "1")),
    ],
)
def test_a_path_names_types_and_owner(
    path: str, types: tuple[str, ...], owner: tuple[str, str] | None
) -> None:
    scope = scope_of(path)
    assert (scope.types, scope.owner, scope.path) == (types, owner, path.removesuffix("/_search"))


def test_the_base_means_every_type() -> None:
    assert scope_of("").types == tuple(definitions().resource_types) == scope_of("_search").types


@pytest.mark.parametrize("owner", ["Patient", "Encounter", "RelatedPerson", "Practitioner", "Device"])
def test_a_compartment_holds_the_types_of_its_definition_and_its_owner(owner: str) -> None:
    assert set(scope_of(f"{owner}/1/*").types) == {owner, *definitions().compartment(owner)}


def test_type_narrows_what_is_searched() -> None:
    assert narrowed(scope_of(""), "Patient, Observation").types == ("Observation", "Patient")
    assert narrowed(scope_of("Patient/1/*"), "Observation,Medication").types == ("Observation",)
    assert narrowed(narrowed(scope_of(""), "Patient,Group"), "Group,Device").types == ("Group",)


@pytest.mark.parametrize(
    ("path", "value"), [("", "Nothing"), ("", ","), ("Patient", "Group"), ("Patient/1/*", "Medication")]
)
def test_a_type_that_leaves_nothing_is_refused(path: str, value: str) -> None:
    with pytest.raises(FhirError) as refused:
        narrowed(scope_of(path), value)
    assert refused.value.status == 400
