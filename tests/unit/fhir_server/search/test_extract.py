"""What of a resource is indexed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from fhir_server.search.context import configure
from fhir_server.search.extract import index
from fhir_server.search.hashing import coded, posting, token
from fhir_server.search.params import token as tokens
from fhir_server.search.registry import registry
from fhir_server.storage.rows import GROUPS, MISSING_DATE, IndexRows, Row, param_id, tail, type_number
from resources.codec.json import parse_json
from tests.shared import r4_examples

Json = dict[str, Any]
LOINC = "http://loinc.org"


def observation(**more: Any) -> Json:
    """Return an Observation."""
    code = {"coding": [{"system": LOINC, "code": "8867-4"}]}
    return {"resourceType": "Observation", "id": "o", "status": "final", "code": code, **more}


@pytest.fixture
def known_as() -> Iterator[str]:
    """Make the server known under an address."""
    configure(bases=("https://own.example/fhir",))
    yield "https://own.example/fhir"
    configure(bases=())


def present(rows: IndexRows, type_name: str) -> set[str]:
    """Return the codes of the parameters that have a value."""
    return {registry(type_name).by_id[number].code for number in rows.present}


def test_a_posted_code_is_one_posting_and_its_system_a_token() -> None:
    rows = index(observation())
    number = param_id("Observation", "code")
    assert rows.posts == [posting(number, LOINC, coded(LOINC, "8867-4"))]
    assert token(number, tokens.SYSTEM, LOINC) in rows.tokens


def test_a_token_has_a_hash_for_each_way_to_ask() -> None:
    rows = index(observation(method={"coding": [{"system": LOINC, "code": "m"}, {"code": "n"}]}))
    number = param_id("Observation", "method")
    for hashed in (
        token(number, tokens.CODE, "~m"),
        token(number, tokens.SYSTEM_CODE, LOINC, "~m"),
        token(number, tokens.SYSTEM, LOINC),
        token(number, tokens.CODE, "~n"),
        token(number, tokens.NO_SYSTEM, "~n"),
    ):
        assert hashed in rows.tokens


def test_the_patient_is_no_edge_but_other_subjects_are() -> None:
    rows = index(observation(subject={"reference": "Patient/p/_history/3"}))
    assert (rows.patient, rows.edges) == ("p", [])
    rows = index(observation(subject={"reference": "Group/g"}))
    assert (rows.patient, rows.edges) == (None, [(param_id("Observation", "subject"), "Group", "g")])
    assert "subject" in present(rows, "Observation")


def test_a_patient_is_its_own() -> None:
    assert index({"resourceType": "Patient", "id": "p"}).patient == "p"


def test_a_reference_by_our_own_address_is_local_and_a_foreign_one_is_not(known_as: str) -> None:
    own = index(observation(encounter={"reference": f"{known_as}/Encounter/e"}))
    assert own.edges == [(param_id("Observation", "encounter"), "Encounter", "e")]
    foreign = index(observation(encounter={"reference": "https://other.example/fhir/Encounter/e"}))
    assert foreign.edges == []
    assert len(foreign.tokens) == len(own.tokens) + 1


@pytest.mark.parametrize(
    "text", ["#contained", "Nothing/1", "Patient?identifier=1", "Patient", "urn:uuid:1", ""]
)
def test_what_is_no_local_reference_makes_no_edge(text: str) -> None:
    assert index(observation(encounter={"reference": text})).edges == []


def test_the_main_date_is_in_the_row_and_others_are_not() -> None:
    rows = index(observation(effectivePeriod={"start": "2020-01-01T00:00:00Z"}))
    assert rows.d0 == 1_577_836_800_000_000
    assert (rows.d1, rows.dates) == (2**63 - 1, [])
    assert index(observation()).d0 == MISSING_DATE


def test_every_part_of_a_name_is_found() -> None:
    name = {"family": "Müller", "given": ["Anna", None, "Maria"], "prefix": ["Dr."], "text": "Anna M."}
    rows = index({"resourceType": "Patient", "id": "p", "name": [name]})
    places = {part.id for part in registry("Patient").params["name"].parts}
    found = {norm for param, norm, _ in rows.strings if param in places}
    assert found == {"muller", "anna", "maria", "dr.", "anna m."}


def test_a_quantity_is_indexed_in_base_units_too() -> None:
    quantity = {
        "value": Decimal("5.40"),
        "unit": "mg/dL",
        "system": "http://unitsofmeasure.org",
        "code": "mg/dL",
    }
    other = {**quantity, "value": Decimal(54), "code": "mg/L", "unit": "mg/L"}
    (one,), (same,) = (
        index(observation(valueQuantity=quantity)).numbers,
        index(observation(valueQuantity=other)).numbers,
    )
    assert (one.lo, one.clo, one.unit) == (Decimal("5.40"), same.clo, same.unit)
    assert one.code != same.code


def test_a_unit_text_unlike_the_code_is_found_as_well() -> None:
    quantity = {"value": 80, "unit": "beats/minute", "system": "http://unitsofmeasure.org", "code": "/min"}
    assert len(index(observation(valueQuantity=quantity)).numbers) == 2


def test_sampled_data_are_the_range_of_their_samples() -> None:
    data = {
        "origin": {"value": 10},
        "period": 1,
        "factor": Decimal("0.5"),
        "dimensions": 1,
        "data": "2 E -4 8 L",
    }
    (row,) = index(observation(valueSampledData=data)).numbers
    assert (row.lo, row.hi) == (Decimal(8), Decimal(14))


def test_a_comparator_opens_the_range() -> None:
    (row,) = index(observation(valueQuantity={"value": 5, "comparator": "<"})).numbers
    assert (row.lo, row.hi) == (Decimal("-Infinity"), Decimal(5))


def test_numbers_beyond_any_measurement_are_left_out() -> None:
    assert index(observation(valueQuantity={"value": Decimal("1e999999")})).numbers == []


def test_deceased_is_true_for_a_date_too() -> None:
    number = param_id("Patient", "deceased")
    dead = index({"resourceType": "Patient", "id": "p", "deceasedDateTime": "2020"})
    alive = index({"resourceType": "Patient", "id": "p", "deceasedBoolean": False})
    assert token(number, tokens.CODE, "=true") in dead.tokens
    assert token(number, tokens.CODE, "=false") in alive.tokens


def test_filters_of_an_expression_apply() -> None:
    telecom = [{"system": "phone", "value": "555-1"}, {"system": "email", "value": "A@x.org"}]
    rows = index({"resourceType": "Patient", "id": "p", "telecom": telecom})
    assert token(param_id("Patient", "email"), tokens.CODE, "~a@x.org") in rows.tokens
    assert token(param_id("Patient", "email"), tokens.CODE, "~555-1") not in rows.tokens
    assert token(param_id("Patient", "telecom"), tokens.CODE, "~555-1") in rows.tokens


def test_identifiers_differ_by_case() -> None:
    one, other = (
        index({"resourceType": "Person", "id": "p", "identifier": [{"value": v}]}) for v in ("Ab", "aB")
    )
    assert not set(one.tokens) & set(other.tokens)


def test_extensions_are_indexed_by_their_value() -> None:
    url = "http://hl7.org/fhir/StructureDefinition/patient-extensions-Patient-mothersMaidenName"
    rows = index(
        {
            "resourceType": "Patient",
            "id": "p",
            "extension": [{"url": url, "valueString": "Abt"}, {"url": "x"}],
        }
    )
    assert rows.strings == [(param_id("Patient", "mothersMaidenName"), "abt", "Abt")]


def test_meta_is_indexed_for_every_type() -> None:
    meta = {
        "tag": [{"code": "t"}],
        "profile": ["http://p|1.0"],
        "source": "http://s",
        "security": [{"code": "R"}],
    }
    rows = index({"resourceType": "Binary", "id": "b", "contentType": "text/plain", "meta": meta})
    assert {"_tag", "_profile", "_source", "_security"} <= present(rows, "Binary")


def test_rows_depend_on_content_alone() -> None:
    coding = [{"system": LOINC, "code": c} for c in "abcdef"]
    one = index(observation(method={"coding": coding}))
    other = index(observation(method={"coding": coding[::-1]}))
    assert one == other
    assert one.digests() == other.digests()


def test_every_official_example_is_indexed() -> None:
    count = 0
    for name, data in r4_examples().items():
        resource = parse_json(data)
        if registry_has(resource):
            rows = index(resource)
            assert len(rows.digests()) == len(GROUPS), name
            assert len(rows.tokens) == len(set(rows.tokens)), name
            count += 1
    assert count > 500


def registry_has(resource: Json) -> bool:
    """Whether a file holds a resource (and not something else of the package)."""
    try:
        return bool(registry(resource["resourceType"]).params)
    except KeyError:
        return False


def test_an_index_can_be_written_as_json_for_its_digest() -> None:
    rows = index(observation(valueQuantity={"value": 5, "comparator": ">"}))
    assert all(isinstance(digest, int) for digest in rows.digests())
    assert json.dumps(rows.digests())


def test_rows_are_the_same_for_what_was_sent_and_what_is_stored() -> None:
    tags = [{"system": "http://example.org/tags", "code": "x", "display": "said of it"}]
    sent = {
        "resourceType": "Patient",
        "name": [{"text": "Ann Smith"}],
        "meta": {"tag": tags, "versionId": "77", "lastUpdated": "1999-01-01T00:00:00Z"},
        "id": "a",
    }
    row = Row(1, type_number("Patient"), "a", 3, datetime(2024, 1, 1, tzinfo=UTC), True, 2, tail(sent))
    assert index(sent) == index(parse_json(row.json()))
