"""Trees of nodes: what is in them, and what is left out of a profile's.

Source: http://hl7.org/fhir/R4/profiling.html, elementdefinition.html
"""

from __future__ import annotations

from typing import Any

import pytest

from resources.definitions.structures import published_structure
from resources.outcome import FhirError
from resources.profiles.build import R4, build, structure_of
from resources.profiles.nodes import Discriminator, Node, Structure, TypeRef

Json = dict[str, Any]


def _type(name: str) -> Structure:
    found = structure_of(name)
    assert found is not None
    return found


def _profile(*elements: Json, type_name: str = "Observation") -> Json:
    root = {"path": type_name, "min": 0, "max": "*"}
    return {
        "resourceType": "StructureDefinition",
        "url": "http://example.org/StructureDefinition/p",
        "name": "P",
        "type": type_name,
        "kind": "resource",
        "derivation": "constraint",
        "snapshot": {"element": [root, *elements]},
    }


def _at(structure: Structure, *names: str) -> Node:
    node = structure.root
    for name in names:
        node = node.children[name]
    return node


def test_types_of_r4_have_all_their_elements() -> None:
    observation = _type("Observation")
    assert observation.size == 50
    assert list(observation.root.children)[:3] == ["id", "meta", "implicitRules"]
    value = _at(observation, "component", "value")
    assert value.choice
    assert TypeRef("Quantity") in value.types
    assert not value.many
    assert _at(observation, "component").many
    assert _at(observation, "component", "referenceRange").holder == "Observation.referenceRange"


def test_ids_of_resources_have_the_fhir_type() -> None:
    assert _at(_type("Observation"), "id").types == (TypeRef("id"),)


def test_what_is_no_type_of_r4_has_no_tree() -> None:
    assert structure_of("Nothing") is None
    assert structure_of("bp") is None


def test_invariants_of_an_elements_own_type_stand_only_there() -> None:
    assert [c.key for c in _at(_type("Patient"), "name").constraints] == []
    assert "ele-1" in [c.key for c in _type("HumanName").root.constraints]
    assert "ele-1" in [c.key for c in _at(_type("Patient"), "contact").constraints]
    assert [c.key for c in _at(_type("Observation"), "referenceRange").constraints] == ["ele-1", "obs-3"]


def test_best_practice_is_told_from_other_warnings() -> None:
    constraints = {c.key: c for c in _type("Patient").root.constraints}
    assert constraints["dom-6"].best_practice
    assert not constraints["dom-2"].best_practice


def test_a_binding_may_have_a_largest_value_set() -> None:
    binding = _at(_type("Observation"), "language").binding
    assert binding is not None
    assert (binding.strength, binding.largest) == ("preferred", "http://hl7.org/fhir/ValueSet/all-languages")


def test_a_profile_holds_only_what_it_adds() -> None:
    published = published_structure(R4 + "bp")
    assert published is not None
    bp = build(published, _type("Observation"))
    assert [c.key for c in bp.root.constraints] == ["vs-2"]
    assert "id" not in bp.root.children
    assert "interpretation" not in bp.root.children
    component = _at(bp, "component")
    assert component.slicing is not None
    systolic, diastolic = component.slicing.slices
    assert (systolic.slice_name, systolic.min, systolic.max) == ("SystolicBP", 1, 1)
    assert systolic.children["value"].children["code"].fixed == ("code", "mm[Hg]")
    assert systolic.children["value"].children["code"].min == 1
    assert diastolic.children.keys() == {"code", "value"}


def test_a_profile_equal_to_its_type_holds_nothing() -> None:
    definition = published_structure(R4 + "Patient")
    assert definition is not None
    same = build(definition, _type("Patient"))
    assert same.root.children == {}
    assert same.root.constraints == ()


def test_type_slices_have_their_type() -> None:
    tree = build(
        _profile(
            {
                "path": "Observation.value[x]",
                "min": 0,
                "max": "1",
                "type": [{"code": "Quantity"}, {"code": "string"}],
            },
            {
                "path": "Observation.value[x]",
                "sliceName": "valueQuantity",
                "min": 1,
                "max": "1",
                "type": [{"code": "Quantity"}, {"code": "string"}],
            },
            {"path": "Observation.value[x].unit", "min": 1, "max": "1"},
        ),
        _type("Observation"),
    )
    value = _at(tree, "value")
    assert value.slicing is not None
    assert value.slicing.discriminators == (Discriminator("type", "$this"),)
    (quantity,) = value.slicing.slices
    assert quantity.types == (TypeRef("Quantity"),)
    assert quantity.children["unit"].min == 1


def test_a_path_that_names_the_type_is_a_type_slice() -> None:
    tree = build(
        _profile(
            {"path": "Observation.valueQuantity", "min": 1, "max": "1", "type": [{"code": "Quantity"}]},
            {"path": "Observation.valueQuantity.unit", "min": 1, "max": "1"},
        )
    )
    value = _at(tree, "value")
    assert value.choice
    assert value.slicing is not None
    (quantity,) = value.slicing.slices
    assert (quantity.slice_name, quantity.min) == ("valueQuantity", 1)
    assert quantity.children["unit"].min == 1


def test_reslices_are_slices_of_their_slice() -> None:
    sliced = {"discriminator": [{"type": "value", "path": "system"}], "rules": "open"}
    tree = build(
        _profile(
            {"path": "Observation.identifier", "min": 0, "max": "*", "slicing": sliced},
            {"path": "Observation.identifier", "sliceName": "a", "min": 1, "max": "*", "slicing": sliced},
            {"path": "Observation.identifier", "sliceName": "a/b", "min": 0, "max": "1"},
            {"path": "Observation.identifier.value", "min": 1, "max": "1"},
            {"path": "Observation.identifier", "sliceName": "c", "min": 0, "max": "1"},
        ),
        _type("Observation"),
    )
    slicing = _at(tree, "identifier").slicing
    assert slicing is not None
    assert [s.slice_name for s in slicing.slices] == ["a", "c"]
    below = slicing.slices[0].slicing
    assert below is not None
    assert below.slices[0].children["value"].min == 1


def test_a_rule_of_every_item_is_left_out_of_the_slices() -> None:
    rule = {"key": "x-1", "severity": "error", "human": "x", "expression": "true"}
    tree = build(
        _profile(
            {"path": "Observation.identifier", "min": 0, "max": "*", "constraint": [rule]},
            {"path": "Observation.identifier.value", "min": 1, "max": "1"},
            {"path": "Observation.identifier", "sliceName": "a", "min": 0, "max": "*", "constraint": [rule]},
            {"path": "Observation.identifier.value", "min": 1, "max": "1"},
        ),
        _type("Observation"),
    )
    identifier = _at(tree, "identifier")
    assert [c.key for c in identifier.constraints] == ["x-1"]
    assert identifier.slicing is not None
    assert identifier.slicing.slices[0].constraints == ()
    assert identifier.slicing.slices[0].children == {}


def test_a_binding_that_only_names_a_version_is_the_same() -> None:
    binding = {"strength": "required", "valueSet": "http://hl7.org/fhir/ValueSet/observation-status"}
    tree = build(
        _profile({"path": "Observation.status", "min": 1, "max": "1", "binding": binding}),
        _type("Observation"),
    )
    assert tree.root.children == {}


def test_equal_rules_are_one_object() -> None:
    first, second = _at(_type("Patient"), "contact"), _at(_type("Patient"), "link")
    assert first.constraints[0] is second.constraints[0]


@pytest.mark.parametrize(
    ("elements", "says"),
    [
        ([{"path": "Observation.code.coding"}], "without its parent"),
        ([{"path": "Observation.code"}, {"path": "Observation.code"}], "twice"),
        ([{"path": "Observation.code", "max": "many"}], "max is a number"),
    ],
)
def test_a_snapshot_that_makes_no_tree_is_refused(elements: list[Json], says: str) -> None:
    with pytest.raises(FhirError, match=says) as caught:
        build(_profile(*elements))
    assert caught.value.status == 422


def test_a_structure_without_snapshot_is_refused() -> None:
    definition = _profile()
    del definition["snapshot"]
    with pytest.raises(FhirError, match="no snapshot"):
        build(definition)
