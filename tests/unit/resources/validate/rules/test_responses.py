"""Responses against their Questionnaire. Source: http://hl7.org/fhir/R4/questionnaireresponse.html#notes"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from resources.outcome import STRUCTURE
from resources.validate.asks import Target, Verdict
from resources.validate.rules.responses import check
from tests.unit.resources.validate.rules.stage import Stage, scope_of

URL = "http://x.org/Questionnaire/q"
TOP = "QuestionnaireResponse"


def ask(name: str, kind: str = "string", **more: Any) -> dict[str, Any]:
    return {"linkId": name, "type": kind, **more}


def given(name: str, *answers: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"linkId": name, **({"answer": list(answers)} if answers else {}), **more}


def said(
    asked: list[Any], items: list[Any], status: str = "completed", **options: Any
) -> list[tuple[str, str]]:
    questionnaire = {
        "resourceType": "Questionnaire",
        "status": "active",
        "item": asked,
        **options.pop("questionnaire", {}),
    }
    response = {"resourceType": TOP, "status": status, "questionnaire": URL, "item": items}
    stage = Stage(targets={URL: Target("Questionnaire", questionnaire)}, **options)
    check(stage, response, TOP, scope_of(response))
    return stage.said


def test_a_response_names_a_questionnaire_that_is_known() -> None:
    for response, message in (
        ({"resourceType": TOP}, "response-questionnaire-missing"),
        ({"resourceType": TOP, "questionnaire": URL}, "response-questionnaire-unknown"),
    ):
        stage = Stage()
        check(stage, response, TOP, scope_of(response))
        assert [one for one, _ in stage.said] == [message]
    broken = Stage(targets={URL: Target("Questionnaire", {"resourceType": "Questionnaire", "item": "x"})})
    check(broken, {"resourceType": TOP, "questionnaire": URL}, TOP, scope_of({"resourceType": TOP}))
    assert [one for one, _ in broken.said] == ["response-questionnaire-unknown"]
    waiting = Stage(pending=True)
    check(waiting, {"resourceType": TOP, "questionnaire": URL}, TOP, scope_of({"resourceType": TOP}))
    assert waiting.issues == []


def test_a_contained_questionnaire_counts() -> None:
    inner = {
        "resourceType": "Questionnaire",
        "status": "active",
        "id": "q",
        "item": [ask("a", required=True)],
    }
    response = {"resourceType": TOP, "status": "completed", "questionnaire": "#q", "contained": [inner]}
    stage = Stage()
    check(stage, response, TOP, scope_of(response))
    assert stage.said == [("response-required", f"{TOP}.item")]


def test_items_are_those_of_the_questionnaire_in_place_and_order() -> None:
    asked = [ask("g", "group", item=[ask("b")]), ask("a")]
    b, a = given("b", {"valueString": "x"}), given("a", {"valueString": "x"})
    assert said(asked, [given("g", item=[b]), a]) == []
    assert said(asked, [given("z")]) == [("response-linkid-unknown", f"{TOP}.item[0].linkId")]
    assert said(asked, [b]) == [("response-linkid-misplaced", f"{TOP}.item[0].linkId")]
    assert said(asked, [a, given("g", item=[b])]) == [("response-order", f"{TOP}.item[1]")]


def test_only_what_repeats_stands_more_than_once() -> None:
    one = {"valueString": "x"}
    assert said([ask("a", repeats=True)], [given("a", one, one)]) == []
    assert said([ask("a")], [given("a", one, one)]) == [("response-answers-repeat", f"{TOP}.item[0].answer")]
    assert said([ask("a")], [given("a", one), given("a", one)]) == [
        ("response-item-repeats", f"{TOP}.item[1]")
    ]


@pytest.mark.parametrize(
    ("status", "messages"),
    [
        ("completed", ["response-required"]),
        ("amended", ["response-required"]),
        ("in-progress", ["response-required-later"]),
        ("stopped", []),
    ],
)
def test_what_is_required_is_answered_in_what_is_complete(status: str, messages: list[str]) -> None:
    assert [one for one, _ in said([ask("a", required=True)], [], status)] == messages
    assert said([ask("a", required=True)], [given("a", {"valueString": "x"})], status) == []


def test_a_required_item_in_a_group_that_is_not_there_is_not_missed() -> None:
    assert said([ask("g", "group", item=[ask("a", required=True)])], []) == []
    assert said([ask("g", "group", item=[ask("a", required=True)])], [given("g")]) == [
        ("response-required", f"{TOP}.item[0].item")
    ]


@pytest.mark.parametrize(
    ("kind", "answer", "messages"),
    [
        ("boolean", {"valueBoolean": True}, []),
        ("boolean", {"valueString": "yes"}, ["response-answer-type"]),
        ("integer", {"valueDecimal": 1}, ["response-answer-type"]),
        ("text", {"valueString": "x"}, []),
        ("url", {"valueUri": "http://x.org"}, []),
        ("choice", {"valueString": "x"}, ["response-answer-type"]),
        ("open-choice", {"valueString": "x"}, []),
        ("display", {"valueString": "x"}, ["response-answer-to-group"]),
        ("group", {"valueString": "x"}, ["response-answer-to-group"]),
    ],
)
def test_an_answer_is_of_the_type_of_its_question(kind: str, answer: Any, messages: list[str]) -> None:
    assert [one for one, _ in said([ask("a", kind)], [given("a", answer)])] == messages


def test_items_below_a_question_stand_in_its_answer() -> None:
    asked = [ask("a", item=[ask("b")])]
    inner = given("b", {"valueString": "x"})
    assert said(asked, [given("a", {"valueString": "x", "item": [inner]})]) == []
    assert said(asked, [given("a", item=[inner])]) == [("response-nesting", f"{TOP}.item[0].item")]


def test_a_choice_is_one_of_the_options() -> None:
    option = {"valueCoding": {"system": "http://s.org", "code": "a"}}
    asked = [ask("a", "choice", answerOption=[option])]
    assert said(asked, [given("a", option)]) == []
    other = {"valueCoding": {"system": "http://s.org", "code": "b"}}
    assert said(asked, [given("a", other)]) == [("response-option", f"{TOP}.item[0].answer[0].value")]
    assert (
        said([ask("a", "open-choice", answerOption=[option])], [given("a", {"valueString": "other"})]) == []
    )


@pytest.mark.parametrize(
    ("verdict", "messages"),
    [
        (Verdict(True), []),
        (Verdict(False, "not-in-value-set"), ["response-option"]),
        (Verdict(None, "unknown-value-set", "it is not here"), ["response-valueset-unknown"]),
    ],
)
def test_a_choice_is_of_the_value_set(verdict: Verdict, messages: list[str]) -> None:
    asked = [ask("a", "choice", answerValueSet="http://x.org/vs")]
    answer = {"valueCoding": {"system": "http://s.org", "code": "c"}}
    found = said(asked, [given("a", answer)], codes={("http://x.org/vs", "c"): verdict})
    assert [one for one, _ in found] == messages


def test_a_contained_value_set_is_looked_into() -> None:
    include = [{"system": "http://s.org", "concept": [{"code": "a"}]}]
    inner = {"resourceType": "ValueSet", "status": "active", "id": "vs", "compose": {"include": include}}
    asked = [ask("a", "choice", answerValueSet="#vs")]
    more: dict[str, Any] = {"questionnaire": {"contained": [inner]}}
    for code, messages in (("a", []), ("b", ["response-option"])):
        answer = {"valueCoding": {"system": "http://s.org", "code": code}}
        assert [one for one, _ in said(asked, [given("a", answer)], **dict(more))] == messages


def limit(name: str, value: dict[str, Any]) -> dict[str, Any]:
    return {"extension": [{"url": STRUCTURE + name, **value}]}


@pytest.mark.parametrize(
    ("question", "answer", "message"),
    [
        (ask("a", maxLength=3), {"valueString": "abcd"}, "response-too-long"),
        (
            ask("a", "integer", **limit("minValue", {"valueInteger": 5})),
            {"valueInteger": 4},
            "response-out-of-range",
        ),
        (
            ask("a", "integer", **limit("maxValue", {"valueInteger": 5})),
            {"valueInteger": 6},
            "response-out-of-range",
        ),
        (
            ask("a", "date", **limit("maxValue", {"valueDate": "2024-01-31"})),
            {"valueDate": "2024-02-01"},
            "response-out-of-range",
        ),
        (
            ask("a", "decimal", **limit("maxDecimalPlaces", {"valueInteger": 1})),
            {"valueDecimal": Decimal("1.25")},
            "response-decimals",
        ),
        (ask("a", "integer", **limit("maxValue", {"valueInteger": 5})), {"valueInteger": 5}, ""),
        (ask("a", maxLength=3), {"valueString": "abc"}, ""),
    ],
)
def test_an_answer_keeps_within_its_limits(question: Any, answer: Any, message: str) -> None:
    assert [one for one, _ in said([question], [given("a", answer)])] == ([message] if message else [])


def test_the_text_of_an_item_is_that_of_the_questionnaire() -> None:
    assert said([ask("a", text="Name  ?")], [given("a", {"valueString": "x"}, text="Name ?")]) == []
    assert said([ask("a", text="Name?")], [given("a", {"valueString": "x"}, text="Age?")]) == [
        ("response-text-differs", f"{TOP}.item[0].text")
    ]


NUMBER, YES = ask("n", "integer"), ask("y", "boolean")


@pytest.mark.parametrize(
    ("rules", "behavior", "number", "enabled"),
    [
        ([{"question": "n", "operator": ">", "answerInteger": 3}], "all", 4, True),
        ([{"question": "n", "operator": ">", "answerInteger": 3}], "all", 3, False),
        ([{"question": "n", "operator": "<=", "answerInteger": 3}], "all", 3, True),
        ([{"question": "n", "operator": "=", "answerInteger": 3}], "all", 3, True),
        ([{"question": "n", "operator": "!=", "answerInteger": 3}], "all", 3, False),
        ([{"question": "n", "operator": "exists", "answerBoolean": False}], "all", 3, False),
        (
            [
                {"question": "n", "operator": "=", "answerInteger": 3},
                {"question": "y", "operator": "=", "answerBoolean": True},
            ],
            "all",
            3,
            False,
        ),
        (
            [
                {"question": "n", "operator": "=", "answerInteger": 3},
                {"question": "y", "operator": "=", "answerBoolean": True},
            ],
            "any",
            3,
            True,
        ),
    ],
)
def test_rules_of_enabling_decide_what_may_and_must_be_there(
    rules: Any, behavior: str, number: int, enabled: bool
) -> None:
    asked = [NUMBER, YES, ask("a", required=True, enableWhen=rules, enableBehavior=behavior)]
    start = [given("n", {"valueInteger": number}), given("y", {"valueBoolean": False})]
    answered = said(asked, [*start, given("a", {"valueString": "x"})])
    assert answered == ([] if enabled else [("response-disabled", f"{TOP}.item[2]")])
    missing = said(asked, start)
    assert missing == ([("response-required", f"{TOP}.item")] if enabled else [])


def test_what_cannot_be_compared_is_neither_missed_nor_refused() -> None:
    rule = {"question": "q", "operator": ">", "answerQuantity": {"value": 1, "code": "g"}}
    asked = [ask("q", "quantity"), ask("a", required=True, enableWhen=[rule])]
    start = [given("q", {"valueQuantity": {"value": 1, "code": "kg"}})]
    assert said(asked, start) == []
    assert said(asked, [*start, given("a", {"valueString": "x"})]) == []


def test_answers_near_by_count_before_those_elsewhere() -> None:
    rule = {"question": "n", "operator": "=", "answerInteger": 1}
    asked = [ask("g", "group", repeats=True, item=[NUMBER, ask("a", enableWhen=[rule])])]
    first = given("g", item=[given("n", {"valueInteger": 1}), given("a", {"valueString": "x"})])
    second = given("g", item=[given("n", {"valueInteger": 2}), given("a", {"valueString": "x"})])
    assert said(asked, [first, second]) == [("response-disabled", f"{TOP}.item[1].item[1]")]
