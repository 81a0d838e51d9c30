"""The extractor: many expressions of one type in one generated function."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.definitions import definitions
from resources.fhirpath import compile as compile_path
from resources.fhirpath import extractor
from resources.outcome import FhirError
from tests.unit.resources.fhirpath.factories import observation, patient

Json = dict[str, Any]


def _one(expression: str, resource: Json) -> list[tuple[Any, str]]:
    return dict(extractor([("key", expression)], resource["resourceType"])(resource)).get("key", [])


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("Observation.value as Quantity", [(observation()["valueQuantity"], "Quantity")]),
        ("(Observation.component.value as string)", [("high", "string")]),
        ("Observation.component.value.ofType(Quantity).value", [(Decimal("1.50"), "decimal")]),
        ("Observation.code | Observation.component.code", None),
        ("Observation.component[1].code.text", [("b", "string")]),
        ("Observation.component.first().code.text", [("a", "string")]),
        ("Observation.component.where(code.text = 'b').value", [("high", "string")]),
        ("Observation.component.where(value.exists().not())", []),
        ("Observation.component.exists(code.text = 'b')", [(True, "boolean")]),
        ("Observation.status = 'final' and Observation.value.empty()", [(False, "boolean")]),
        ("Observation.note.exists() or Observation.status != 'final'", [(False, "boolean")]),
        ("Observation.subject.where(resolve() is Patient)", [({"reference": "Patient/p1"}, "Reference")]),
        ("Observation.subject.where(resolve() is Group)", []),
        ("Patient.name", []),
        ("Resource.id", [("o1", "id")]),
        ("Observation.component.code.text.select(length())", [(1, "integer"), (1, "integer")]),
    ],
)
def test_values_with_their_types(expression: str, found: list[tuple[Any, str]] | None) -> None:
    values = _one(expression, observation())
    if found is None:
        assert [value.get("text", "") for value, _ in values] == ["", "a", "b"]
    else:
        assert values == found


def test_a_union_leaves_out_what_is_equal() -> None:
    resource = patient(name=[{"family": "A", "given": ["A", "B"]}])
    assert _one("Patient.name.family | Patient.name.given", resource) == [("A", "string"), ("B", "string")]


def test_keys_come_in_order_and_only_where_something_was_found() -> None:
    extract = extractor(
        [(7, "Patient.name.family"), ("x", "Patient.photo"), (3, "Patient.active")], "Patient"
    )
    assert extract(patient()) == [(7, [("Chalmers", "string")]), (3, [(True, "boolean")])]


def test_number_and_boolean_conditions_are_not_mixed_up() -> None:
    both = [(1, "Patient.where(active = true).id"), (2, "Patient.where(multipleBirth = 1).id")]
    assert extractor(both, "Patient")(patient(multipleBirthInteger=1)) == [
        (1, [("p1", "id")]),
        (2, [("p1", "id")]),
    ]


def test_text_from_an_expression_never_becomes_code() -> None:
    evil = "Patient.name.where(use = 'a\\') or __import__(\\'os\\').abort() #').family"
    assert _one(evil, patient()) == []


def test_extensions_on_primitives_count_as_existing() -> None:
    resource = patient(_gender={"extension": [{"url": "u", "valueCode": "x"}]})
    assert _one("Patient.gender.exists()", resource) == [(True, "boolean")]
    assert _one("Patient.gender", resource) == []
    assert _one("Patient.gender.extension('u').value", resource) == [("x", "code")]


def test_a_resource_out_of_shape_is_refused() -> None:
    extract = extractor([("a", "Patient.name.family"), ("b", "Patient.contact.name.given")], "Patient")
    for member in ({"name": 5}, {"name": [7]}, {"contact": [{"name": 1}]}):
        with pytest.raises(FhirError):
            extract(patient(**member))


_scalars = st.none() | st.booleans() | st.integers(-9, 9) | st.text("aP/1", max_size=4)
_json = st.recursive(
    _scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["reference", "value", "code", "coding", "system", "start", "given"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)


@given(
    st.dictionaries(
        st.sampled_from(["subject", "code", "valueQuantity", "component", "category"]), _json, max_size=4
    )
)
def test_malformed_content_raises_nothing_but_a_fhir_error(members: Json) -> None:
    resource = {"resourceType": "Observation"} | members
    parameters = definitions().search_params("Observation")
    pairs = [
        (code, parameters[code].expression) for code in ("patient", "code", "value-quantity", "combo-code")
    ]
    for run in (extractor(pairs, "Observation"), compile_path("descendants()").evaluate):
        try:
            assert isinstance(run(resource), list)
        except FhirError as refused:
            assert refused.status == 400  # noqa: PT017
