"""Line and column of expressions. Source: http://hl7.org/fhir/R4/operationoutcome-definitions.html"""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.codec.positions import located, positions
from resources.codec.xml import dump_xml
from resources.outcome import Issue

TEXT = b"""{
  "resourceType": "Observation",
  "_status": {"extension": [{"url": "http://a.test", "valueCode": "x"}]},
  "status": "final",
  "code": {"text": "t\\u00e9 } ] \\" {"},
  "valueQuantity": {
    "value": 1.50,
    "unit": "mg"
  },
  "component": [
    {"code": {"text": "a"}}, {
      "code": {"coding": [{"code": "1"}, {"system": "http://s.test",
        "code": 2}]}}
  ],
  "note": [null, {"text": ""}]
}"""


@pytest.mark.parametrize(
    ("expression", "place"),
    [
        ("Observation", (1, 1)),
        ("Observation.status", (4, 3)),
        ("Observation.status.extension[0].url", (3, 30)),
        ("Observation.value", (6, 3)),
        ("Observation.value.unit", (8, 5)),
        ("Observation.value.ofType(Quantity).value", (7, 5)),
        ("Observation.component[1].code.coding[1].code", (13, 9)),
        ("Observation.component[1]", (11, 30)),
        ("Observation.note[1].text", (15, 19)),
    ],
)
def test_an_expression_is_found_in_json(expression: str, place: tuple[int, int]) -> None:
    assert positions(TEXT, [expression]) == {expression: place}


def test_all_expressions_are_found_in_one_reading() -> None:
    wanted = ["Observation.component[1].code", "Observation.component[0].code.text", "Observation.note[0]"]
    assert positions(TEXT, wanted) == dict(zip(wanted, [(12, 7), (11, 15), (15, 12)], strict=True))


def test_a_missing_element_is_told_at_the_nearest_one_around_it() -> None:
    assert positions(TEXT, ["Observation.component[1].code.coding[1].display"]) == {
        "Observation.component[1].code.coding[1].display": (12, 42)
    }
    assert positions(TEXT, ["Observation.subject.reference"]) == {"Observation.subject.reference": (1, 1)}


def test_another_type_of_a_choice_is_not_taken_for_it() -> None:
    assert positions(TEXT, ["Observation.value.ofType(Range).low"]) == {
        "Observation.value.ofType(Range).low": (1, 1)
    }


def test_a_function_ends_the_search_at_the_element_before() -> None:
    assert positions(TEXT, ["Observation.component.where(code.exists()).value"]) == {
        "Observation.component.where(code.exists()).value": (10, 3)
    }


@pytest.mark.parametrize("text", [b"", b"[1]", b"{", b'{"a": nope}', b"<a", b"\xff{}"])
def test_a_malformed_text_raises_nothing(text: bytes) -> None:
    assert set(positions(text, ["A.b[0].c"])) <= {"A.b[0].c"}


XML = b"""<?xml version="1.0"?>
<Patient xmlns="http://hl7.org/fhir">
  <contained><Organization>
    <name value="x"/></Organization></contained>
  <name><given value="a"/>
    <given value="b"/></name>
  <name><family value="c"/></name>
  <deceasedBoolean value="true"/>
</Patient>"""


@pytest.mark.parametrize(
    ("expression", "place"),
    [
        ("Patient", (2, 1)),
        ("Patient.contained[0].name", (4, 5)),
        ("Patient.name[0].given[1]", (6, 5)),
        ("Patient.name[1].family", (7, 9)),
        ("Patient.name[1].given[0]", (7, 3)),
        ("Patient.deceased", (8, 3)),
        ("Patient.birthDate", (2, 1)),
    ],
)
def test_an_expression_is_found_in_xml(expression: str, place: tuple[int, int]) -> None:
    assert positions(XML, [expression]) == {expression: place}


def test_xml_with_a_document_type_is_not_read() -> None:
    evil = b'<!DOCTYPE a [<!ENTITY x "y">]>' + XML.partition(b"\n")[2]
    assert positions(evil, ["Patient.deceased"]) == {}


def test_issues_get_their_places_and_keep_those_they_have() -> None:
    given_ = [
        Issue("required", "a", ("Observation.status",)),
        Issue("structure", "b", line=7, column=1),
        Issue("structure", "c", ("Observation.code",), line=9, column=9),
    ]
    assert [(one.line, one.column) for one in located(given_, TEXT)] == [(4, 3), (7, 1), (9, 9)]


leaves = st.text(max_size=5) | st.integers(-9, 9) | st.booleans()
names = st.sampled_from(["a", "b", "cd", "e"])


def _grown(tree: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.lists(tree, min_size=1, max_size=3) | st.dictionaries(names, tree, max_size=3)


trees = st.dictionaries(names, st.recursive(leaves, _grown, max_leaves=12))


def paths(value: Any, path: str) -> list[tuple[str, Any]]:
    """Return every (expression, value) below `value`; arrays in arrays, which FHIR has not, are left out."""
    found = []
    if isinstance(value, dict):
        for key, child in value.items():
            if not isinstance(child, list):
                found += [(f"{path}.{key}", child), *paths(child, f"{path}.{key}")]
                continue
            for index, item in enumerate(child):
                if not isinstance(item, list):
                    found += [(f"{path}.{key}[{index}]", item), *paths(item, f"{path}.{key}[{index}]")]
    return found


@given(trees, st.sampled_from([None, 0, 2]))
def test_what_stands_at_a_place_is_what_was_asked_for(tree: dict[str, Any], indent: int | None) -> None:
    text = json.dumps(tree, indent=indent, ensure_ascii=False)
    lines = text.split("\n")
    wanted = dict(paths(tree, "A"))
    found = positions(text.encode(), wanted)
    for expression, value in wanted.items():
        line, column = found[expression]
        rest = "\n".join([lines[line - 1][column - 1 :], *lines[line:]])
        if not expression.endswith("]"):
            name, rest = json.loads(rest[: rest.index('"', 1) + 1]), rest[rest.index(":") + 1 :].lstrip()
            assert name == expression.rpartition(".")[2]
        assert json.JSONDecoder().raw_decode(rest)[0] == value


def test_a_written_resource_is_found_in_both_formats() -> None:
    resource: dict[str, Any] = {
        "resourceType": "Patient",
        "name": [{"family": "a"}, {"given": ["b", "c"]}],
        "multipleBirthInteger": 2,
    }
    xml = dump_xml(resource, pretty=True)
    (line, column), *_ = positions(xml, ["Patient.name[1].given[1]"]).values()
    assert xml.decode().split("\n")[line - 1][column - 1 :].startswith('<given value="c"')
