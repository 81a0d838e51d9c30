"""Snapshots from differentials.

Source: http://hl7.org/fhir/R4/profiling.html, elementdefinition.html
"""

from __future__ import annotations

from typing import Any

import pytest

from resources.definitions.structures import published_structure
from resources.outcome import FhirError
from resources.profiles.build import R4, compiled
from resources.profiles.snapshot import snapshot

Json = dict[str, Any]
URL = "http://example.org/StructureDefinition/"


def _none(_: str) -> Json | None:
    return None


def _profile(*elements: Json, type_name: str = "Observation", base: str = "", name: str = "p") -> Json:
    return {
        "resourceType": "StructureDefinition",
        "url": URL + name,
        "name": name,
        "kind": "resource",
        "type": type_name,
        "derivation": "constraint",
        "baseDefinition": base or R4 + type_name,
        "differential": {"element": list(elements)},
    }


def _made(*elements: Json, type_name: str = "Observation") -> dict[str, Json]:
    return _by_id(snapshot(_profile(*elements, type_name=type_name), _none))


def _by_id(definition: Json) -> dict[str, Json]:
    return {e["id"]: e for e in definition["snapshot"]["element"]}


def _errors(*elements: Json, type_name: str = "Observation") -> list[str]:
    with pytest.raises(FhirError) as caught:
        _made(*elements, type_name=type_name)
    assert caught.value.status == 422
    return [issue.text for issue in caught.value.issues]


SLICING = {"discriminator": [{"type": "value", "path": "system"}], "rules": "open"}


def test_an_empty_differential_gives_the_base() -> None:
    base = published_structure(R4 + "Observation")
    assert base is not None
    made = snapshot(_profile(), _none)
    assert [e["id"] for e in made["snapshot"]["element"]] == [e["id"] for e in base["snapshot"]["element"]]


def test_what_is_not_told_is_inherited() -> None:
    status = _made({"path": "Observation.status", "mustSupport": True})["Observation.status"]
    assert (status["min"], status["max"], status["mustSupport"]) == (1, "1", True)
    assert status["binding"]["strength"] == "required"
    assert status["definition"]


def test_texts_that_begin_with_dots_are_appended() -> None:
    code = _made({"path": "Observation.code", "definition": "...more"})["Observation.code"]
    assert code["definition"].endswith("\nmore")
    assert len(code["definition"]) > 10


def test_constraints_accumulate_with_their_source() -> None:
    rule = {"key": "x-1", "severity": "error", "human": "x", "expression": "true"}
    root = _made({"path": "Observation", "constraint": [rule]})["Observation"]
    assert root["constraint"][-1] == {"source": URL + "p", **rule}
    assert "obs-6" in [c["key"] for c in root["constraint"]]


def test_a_path_into_a_data_type_unfolds_it() -> None:
    made = _made({"path": "Patient.contact.name.given", "min": 1}, type_name="Patient")
    assert made["Patient.contact.name.given"]["min"] == 1
    names = [i for i in made if i.startswith("Patient.contact.name.")]
    assert names[:4] == [f"Patient.contact.name.{n}" for n in ("id", "extension", "use", "text")]
    assert "Patient.name.given" not in made


def test_a_path_into_a_content_reference_unfolds_it() -> None:
    made = _made({"path": "Observation.component.referenceRange.text", "min": 1})
    assert made["Observation.component.referenceRange.text"]["min"] == 1
    assert made["Observation.component.referenceRange"]["type"] == [{"code": "BackboneElement"}]
    assert "contentReference" not in made["Observation.component.referenceRange"]
    assert made["Observation.referenceRange.text"]["min"] == 0


def test_the_short_path_of_a_choice_is_a_slice_by_type() -> None:
    made = _made(
        {"path": "Observation.valueQuantity", "min": 0},
        {"path": "Observation.valueQuantity.unit", "min": 1},
        {"path": "Observation.valueString", "maxLength": 10},
    )
    assert made["Observation.value[x]"]["slicing"]["discriminator"] == [{"type": "type", "path": "$this"}]
    assert made["Observation.value[x]"]["slicing"]["rules"] == "open"
    assert len(made["Observation.value[x]"]["type"]) == 11
    assert made["Observation.value[x]:valueQuantity"]["type"] == [{"code": "Quantity"}]
    assert made["Observation.value[x]:valueQuantity.unit"]["min"] == 1
    assert made["Observation.value[x]:valueString"]["maxLength"] == 10


def test_a_short_path_that_must_be_there_leaves_no_other_type() -> None:
    made = _made({"path": "Observation.valueQuantity", "min": 1})
    value = made["Observation.value[x]"]
    assert (value["min"], value["slicing"]["rules"], value["type"]) == (1, "closed", [{"code": "Quantity"}])


def test_a_type_slice_needs_no_slicing() -> None:
    made = _made(
        {
            "id": "Observation.value[x]:valueQuantity",
            "path": "Observation.value[x]",
            "sliceName": "valueQuantity",
        },
        {"id": "Observation.value[x]:valueQuantity.code", "path": "Observation.value[x].code", "min": 1},
    )
    assert made["Observation.value[x]:valueQuantity"]["type"] == [{"code": "Quantity"}]
    assert made["Observation.value[x]:valueQuantity.code"]["min"] == 1


def test_slices_inherit_and_are_optional() -> None:
    made = _made(
        {"path": "Observation.identifier", "slicing": SLICING, "min": 1},
        {"path": "Observation.identifier.value", "min": 1},
        {"path": "Observation.identifier", "sliceName": "mrn", "max": "1"},
        {"path": "Observation.identifier.system", "min": 1, "fixedUri": "urn:x"},
        {"path": "Observation.identifier", "sliceName": "other"},
    )
    assert (made["Observation.identifier:mrn"]["min"], made["Observation.identifier:mrn"]["max"]) == (0, "1")
    assert made["Observation.identifier:mrn.system"]["fixedUri"] == "urn:x"
    assert made["Observation.identifier:mrn.value"]["min"] == 1
    assert "fixedUri" not in made["Observation.identifier:other.system"]
    assert "slicing" not in made["Observation.identifier:mrn"]


def test_reslices_stand_behind_their_slice() -> None:
    made = _made(
        {"path": "Observation.identifier", "slicing": SLICING},
        {"path": "Observation.identifier", "sliceName": "a", "slicing": SLICING, "short": "of a"},
        {"path": "Observation.identifier", "sliceName": "b"},
        {"path": "Observation.identifier", "sliceName": "a/1", "max": "1"},
    )
    assert [i for i in made if i.startswith("Observation.identifier:")] == [
        f"Observation.identifier:{name}" for name in ("a", "a/1", "b")
    ]
    assert made["Observation.identifier:a/1"]["short"] == "of a"


def test_slices_of_extension_are_told_by_url() -> None:
    url = R4 + "patient-birthPlace"
    made = _made(
        {
            "path": "Patient.extension",
            "sliceName": "place",
            "type": [{"code": "Extension", "profile": [url]}],
        },
        type_name="Patient",
    )
    assert made["Patient.extension"]["slicing"]["discriminator"] == [{"type": "value", "path": "url"}]
    place = made["Patient.extension:place"]
    assert place["type"][0]["profile"] == [url]
    assert place["short"] == "Place of Birth for patient"
    assert place["max"] == "1"


def test_a_path_below_a_type_with_profile_unfolds_the_profile() -> None:
    url = R4 + "patient-birthPlace"
    made = _made(
        {
            "path": "Patient.extension",
            "sliceName": "place",
            "type": [{"code": "Extension", "profile": [url]}],
        },
        {"id": "Patient.extension:place.value[x]", "path": "Patient.extension.value[x]", "min": 1},
        type_name="Patient",
    )
    assert made["Patient.extension:place.url"]["fixedUri"] == url
    assert made["Patient.extension:place.value[x]"]["type"] == [{"code": "Address"}]


def test_profiles_of_profiles_inherit_through_differentials() -> None:
    first = _profile({"path": "Observation.note", "max": "1"}, name="first")
    second = _profile({"path": "Observation.note", "min": 1}, base=URL + "first|1.0", name="second")
    made = _by_id(snapshot(second, {URL + "first|1.0": first}.get))
    assert (made["Observation.note"]["min"], made["Observation.note"]["max"]) == (1, "1")


def test_paths_into_resources_of_bundles() -> None:
    made = _made(
        {
            "path": "Bundle.entry",
            "slicing": {"discriminator": [{"type": "type", "path": "resource"}], "rules": "open"},
        },
        {"path": "Bundle.entry", "sliceName": "c"},
        {"path": "Bundle.entry.resource", "type": [{"code": "Composition"}]},
        {"path": "Bundle.entry.resource.status", "patternCode": "final"},
        type_name="Bundle",
    )
    assert made["Bundle.entry:c.resource.status"]["patternCode"] == "final"


def test_a_slice_name_where_nothing_is_sliced_is_but_a_name() -> None:
    made = _made(
        {"path": "Composition.date", "sliceName": "IssueDate", "short": "issued"}, type_name="Composition"
    )
    assert made["Composition.date"]["short"] == "issued"
    assert "Composition.date:IssueDate" not in made


def test_a_new_fixed_value_takes_the_place_of_a_pattern_of_other_type() -> None:
    first = _profile({"path": "Observation.value[x]", "patternString": "a"}, name="first")
    second = _profile({"path": "Observation.value[x]", "patternInteger": 1}, base=URL + "first")
    value = _by_id(snapshot(second, {URL + "first": first}.get))["Observation.value[x]"]
    assert "patternString" not in value
    assert value["patternInteger"] == 1


@pytest.mark.parametrize(
    ("element", "says"),
    [
        ({"path": "Observation.nothing"}, "there is no element nothing in Observation"),
        ({"path": "Observation.code.nothing"}, "there is no element nothing"),
        ({"path": "Patient.name"}, "does not begin with Observation"),
        ({"path": "Observation.status", "min": 0}, "min 0 is below the base's 1"),
        ({"path": "Observation.status", "max": "*"}, "max * is above the base's 1"),
        ({"path": "Observation.status", "max": "0"}, "min 1 is above max 0"),
        ({"path": "Observation.status", "max": "few"}, "max is a number or *"),
        (
            {"path": "Observation.subject", "type": [{"code": "string"}]},
            "type string is not among the base's",
        ),
        ({"path": "Observation.valueAddress"}, "there is no element valueAddress"),
        ({"path": "Observation.value[x].unit", "min": 1}, "there is no element unit"),
        (
            {"id": "Observation.identifier:a.value", "path": "Observation.identifier.value", "min": 2},
            "min 2 is above max 1",
        ),
    ],
)
def test_an_impossible_differential_is_refused(element: Json, says: str) -> None:
    assert says in _errors(element)[0]


def test_all_errors_are_told_with_their_place() -> None:
    with pytest.raises(FhirError) as caught:
        _made({"path": "Observation.a"}, {"path": "Observation.code"}, {"path": "Observation.b"})
    assert [list(issue.expression) for issue in caught.value.issues] == [
        ["StructureDefinition.differential.element[0]"],
        ["StructureDefinition.differential.element[2]"],
    ]


def test_slices_that_cannot_be_told_apart_are_refused() -> None:
    first = {"path": "Observation.identifier", "sliceName": "a"}
    assert "cannot be told apart" in _errors(first, {"path": "Observation.identifier", "sliceName": "b"})[0]


def test_a_path_into_a_slice_that_is_not_there_is_refused() -> None:
    sliced = {"path": "Observation.identifier", "slicing": SLICING}
    below = {"id": "Observation.identifier:b.value", "path": "Observation.identifier.value", "min": 1}
    assert "identifier has no slice b" in _errors(sliced, below)[0]


def test_a_closed_slicing_stays_closed() -> None:
    closed = {"path": "Observation.identifier", "slicing": SLICING | {"rules": "closed"}}
    opened = {"path": "Observation.identifier", "slicing": SLICING}
    assert "closed and cannot become open" in _errors(closed, opened)[0]


def test_must_support_cannot_be_taken_back() -> None:
    first = _profile({"path": "Observation.note", "mustSupport": True}, name="first")
    second = _profile({"path": "Observation.note", "mustSupport": False}, base=URL + "first")
    with pytest.raises(FhirError, match="cannot be taken back"):
        snapshot(second, {URL + "first": first}.get)


def test_new_types_come_with_their_snapshot() -> None:
    with pytest.raises(FhirError, match="defines a new type"):
        snapshot(_profile() | {"derivation": "specialization"}, _none)


def test_an_unknown_base_is_named() -> None:
    with pytest.raises(FhirError, match=r"baseDefinition urn:none is not known"):
        snapshot(_profile(base="urn:none"), _none)
    without = _profile()
    del without["baseDefinition"]
    with pytest.raises(FhirError, match="has no baseDefinition"):
        snapshot(without, _none)


def test_definitions_that_go_in_a_circle_are_refused() -> None:
    known = {URL + "a": _profile(base=URL + "b", name="a"), URL + "b": _profile(base=URL + "a", name="b")}
    with pytest.raises(FhirError, match="circle"):
        snapshot(known[URL + "a"], known.get)


def test_slices_in_slices_do_not_grow_without_end() -> None:
    elements: list[Json] = []
    for depth in range(25, 0, -1):
        path = "Observation" + ".extension" * depth
        elements += [{"path": path, "min": 0}, {"path": path, "sliceName": "a"}]
    with pytest.raises(FhirError, match="more than 100000 elements"):
        _made(*elements)


def test_paths_are_not_endless() -> None:
    assert "deeper than 40" in _errors({"path": "Observation" + ".extension" * 41})[0]


def test_a_differential_alone_is_compiled() -> None:
    tree = compiled(_profile({"path": "Observation.note", "max": "1"}), _none)
    assert tree.root.children.keys() == {"note"}
    assert tree.root.children["note"].max == 1


def test_definitions_given_are_not_changed() -> None:
    base = published_structure(R4 + "Observation")
    profile = _profile(
        {"path": "Observation.valueQuantity", "min": 1}, {"path": "Observation.code", "short": "x"}
    )
    before = (repr(base), repr(profile))
    snapshot(profile, _none)
    assert (repr(base), repr(profile)) == before
