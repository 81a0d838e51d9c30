"""What composites are made of. Source: http://hl7.org/fhir/R4/search.html#composite"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from fhir_server.search.extract import index
from fhir_server.search.param import Param
from fhir_server.search.params import composite
from fhir_server.search.registry import install, registry
from fhir_server.search.sql import Sql
from resources.definitions import SearchParam, definitions

Json = dict[str, Any]
SP = "http://hl7.org/fhir/SearchParameter/"
OWN = "http://example.org/SearchParameter/own"


def param(type_name: str, code: str) -> Param:
    """Return one parameter."""
    return registry(type_name).params[code]


@pytest.fixture
def own(request: pytest.FixtureRequest) -> Iterator[Param]:
    """Yield a stored composite of Patient or Observation."""
    type_name, expression, *components = request.param
    defined = SearchParam(
        OWN,
        "own",
        "composite",
        (type_name,),
        expression,
        components=tuple((SP + u, e) for u, e in components),
    )
    install(1, {type_name: (defined,)})
    yield param(type_name, "own")
    install(0, {})


def test_every_official_composite_is_served() -> None:
    found = [p for name in definitions().resource_types for p in registry(name).params.values()]
    composites = [p for p in found if p.kind == "composite"]
    assert len(composites) == 72
    assert {p.place for p in composites} == {"composite"}


def test_a_pair_on_the_resource_is_other_parameters_together() -> None:
    (pairing,) = param("Observation", "code-value-quantity").pairings
    assert [one.code for one in pairing.tests] == ["code", "value-quantity"]
    assert pairing.guards == (frozenset({"valueQuantity"}),)


def test_composites_that_pair_the_same_share_it() -> None:
    whole, parts = param("Observation", "combo-code-value-quantity").pairings
    assert whole is param("Observation", "code-value-quantity").pairings[0]
    assert parts is param("Observation", "component-code-value-quantity").pairings[0]


def test_every_official_component_is_covered_by_its_parameter() -> None:
    found = [p for name in definitions().resource_types for p in registry(name).params.values()]
    assert [p.code for p in found if p.pairings and None in p.implied] == []


def test_r4s_relationship_is_a_code_and_a_document() -> None:
    (pairing,) = param("DocumentReference", "relationship").pairings
    assert [one.param.kind for one in pairing.components] == ["token", "reference"]


def test_the_code_of_a_pair_can_lead() -> None:
    pair = composite.test(param("Observation", "code-value-quantity"), "", ["http://loinc.org|1$5"])
    assert [bool(one.postings) for one in pair.parts] == [True, False, False]
    panel = composite.test(param("Observation", "component-code-value-quantity"), "", ["1$5", "2$6"])
    exact, code, value = panel.parts
    assert "idx_composite" in exact.where(Sql(), "r")
    assert (bool(code.tokens), value.rids is not None) == (True, True)
    assert {code.where(Sql(), "r"), value.where(Sql(), "r")} == {"true"}


NAMED: Json = {
    "resourceType": "Patient",
    "id": "p",
    "birthDate": "2000-01-01",
    "name": [{"use": "official", "family": "A", "given": ["B", "C"]}, {"use": "usual", "family": "D"}],
}
BORN = ("individual-birthdate", "%resource.birthDate")
GIVEN = ("individual-given", "given")


@pytest.mark.parametrize(
    ("own", "rows"),
    [
        (("Patient", "Patient.name", GIVEN, BORN), 2),
        (("Patient", "Patient.name.where(use = 'official')", GIVEN, BORN), 2),
        (("Patient", "Patient.name.first()", GIVEN, BORN), 2),
        (("Patient", "Patient.name", ("individual-given", "given.first()"), BORN), 1),
        (("Patient", "Patient.name", ("individual-family", "family"), BORN), 2),
        (("Patient", "Patient.name.skip(1)", ("individual-family", "family"), BORN), 1),
        (("Patient", "Patient.name.skip(2)", ("individual-family", "family"), BORN), 0),
    ],
    indirect=["own"],
)
def test_a_stored_composite_has_a_row_for_each_combination(own: Param, rows: int) -> None:
    found = index(NAMED)
    assert (own.place, len(found.composites)) == ("composite", rows)
    assert (own.pairings[0].id in found.present) == bool(rows)


@pytest.mark.parametrize(
    ("own", "why"),
    [
        (("Patient", "Patient.name", ("individual-family", "family")), "components"),
        (("Patient", "Patient.name", ("nonsense", "given"), BORN), "nonsense"),
        (("Patient", "Patient.name", ("individual-family", "family"), GIVEN), "more"),
        (("Patient", "Patient.name", ("individual-family", "period"), BORN), "finds nothing"),
        (("Patient", "Patient.name", ("individual-family", "nothing"), BORN), ""),
        (("Patient", "Practitioner.name", ("individual-gender", "use"), GIVEN), "another type"),
    ],
    indirect=["own"],
)
def test_a_stored_composite_that_cannot_be_served_says_why(own: Param, why: str) -> None:
    if why:
        assert own.place == "refused"
        assert why in own.reason
    else:
        assert index(NAMED).composites == []
