"""FHIRPath Patch as fhirpatch.html says: one element, the right type, an error that names the operation."""

from __future__ import annotations

import copy
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.outcome import FhirError
from resources.patch import fhirpath_patch

Json = dict[str, Any]


def operation(kind: str, path: str, value: Json | None = None, **more: Any) -> Json:
    """Return one operation parameter; `value` is what stands beside the name of the part 'value'."""
    parts: list[Json] = [{"name": "type", "valueCode": kind}, {"name": "path", "valueString": path}]
    if value is not None:
        parts.append({"name": "value", **value})
    for name, given_value in more.items():
        parts.append(
            {"name": name, "valueInteger" if isinstance(given_value, int) else "valueString": given_value}
        )
    return {"name": "operation", "part": parts}


def patch(resource: Json, *operations: Json) -> Json:
    return fhirpath_patch(resource, {"resourceType": "Parameters", "parameter": list(operations)})


def refusal(resource: Json, *operations: Json) -> FhirError:
    with pytest.raises(FhirError) as caught:
        patch(resource, *operations)
    return caught.value


def patient(**more: Any) -> Json:
    return {"resourceType": "Patient", "id": "p", **more}


BIRTH_TIME = {
    "url": "http://hl7.org/fhir/StructureDefinition/patient-birthTime",
    "valueDateTime": "1974-12-25T14:35:45Z",
}


def test_input_is_not_changed() -> None:
    resource = patient(name=[{"family": "A"}])
    value = {"valueHumanName": {"family": "B"}}
    add = operation("add", "Patient", value, name="name")
    patched = patch(resource, add)
    patched["name"][1]["family"] = "C"
    patched["name"][0]["family"] = "D"
    assert resource == patient(name=[{"family": "A"}])
    assert value == {"valueHumanName": {"family": "B"}}


def test_choice_is_written_with_the_type_of_its_value() -> None:
    added = patch(patient(), operation("add", "Patient", {"valueBoolean": True}, name="deceased"))
    assert added == patient(deceasedBoolean=True)
    replaced = patch(added, operation("replace", "Patient.deceased", {"valueDateTime": "2020"}))
    assert replaced == patient(deceasedDateTime="2020")
    assert patch(replaced, operation("delete", "Patient.deceased")) == patient()


@pytest.mark.parametrize("name", ["value", "value[x]", "valueQuantity"])
def test_choice_may_be_named_in_every_way(name: str) -> None:
    resource = {"resourceType": "Observation"}
    quantity = {"value": Decimal("1.00"), "unit": "g"}
    patched = patch(resource, operation("add", "Observation", {"valueQuantity": quantity}, name=name))
    assert patched == {"resourceType": "Observation", "valueQuantity": quantity}
    assert str(patched["valueQuantity"]["value"]) == "1.00"


def test_choice_by_nested_parts_needs_its_type() -> None:
    resource = {"resourceType": "Observation"}
    parts = {
        "part": [{"name": "value", "valueDecimal": Decimal("1.0")}, {"name": "unit", "valueString": "g"}]
    }
    patched = patch(resource, operation("add", "Observation", parts, name="valueQuantity"))
    assert patched["valueQuantity"] == {"value": Decimal("1.0"), "unit": "g"}
    assert refusal(resource, operation("add", "Observation", parts, name="value")).status == 422


def test_backbone_element_is_built_of_nested_parts() -> None:
    parts = [
        {"name": "relationship", "valueCodeableConcept": {"text": "a"}},
        {"name": "relationship", "part": [{"name": "text", "valueString": "b"}]},
        {"name": "gender", "valueCode": "male", "_valueCode": {"id": "g"}},
    ]
    patched = patch(patient(), operation("add", "Patient", {"part": parts}, name="contact"))
    assert patched["contact"] == [
        {"relationship": [{"text": "a"}, {"text": "b"}], "gender": "male", "_gender": {"id": "g"}}
    ]


def test_primitive_gets_and_loses_extensions() -> None:
    add = operation("add", "Patient.birthDate", {"valueDateTime": "1974-12-25T14:35:45Z"}, name="extension")
    assert refusal(patient(birthDate="1974-12-25"), add).status == 422
    parts = {"part": [{"name": "url", "valueUri": BIRTH_TIME["url"]}]}
    parts["part"].append({"name": "value", "valueDateTime": BIRTH_TIME["valueDateTime"]})
    with_time = patch(
        patient(birthDate="1974-12-25"), operation("add", "Patient.birthDate", parts, name="extension")
    )
    assert with_time == patient(birthDate="1974-12-25", _birthDate={"extension": [BIRTH_TIME]})
    assert patch(with_time, operation("delete", "Patient.birthDate.extension")) == patient(
        birthDate="1974-12-25"
    )
    replaced = patch(with_time, operation("replace", "Patient.birthDate", {"valueDate": "1975"}))
    assert replaced == patient(birthDate="1975")


def test_repeating_primitives_stay_aligned_with_their_extensions() -> None:
    resource = patient(name=[{"given": ["A", None, "C"], "_given": [None, {"id": "b"}, None]}])
    insert = operation("insert", "Patient.name.given", {"valueString": "X"}, index=1)
    inserted = patch(resource, insert)
    assert inserted["name"] == [{"given": ["A", "X", None, "C"], "_given": [None, None, {"id": "b"}, None]}]
    moved = patch(resource, operation("move", "Patient.name.given", source=1, destination=0))
    assert moved["name"] == [{"given": [None, "A", "C"], "_given": [{"id": "b"}, None, None]}]
    assert patch(resource, operation("delete", "Patient.name.given[1]"))["name"] == [{"given": ["A", "C"]}]
    extended = patch(resource, operation("add", "Patient.name.given[2]", {"valueString": "c"}, name="id"))
    assert extended["name"][0]["_given"] == [None, {"id": "b"}, {"id": "c"}]


def test_what_a_deletion_empties_vanishes() -> None:
    resource = patient(contact=[{"name": {"text": "x"}}])
    assert patch(resource, operation("delete", "Patient.contact.name.text")) == patient()


def test_deleting_nothing_passes() -> None:
    assert patch(patient(), operation("delete", "Patient.birthDate")) == patient()


def test_insert_makes_a_list_that_is_not_there() -> None:
    insert = operation("insert", "Patient.name", {"valueHumanName": {"family": "A"}}, index=0)
    assert patch(patient(), insert) == patient(name=[{"family": "A"}])


def test_contained_resources_can_be_added_and_patched() -> None:
    add = operation(
        "add", "Patient", {"resource": {"resourceType": "Organization", "id": "o"}}, name="contained"
    )
    active = operation("add", "Patient.contained[0]", {"valueBoolean": True}, name="active")
    contained = [{"resourceType": "Organization", "id": "o", "active": True}]
    assert patch(patient(), add, active)["contained"] == contained


def test_operations_see_those_before_them() -> None:
    add = operation("add", "Patient", {"valueHumanName": {"family": "A"}}, name="name")
    replace = operation("replace", "Patient.name.family", {"valueString": "B"})
    assert patch(patient(), add, replace)["name"] == [{"family": "B"}]


TWO_NAMES = patient(name=[{"family": "A", "given": ["a"]}, {"family": "B", "given": ["b"]}], active=True)


@pytest.mark.parametrize(
    ("refused", "code"),
    [
        (operation("replace", "Patient.birthDate", {"valueDate": "2000"}), "not-found"),
        (operation("replace", "Patient.name", {"valueHumanName": {}}), "multiple-matches"),
        (operation("delete", "Patient.name"), "multiple-matches"),
        (operation("delete", "Patient"), "processing"),
        (operation("add", "Patient", {"valueBoolean": False}, name="active"), "processing"),
        (operation("add", "Patient", {"valueBoolean": False}, name="nothing"), "structure"),
        (operation("add", "Patient", {"valueString": "x"}, name="active"), "structure"),
        (operation("add", "Patient", {"valueQuantity": {}}, name="deceased"), "structure"),
        (operation("add", "Patient", {"valueString": "x"}, name="maritalStatus"), "structure"),
        (operation("add", "Patient", {"part": [{"name": "x"}]}, name="birthDate"), "structure"),
        (operation("add", "Patient", {"resource": {"resourceType": "Patient"}}, name="name"), "structure"),
        (operation("replace", "Patient.active.not()", {"valueBoolean": True}), "processing"),
        (operation("insert", "Patient.name", {"valueHumanName": {"family": "x"}}, index=3), "processing"),
        (operation("insert", "Patient.active", {"valueBoolean": True}, index=0), "processing"),
        (operation("insert", "Patient.birthDate", {"valueDate": "2000"}, index=0), "processing"),
        (operation("insert", "Patient.name.given", {"valueString": "x"}, index=0), "multiple-matches"),
        (operation("move", "Patient.name", source=0, destination=2), "processing"),
        (operation("move", "Patient.name", source=2, destination=0), "processing"),
        (operation("move", "Patient.link", source=0, destination=0), "not-found"),
    ],
)
def test_operation_that_cannot_be_applied_is_422(refused: Json, code: str) -> None:
    error = refusal(TWO_NAMES, operation("delete", "Patient.photo"), refused)
    assert (error.status, error.issues[0].code) == (422, code)
    assert error.issues[0].text.startswith("operation 1 (")
    assert error.issues[0].expression


@pytest.mark.parametrize(
    "parameter",
    [
        {"name": "operation"},
        {"name": "other", "part": []},
        {"name": "operation", "part": [{"name": "type", "valueCode": "add"}]},
        {"name": "operation", "part": [{"name": "type"}, {"name": "path", "valueString": "Patient"}]},
        operation("merge", "Patient"),
        operation("add", "Patient", {"valueString": "x"}),
        operation("add", "Patient", name="birthDate"),
        operation("add", "Patient", {"valueString": "x", "valueCode": "y"}, name="gender"),
        operation("add", "Patient", {"valueNothing": "x"}, name="gender"),
        operation("add", "Patient", {}, name="gender"),
        operation("add", "Patient..", {"valueString": "x"}, name="gender"),
        operation("insert", "Patient.name", {"valueHumanName": {}}),
        operation("insert", "Patient.name", {"valueHumanName": {}}, index=-1),
        operation("move", "Patient.name", source=0),
        operation("delete", "Patient.name", nonsense="x"),
    ],
)
def test_malformed_operation_is_400(parameter: Json) -> None:
    assert refusal(TWO_NAMES, parameter).status == 400


def test_anything_but_parameters_is_400() -> None:
    values: list[Any] = [{}, {"resourceType": "Patient"}, {"resourceType": "Parameters", "parameter": {}}, []]
    for value in values:
        with pytest.raises(FhirError) as caught:
            fhirpath_patch(patient(), value)
        assert caught.value.status == 400


@pytest.mark.parametrize(
    "name",
    [
        7,
        "abc",
        {"given": 7},
        [7, None],
        [{"given": "ab", "_given": 3}],
        [[]],
        [{"given": [{}], "_given": [7]}],
    ],
)
def test_malformed_values_of_earlier_operations_raise_only_fhir_errors(name: Any) -> None:
    contained = {"resource": {"resourceType": "Patient", "name": name}}
    first = operation("add", "Patient", contained, name="contained")
    human, text = {"valueHumanName": {"family": "x"}}, {"valueString": "x"}
    refusals = 0
    for path in ("Patient.contained", "Patient.contained.name", "Patient.contained.name[0].given"):
        for second in (
            operation("add", path, human, name="name"),
            operation("add", path, text, name="given"),
            operation("add", path, text, name="id"),
            operation("insert", path, text, index=0),
            operation("insert", path, human, index=0),
            operation("replace", path + "[0]", text),
            operation("replace", path + "[0]", human),
            operation("move", path, source=0, destination=0),
            operation("delete", path + "[0]"),
        ):
            try:
                patch(patient(), first, second)
            except FhirError as error:
                refusals += error.status in (400, 422)
    assert refusals > 0


def test_paths_that_cost_too_much_are_refused() -> None:
    resource = patient(name=[{"family": f"A{number}"} for number in range(2000)], gender="male")
    cheap = operation("replace", "Patient.descendants().where($this = 'male')", {"valueCode": "male"})
    error = refusal(resource, *[cheap] * 1000)
    assert (error.status, error.issues[0].code) == (422, "too-costly")


names = st.lists(st.fixed_dictionaries({"family": st.text(min_size=1, max_size=5)}), max_size=4)


@settings(deadline=None)
@given(names, st.text(min_size=1, max_size=5), st.data())
def test_add_or_insert_then_delete_is_the_identity(
    existing: list[Json], family: str, data: st.DataObject
) -> None:
    resource = patient(name=existing, multipleBirthInteger=2) if existing else patient(multipleBirthInteger=2)
    before = copy.deepcopy(resource)
    index = data.draw(st.integers(0, len(existing)))
    value = {"valueHumanName": {"family": family}}
    inserted = patch(resource, operation("insert", "Patient.name", value, index=index))
    assert [n["family"] for n in inserted["name"]].count(family) >= 1
    assert patch(inserted, operation("delete", f"Patient.name[{index}]")) == before
    added = patch(resource, operation("add", "Patient", value, name="name"))
    assert patch(added, operation("delete", f"Patient.name[{len(existing)}]")) == before
    assert resource == before


@settings(deadline=None)
@given(names.filter(len), st.data())
def test_moving_there_and_back_is_the_identity(existing: list[Json], data: st.DataObject) -> None:
    source, destination = (data.draw(st.integers(0, len(existing) - 1)) for _ in range(2))
    moved = patch(
        patient(name=existing), operation("move", "Patient.name", source=source, destination=destination)
    )
    assert moved["name"][destination] == existing[source]
    back = operation("move", "Patient.name", source=destination, destination=source)
    assert patch(moved, back) == patient(name=existing)


paths = st.sampled_from(
    [
        "Patient",
        "Patient.name",
        "Patient.name[0]",
        "Patient.name.given",
        "name.where(family='A')",
        "%resource",
        "$this",
        "Patient.active",
        "Patient.birthDate",
        "Patient.name.given[0]",
        "1",
        "((",
        "",
        "Patient.deceased",
        "contained",
    ]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers(-1, 2) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(
            st.sampled_from(["name", "part", "valueString", "valueHumanName", "resource"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)
parts = st.fixed_dictionaries(
    {"name": st.sampled_from(["type", "path", "name", "value", "index", "source", "destination", "x"])},
    optional={
        "valueCode": st.sampled_from(["add", "insert", "delete", "replace", "move", "x"]),
        "valueString": paths | st.sampled_from(["name", "given", "active", "deceased", "extension", "id"]),
        "valueInteger": st.integers(-1, 3),
        "valueHumanName": values,
        "_valueString": values,
        "part": values,
        "resource": values,
    },
)
whole = st.builds(
    operation,
    st.sampled_from(["add", "insert", "delete", "replace", "move"]),
    paths,
    st.dictionaries(
        st.sampled_from(["valueString", "valueHumanName", "part", "resource"]), values, max_size=1
    ),
    name=st.sampled_from(
        ["name", "given", "active", "deceased", "extension", "contact", "contained", "photo"]
    ),
    index=st.integers(0, 2),
    source=st.integers(0, 2),
    destination=st.integers(0, 2),
)


@settings(deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries({"name": st.just("operation"), "part": st.lists(parts, max_size=4)}) | whole,
        max_size=3,
    )
)
def test_garbage_raises_only_fhir_errors(operations: list[Json]) -> None:
    try:
        outcome: Any = patch(TWO_NAMES, *operations)
    except FhirError as error:
        outcome = error
    assert isinstance(outcome, dict) or outcome.status in (400, 422)
