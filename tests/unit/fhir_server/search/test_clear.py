"""The clear part of sealed content: what the database reads, and not more."""

from __future__ import annotations

from typing import Any

import pytest

from fhir_server.search import clear
from fhir_server.search.context import KINDS, protect
from fhir_server.storage.rows import tail, type_number
from fhir_server.storage.sealing import NOTHING
from resources.codec.json import parse_json
from tests.shared import r4_examples

_HEAD = b'{"meta":{"versionId":""'

CONTENT = {
    "meta": {"tag": [{"system": "urn:s", "code": "a"}], "source": "urn:s"},
    "status": "final",
    "code": {
        "text": "secret",
        "coding": [{"system": "http://loinc.org", "code": "1-8", "display": "secret"}],
    },
    "subject": {"reference": "Patient/1", "display": "secret"},
    "effectiveDateTime": "1999-01-01",
    "valueQuantity": {"value": 1.5, "code": "secret"},
    "note": [{"text": "secret"}],
}


def _read(part: bytes) -> dict[str, Any]:
    found = parse_json(_HEAD + part)
    del found["meta"]["versionId"]
    return found


def test_codes_and_references_are_in_it_and_texts_values_and_dates_are_not() -> None:
    assert _read(clear.clear_part(type_number("Observation"), tail(CONTENT))) == {
        "meta": CONTENT["meta"],
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "1-8"}]},
        "subject": {"reference": "Patient/1"},
    }


@pytest.mark.parametrize("resource", [{}, {"status": "final"}, {"meta": {"profile": ["urn:p"]}}])
def test_it_goes_on_from_the_same_head_as_content(resource: dict[str, Any]) -> None:
    assert clear.clear_part(type_number("Observation"), tail(resource)) == tail(resource)


def test_it_is_nothing_where_codes_are_not_kept_in_clear() -> None:
    protect(set(KINDS) - {"code"}, sealed=True)
    try:
        assert clear.clear_part(type_number("Observation"), tail(CONTENT)) == NOTHING
    finally:
        protect(KINDS, sealed=False)


def test_contained_resources_have_their_own() -> None:
    inner = {"resourceType": "Patient", "id": "p", "gender": "female", "name": [{"family": "secret"}]}
    found = _read(clear.clear_part(type_number("Observation"), tail({"contained": [inner]})))
    assert found["contained"] == [{"resourceType": "Patient", "id": "p", "gender": "female"}]


def test_of_every_example_it_is_what_the_walk_over_the_tree_keeps() -> None:
    different = []
    for name, raw in r4_examples().items():
        resource = parse_json(raw)
        content = tail(resource)
        walked = {"meta": {}} | clear.project(resource["resourceType"], parse_json(_HEAD + content))
        if _read(clear.clear_part(type_number(resource["resourceType"]), content)) != walked:
            different.append(name)
    assert different == []
