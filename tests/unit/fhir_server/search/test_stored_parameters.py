"""Stored parameters beside the official ones: these stay as they are, whatever is stored."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fhir_server.search.extract import index
from fhir_server.search.param import Param, taking
from fhir_server.search.registry import Epoch, install, registry
from resources.definitions import SearchParam


@pytest.fixture(autouse=True)
def _official_only() -> Iterator[None]:
    yield
    install(0, {})


def stored(type_name: str, code: str, kind: str, expression: str) -> Param:
    install(7, {type_name: (SearchParam(f"http://x/{code}", code, kind, (type_name,), expression),)})
    return registry(type_name).params[code]


@pytest.mark.parametrize(
    ("type_name", "code", "kind", "expression"),
    [
        ("Observation", "c", "token", "Observation.code"),
        ("Observation", "s", "reference", "Observation.subject"),
        ("Patient", "x", "string", "Patient.name.prefix"),
        ("Patient", "date", "date", "Patient.deceased"),
    ],
)
def test_official_parameters_keep_their_place_and_numbers(
    type_name: str, code: str, kind: str, expression: str
) -> None:
    before = dict(registry(type_name).params)
    stored(type_name, code, kind, expression)
    after = dict(registry(type_name).params)
    del after[code]
    assert after == before


def test_what_an_official_one_reads_is_answered_from_its_rows() -> None:
    own = stored("Observation", "c", "token", "Observation.code")
    assert not own.stored
    assert own.parts == registry("Observation").params["code"].parts


def test_the_number_follows_the_meaning() -> None:
    one = stored("Patient", "x", "string", "Patient.name.prefix")
    assert stored("Patient", "x", "string", "Patient.name.suffix").id != one.id
    assert stored("Patient", "x", "string", "Patient.name.prefix").id == one.id


def test_rows_tell_the_epoch_they_were_made_under() -> None:
    stored("Patient", "x", "string", "Patient.name.prefix")
    rows = index({"resourceType": "Patient", "id": "a", "name": [{"prefix": ["Dr"]}]})
    assert rows.epoch == Epoch.value == 7


def test_an_expression_that_fails_on_a_resource_gives_no_value() -> None:
    own = stored("Patient", "x", "string", "Patient.name.given.single().substring(0, 1)")
    many = index({"resourceType": "Patient", "id": "a", "name": [{"given": ["A", "B"]}]})
    one = index({"resourceType": "Patient", "id": "a", "name": [{"given": ["A"]}]})
    assert own.id not in many.present
    assert own.id in one.present


def test_a_search_notes_the_stored_parameters_that_it_takes() -> None:
    own = stored("Patient", "x", "string", "Patient.name.prefix")
    with taking() as taken:
        registry("Patient").params.get("family")
        assert taken == {}
        registry("Patient").params.get("x")
    assert taken == {own.id: own}
