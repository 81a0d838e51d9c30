"""Questionnaires. Source: http://hl7.org/fhir/R4/questionnaire.html"""

from __future__ import annotations

from typing import Any

import pytest

from resources.validate.rules.questionnaires import check
from tests.unit.resources.validate.rules.stage import Stage


def said(*items: dict[str, Any]) -> list[tuple[str, str]]:
    stage = Stage()
    check(stage, {"resourceType": "Questionnaire", "item": list(items)}, "Questionnaire")
    return stage.said


def item(name: str, kind: str = "string", **more: Any) -> dict[str, Any]:
    return {"linkId": name, "type": kind, **more}


def test_a_link_id_stands_once() -> None:
    assert said(item("a"), item("g", "group", item=[item("b")])) == []
    assert said(item("a"), item("g", "group", item=[item("a")])) == [
        ("questionnaire-linkid-duplicate", "Questionnaire.item[1].item[0].linkId")
    ]


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"question": "n", "operator": "=", "answerInteger": 1}, ""),
        ({"question": "n", "operator": "exists", "answerBoolean": True}, ""),
        ({"question": "x", "operator": "exists", "answerBoolean": True}, "questionnaire-enable-question"),
        ({"question": "g", "operator": "exists", "answerBoolean": True}, "questionnaire-enable-display"),
        ({"question": "n", "operator": "=", "answerString": "1"}, "questionnaire-enable-type"),
    ],
)
def test_a_rule_of_enabling_names_a_question_and_a_value_of_its_type(rule: Any, message: str) -> None:
    found = said(item("n", "integer"), item("g", "group"), item("a", enableWhen=[rule]))
    assert [one for one, _ in found] == ([message] if message else [])


def test_options_and_initial_values_are_of_the_type_of_the_question() -> None:
    option = {"valueString": "x"}
    assert said(item("a", "string", answerOption=[option], initial=[option])) == []
    assert said(item("a", "integer", answerOption=[option])) == [
        ("questionnaire-option-type", "Questionnaire.item[0].answerOption[0].value")
    ]
    assert said(item("a", "integer", initial=[option])) == [
        ("questionnaire-initial-type", "Questionnaire.item[0].initial[0].value")
    ]
