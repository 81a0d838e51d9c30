"""A difference is the patch that makes one resource of the other.

Source: http://hl7.org/fhir/R4/fhirpatch.html
"""

from __future__ import annotations

import copy
import random
from typing import Any

import pytest

from resources.codec.json import dump_json, parse_json
from resources.patch import fhirpath_patch
from resources.patch.diff import diff
from tests.shared import r4_examples

Json = dict[str, Any]


def operations(before: Json, after: Json) -> list[tuple[str, str]]:
    """Return (type, path) of each operation."""
    found = []
    for one in diff(before, after).get("parameter", ()):
        parts = {part["name"]: part for part in one["part"]}
        found.append((parts["type"]["valueCode"], parts["path"]["valueString"]))
    return found


def without_previous(parameters: Json) -> Json:
    """Return the patch alone: what was there before is for people."""
    for one in parameters.get("parameter", ()):
        one["part"] = [part for part in one["part"] if part["name"] != "previousValue"]
    return parameters


def patched(before: Json, after: Json) -> Json:
    """Return `before` after the patch."""
    return fhirpath_patch(before, without_previous(copy.deepcopy(diff(before, after))))


def patient(**given: Any) -> Json:
    """Return a Patient."""
    return {"resourceType": "Patient", "id": "d", **given}


def test_equal_resources_have_no_difference() -> None:
    assert diff(patient(active=True), patient(active=True)) == {"resourceType": "Parameters"}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (patient(), patient(active=True), [("add", "Patient")]),
        (patient(active=True), patient(), [("delete", "Patient.active")]),
        (patient(gender="male"), patient(gender="female"), [("replace", "Patient.gender")]),
        (patient(deceasedBoolean=True), patient(deceasedDateTime="2020"), [("replace", "Patient.deceased")]),
        (
            patient(name=[{"given": ["a", "b"]}]),
            patient(name=[{"given": ["a", "c", "b"]}]),
            [("insert", "Patient.name[0].given")],
        ),
        (
            patient(name=[{"text": "a"}, {"text": "b"}]),
            patient(name=[{"text": "b"}]),
            [("delete", "Patient.name[0]")],
        ),
        (patient(birthDate="1970"), patient(birthDate="1970-01"), [("replace", "Patient.birthDate")]),
        (
            patient(contact=[{"name": {"family": "x"}}]),
            patient(contact=[{"name": {"family": "y"}}]),
            [("replace", "Patient.contact[0].name.family")],
        ),
    ],
)
def test_the_smallest_change_is_named(before: Json, after: Json, expected: list[tuple[str, str]]) -> None:
    assert operations(before, after) == expected
    assert patched(before, after) == after


def test_what_was_there_is_said() -> None:
    (operation,) = diff(patient(gender="male"), patient(gender="female"))["parameter"]
    assert operation["part"][-1] == {"name": "previousValue", "valueCode": "male"}


def test_digits_of_a_number_are_a_difference() -> None:
    before = parse_json(b'{"resourceType":"Observation","valueQuantity":{"value":1.0}}')
    after = parse_json(b'{"resourceType":"Observation","valueQuantity":{"value":1.00}}')
    assert dump_json(patched(before, after)) == dump_json(after)


def test_extensions_of_primitives_are_part_of_the_difference() -> None:
    extension = {"extension": [{"url": "http://x", "valueString": "y"}]}
    before = patient(birthDate="1970", name=[{"given": ["a", "b"]}])
    after = patient(
        birthDate="1970", _birthDate=extension, name=[{"given": ["a", None], "_given": [None, extension]}]
    )
    assert patched(before, after) == after


def test_every_change_of_an_official_example_can_be_made_and_unmade() -> None:
    chance = random.Random(4)
    tried = 0
    for name, data in chance.sample(sorted(r4_examples().items()), 160):
        if len(data) > 30_000:
            continue
        example = parse_json(data)
        changed = mutated(example, chance)
        assert dump_json(patched(example, changed)) == dump_json(
            ordered(changed, patched(example, changed))
        ), name
        assert patched(changed, example) == example, name
        tried += 1
    assert tried > 100


def ordered(wanted: Any, like: Any) -> Any:
    """Return `wanted` with its members in the order of `like`, so that bytes compare."""
    if isinstance(wanted, dict) and isinstance(like, dict) and wanted.keys() == like.keys():
        return {key: ordered(wanted[key], like[key]) for key in like}
    if isinstance(wanted, list) and isinstance(like, list) and len(wanted) == len(like):
        return [ordered(one, other) for one, other in zip(wanted, like, strict=True)]
    return wanted


def mutated(example: Json, chance: random.Random) -> Json:
    """Return a copy with some members dropped, some lists turned round or doubled."""
    changed = copy.deepcopy(example)
    nodes: list[Any] = [changed]
    for node in nodes:
        for key, child in list(node.items()):
            if key in ("resourceType", "id", "contained") or key.startswith("_") or "_" + key in node:
                continue
            draw = chance.random()
            if draw < 0.08:
                del node[key]
            elif isinstance(child, list) and draw < 0.3:
                chance.shuffle(child)
                child.extend(copy.deepcopy(child[: chance.randrange(2)]))
            elif isinstance(child, dict):
                nodes.append(child)
            if isinstance(child, list):
                nodes += [one for one in child if isinstance(one, dict)]
        if not node:
            node["id"] = "kept"
    return changed
