"""`_summary` and `_elements`: what stays, what goes, and the mark that says so."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from resources.codec.subset import SUBSETTED, select_elements, summarize
from resources.outcome import FhirError
from resources.validate import accepts

DIV = '<div xmlns="http://www.w3.org/1999/xhtml">a</div>'
EXT = {"url": "http://example.org/e", "valueString": "x"}
TEXT = {"status": "generated", "div": DIV}
OBSERVATION: dict[str, Any] = {
    "resourceType": "Observation",
    "id": "o",
    "meta": {"versionId": "1", "profile": ["http://example.org/p"]},
    "implicitRules": "http://example.org/r",
    "text": TEXT,
    "contained": [{"resourceType": "Patient", "id": "p"}],
    "extension": [EXT],
    "modifierExtension": [EXT],
    "status": "final",
    "category": [{"text": "vital"}],
    "code": {"id": "c", "extension": [EXT], "coding": [{"code": "1", "system": "urn:x", "extension": [EXT]}]},
    "subject": {"reference": "#p"},
    "effectiveDateTime": "2020",
    "_effectiveDateTime": {"extension": [EXT]},
    "valueQuantity": {"value": 1, "unit": "x"},
    "note": [{"text": "n"}],
    "component": [{"code": {"text": "a"}, "valueString": "b", "interpretation": [{"text": "c"}]}],
}


def test_summary_keeps_the_marked_elements_at_every_level() -> None:
    summary = summarize(OBSERVATION, "true")
    assert set(summary) == {
        *("resourceType", "id", "meta", "implicitRules", "modifierExtension", "status", "code", "subject"),
        *("effectiveDateTime", "valueQuantity", "component"),
    }
    assert summary["code"] == {"coding": [{"code": "1", "system": "urn:x"}]}
    assert summary["component"] == [{"code": {"text": "a"}, "valueString": "b"}]
    assert accepts(summary)


def test_summary_keeps_mandatory_elements_that_are_not_marked() -> None:
    report = {
        "resourceType": "OperationOutcome",
        "issue": [{"severity": "error", "code": "value", "diagnostics": "x"}],
    }
    assert summarize(report, "true")["issue"] == report["issue"]


def test_summary_does_not_empty_an_element_that_has_extensions_only() -> None:
    resource = {**OBSERVATION, "code": {"extension": [EXT]}, "_status": {"extension": [EXT]}}
    del resource["status"]
    summary = summarize(resource, "true")
    assert summary["code"] == {"extension": [EXT]}
    assert summary["_status"] == {"extension": [EXT]}
    assert accepts(summary)


def test_text_is_narrative_id_meta_and_mandatory_elements() -> None:
    summary = summarize(OBSERVATION, "text")
    assert set(summary) == {"resourceType", "id", "meta", "text", "status", "code"}
    assert summary["code"] == OBSERVATION["code"]


def test_data_is_all_but_the_narrative() -> None:
    summary = summarize(OBSERVATION, "data")
    assert set(OBSERVATION) - set(summary) == {"text"}


@pytest.mark.parametrize(
    "name",
    ["value", "value[x]", "valueQuantity", "Observation.value", "value.unit", " Observation.value[x] "],
)
def test_selected_elements_may_be_named_in_several_ways(name: str) -> None:
    selected = select_elements(OBSERVATION, [name, "unknown"])
    assert set(selected) == {
        *(
            "resourceType",
            "id",
            "meta",
            "implicitRules",
            "modifierExtension",
            "status",
            "code",
            "valueQuantity",
        ),
    }
    assert selected["valueQuantity"] == OBSERVATION["valueQuantity"]


def test_selected_primitives_keep_their_extensions() -> None:
    selected = select_elements(OBSERVATION, ["effective"])
    assert selected["_effectiveDateTime"] == {"extension": [EXT]}


def _ways() -> list[Any]:
    return [
        lambda r: summarize(r, "true"),
        lambda r: summarize(r, "text"),
        lambda r: summarize(r, "data"),
        lambda r: select_elements(r, ["subject"]),
    ]


@pytest.mark.parametrize("way", _ways())
def test_every_subset_is_marked_once_and_leaves_the_resource_alone(way: Any) -> None:
    before = deepcopy(OBSERVATION)
    once = way(OBSERVATION)
    assert once["meta"] == {**OBSERVATION["meta"], "tag": [SUBSETTED]}
    assert way(once)["meta"]["tag"] == [SUBSETTED]
    assert before == OBSERVATION
    assert list(once)[:3] == ["resourceType", "id", "meta"]
    assert way({**OBSERVATION, "meta": {"tag": [{"code": "x"}]}})["meta"]["tag"] == [{"code": "x"}, SUBSETTED]


@pytest.mark.parametrize("way", _ways())
def test_resource_of_unknown_type_is_refused(way: Any) -> None:
    with pytest.raises(FhirError, match="Unknown resource type"):
        way({"resourceType": "Nothing"})
