"""The official patch suites: FHIRPath Patch, XML Patch and JSON Patch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from lxml import etree

from resources.codec.json import dump_json, parse_json
from resources.codec.xml import parse_xml
from resources.outcome import FhirError
from resources.patch import fhirpath_patch, json_patch, xml_patch
from resources.patch.xml_patch import apply_diff
from tests.shared import SHARED, r4_examples, shared_path

FOLDER = "patch-r4"
NO_PATCH = {"Missing patch operation"}
"""Cases whose diff is malformed (400), not merely inapplicable (422)."""


def _cases(name: str) -> list[Any]:
    """Return the cases of an XML suite as parameters; none where the shared test data are absent."""
    file = SHARED / "testdata" / FOLDER / name
    cases = etree.parse(file).getroot().findall("case") if file.exists() else []
    return [pytest.param(case, id=case.get("name")) for case in cases]


def _json_cases() -> list[Any]:
    file = SHARED / "testdata" / FOLDER / "json-patch-tests.json"
    cases = json.loads(file.read_bytes()) if file.exists() else []
    return [pytest.param(case, id=case["comment"]) for case in cases]


def _resource(case: Any, part: str) -> dict[str, Any]:
    return parse_xml(etree.tostring(case.find(part)[0], encoding="utf-8"))


def test_suites_are_complete() -> None:
    shared_path(FOLDER)
    found = [len(_cases("fhir-patch-tests.xml")), len(_cases("xml-patch-tests.xml")), len(_json_cases())]
    assert found == [33, 29, 16]


@pytest.mark.parametrize("case", _cases("fhir-patch-tests.xml"))
def test_fhirpath_patch(case: Any) -> None:
    resource, parameters = _resource(case, "input"), _resource(case, "diff")
    if case.find("error") is not None:
        with pytest.raises(FhirError) as caught:
            fhirpath_patch(resource, parameters)
        assert caught.value.status == 422
    else:
        assert fhirpath_patch(resource, parameters) == _resource(case, "output")


@pytest.mark.parametrize("case", _cases("xml-patch-tests.xml"))
def test_xml_patch(case: Any) -> None:
    target = case.find("target")
    root = target[0] if len(target) else None
    if case.find("error") is not None:
        with pytest.raises(FhirError) as caught:
            apply_diff(root, case.find("{*}patch"))
        assert caught.value.status == (400 if case.get("name") in NO_PATCH else 422)
        return
    patched = apply_diff(root, case.find("{*}patch"))
    assert _canonical(patched) == _canonical(case.find("patched")[0])


def _canonical(root: Any) -> Any:
    """Return the content of an XML tree, white space between elements and prefixes aside."""
    text = (root.text or "").strip()
    children = [(_canonical(child), (child.tail or "").strip()) for child in root]
    declared = {prefix: uri for prefix, uri in root.nsmap.items() if prefix}
    return (root.tag, dict(root.attrib), declared, text, children)


@pytest.mark.parametrize("case", _json_cases())
def test_json_patch(case: Any) -> None:
    patch = json.dumps(case["patch"]).encode()
    if "error" in case:
        with pytest.raises(FhirError) as caught:
            json_patch(case["doc"], patch)
        assert caught.value.status == 422
    else:
        assert json_patch(case["doc"], patch) == case["expected"]


def _examples() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every fifth of the specification's example resources, the largest left out."""
    small = [(name, data) for name, data in r4_examples().items() if len(data) < 200_000]
    for name, data in small[::5]:
        yield name, parse_json(data)


def test_patching_there_and_back_leaves_every_letter_and_digit() -> None:
    seen = 0
    for name, example in _examples():
        kind = example["resourceType"]
        key = next(key for key in ("implicitRules", "language") if key not in example)
        to = f'<diff><add sel="{kind}"><{key} value="xx"/></add><remove sel="{kind}/{key}"/></diff>'
        assert dump_json(_sorted(xml_patch(example, to.encode()))) == dump_json(_sorted(example)), name
        add = [{"op": "add", "path": f"/{key}", "value": "xx"}, {"op": "remove", "path": f"/{key}"}]
        assert dump_json(json_patch(example, add)) == dump_json(example), name
        parts = (
            {"type": "add", "path": kind, "name": key, "value": "xx"},
            {"type": "delete", "path": f"{kind}.{key}"},
        )
        operations = [
            {"name": "operation", "part": [{"name": n, "valueCode": v} for n, v in one.items()]}
            for one in parts
        ]
        parameters = {"resourceType": "Parameters", "parameter": operations}
        assert dump_json(fhirpath_patch(example, parameters)) == dump_json(example), name
        seen += 1
    assert seen > 100


def _sorted(value: Any) -> Any:
    """Return `value` with the keys of every object in order (XML has its own)."""
    if isinstance(value, dict):
        return {key: _sorted(value[key]) for key in sorted(value)}
    return [_sorted(child) for child in value] if isinstance(value, list) else value
