"""JSON Patch as RFC 6902 says, refused with the operation that fails."""

from __future__ import annotations

import copy
import json
from decimal import Decimal
from typing import Any

import jsonpatch  # the oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from resources.codec.json import dump_json, parse_json
from resources.outcome import FhirError
from resources.patch import json_patch


def observation() -> dict[str, Any]:
    return parse_json(
        b'{"resourceType":"Observation","status":"final","valueQuantity":{"value":1.00,"unit":"g"},'
        b'"note":[{"text":"a"},{"text":"b"}]}'
    )


def refusal(patch: Any) -> FhirError:
    with pytest.raises(FhirError) as caught:
        json_patch(observation(), patch)
    return caught.value


def test_input_is_not_changed() -> None:
    resource = observation()
    patch = [{"op": "add", "path": "/note/-", "value": {"text": "c"}}]
    patched = json_patch(resource, patch)
    patched["note"][2]["text"] = "d"
    patched["note"][0]["text"] = "e"
    assert resource == observation()
    assert patch[0]["value"] == {"text": "c"}


def test_digits_are_kept_in_resource_and_patch() -> None:
    patched = json_patch(observation(), b'[{"op":"add","path":"/valueQuantity/value","value":2.50}]')
    assert b'"value":2.50' in dump_json(patched)
    assert b'"value":1.00' in dump_json(json_patch(observation(), b"[]"))


def test_numbers_are_tested_by_value() -> None:
    assert (
        json_patch(observation(), b'[{"op":"test","path":"/valueQuantity/value","value":1}]') == observation()
    )
    assert refusal(b'[{"op":"test","path":"/valueQuantity/value","value":true}]').status == 422


def test_failing_test_is_422_and_names_the_operation() -> None:
    error = refusal(
        [{"op": "test", "path": "/status", "value": "final"}, {"op": "test", "path": "/status", "value": 1}]
    )
    assert error.status == 422
    assert "operation 1 (test /status)" in error.issues[0].text


def test_emptied_arrays_and_objects_vanish() -> None:
    patched = json_patch(
        observation(),
        [
            {"op": "remove", "path": "/note/1"},
            {"op": "remove", "path": "/note/0"},
            {"op": "remove", "path": "/valueQuantity/unit"},
            {"op": "remove", "path": "/valueQuantity/value"},
        ],
    )
    assert patched == {"resourceType": "Observation", "status": "final"}


def test_emptied_array_can_be_filled_again() -> None:
    operations: list[Any] = [{"op": "remove", "path": "/note/0"}, {"op": "remove", "path": "/note/0"}]
    operations.append({"op": "add", "path": "/note/-", "value": {"text": "c"}})
    assert json_patch(observation(), operations)["note"] == [{"text": "c"}]


def test_emptied_primitive_extension_stays_aligned() -> None:
    name = {"given": ["A", "B"], "_given": [{"extension": [{"url": "x", "valueCode": "y"}]}, {"id": "z"}]}
    patched = json_patch({"name": [name]}, [{"op": "remove", "path": "/name/0/_given/0/extension"}])
    assert patched["name"][0] == {"given": ["A", "B"], "_given": [None, {"id": "z"}]}


@pytest.mark.parametrize(
    "patch",
    [
        b"",
        b"{}",
        b"7",
        b'"x"',
        b'[],"x":1',
        b"[7]",
        b"[{}]",
        b'[{"op":"add"}]',
        b'[{"op":"add","path":"/x"}]',
        b'[{"op":"add","path":"x","value":1}]',
        b'[{"op":"add","path":"/~2","value":1}]',
        b'[{"op":["add"],"path":"/x","value":1}]',
        b'[{"op":"merge","path":"/x","value":1}]',
        b'[{"op":"move","path":"/x"}]',
        b'[{"op":"add","path":"/x","value":1,"value":2}]',
    ],
)
def test_malformed_patch_is_400(patch: bytes) -> None:
    assert refusal(patch).status == 400


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "remove", "path": "/nothing"},
        {"op": "replace", "path": "/nothing", "value": 1},
        {"op": "remove", "path": ""},
        {"op": "replace", "path": "", "value": 1},
        {"op": "add", "path": "/note/3", "value": 1},
        {"op": "add", "path": "/note/01", "value": 1},
        {"op": "add", "path": "/note/-1", "value": 1},
        {"op": "remove", "path": "/note/-"},
        {"op": "add", "path": "/status/0", "value": "x"},
        {"op": "test", "path": "/status/0", "value": "f"},
        {"op": "move", "from": "/note", "path": "/note/0"},
        {"op": "copy", "from": "/nothing", "path": "/note"},
    ],
)
def test_operation_that_cannot_be_applied_is_422(operation: Any) -> None:
    assert refusal([operation]).status == 422


def test_line_of_malformed_json_is_the_clients() -> None:
    error = refusal(b'[\n{"op":]')
    assert error.issues[0].line == 2


def test_copies_of_copies_are_bounded() -> None:
    error = refusal([{"op": "copy", "from": "/note", "path": "/note/-"} for _ in range(60)])
    assert (error.status, error.issues[0].code) == (422, "too-costly")


def test_depth_is_bounded() -> None:
    deep: Any = "x"
    for _ in range(5000):
        deep = [deep]
    assert refusal([{"op": "add", "path": "/x", "value": deep}]).status == 422


scalars = (
    st.none()
    | st.booleans()
    | st.integers(-5, 5)
    | st.sampled_from(["a", "b", ""])
    | st.just(Decimal("1.00"))
)
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("ab~/"), inner, max_size=3),
    max_leaves=10,
)
documents = st.dictionaries(st.sampled_from("ab~/"), trees, max_size=4)
pointers = st.lists(st.sampled_from(["a", "b", "~0", "~1", "0", "1", "-", "x"]), max_size=3).map(
    lambda tokens: "".join("/" + token for token in tokens)
)
operations = st.fixed_dictionaries(
    {
        "op": st.sampled_from(["add", "remove", "replace", "move", "copy", "test"]),
        "path": pointers,
        "from": pointers,
        "value": trees,
    }
)


@settings(deadline=None)
@given(documents, st.lists(operations, max_size=4))
def test_agrees_with_the_jsonpatch_library(document: Any, patch: list[Any]) -> None:
    ours: Any
    try:
        ours = json_patch(document, patch)
    except FhirError:
        ours = FhirError
    try:
        theirs = jsonpatch.apply_patch(copy.deepcopy(document), copy.deepcopy(patch))
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException):
        theirs = FhirError
    if any(o["op"] in ("remove", "move") for o in patch) or not isinstance(theirs, dict):
        return  # we let emptied containers vanish, and a resource stays an object
    assert ours == theirs


@settings(deadline=None)
@given(documents, st.sampled_from(["new", "n~w", "n/w", ""]), trees)
def test_add_then_remove_is_the_identity(document: Any, key: str, value: Any) -> None:
    pointer = "/" + key.replace("~", "~0").replace("/", "~1")
    patch = [{"op": "add", "path": pointer, "value": value}, {"op": "remove", "path": pointer}]
    assert json_patch({**document, "keep": 1}, patch) == {**document, "keep": 1}


garbage = st.recursive(
    scalars | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["op", "path", "from", "value"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(garbage)
def test_garbage_raises_only_fhir_errors(patch: Any) -> None:
    for form in (patch, dump_json(patch), json.dumps(str(patch)).encode()):
        try:
            outcome: Any = json_patch(observation(), form)
        except FhirError as error:
            outcome = error
        assert isinstance(outcome, dict) or outcome.status in (400, 422)
