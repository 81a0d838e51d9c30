"""A form and its right answers, and every way in which answers go wrong."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from resources.outcome import STRUCTURE
from tests.conformance.validate.mutations import Mutation
from tests.conformance.validate.places import Json

URL = "http://nowhere.test/Questionnaire/form"
TOP = "QuestionnaireResponse"
YES = {"system": "http://terminology.hl7.org/CodeSystem/v2-0136", "code": "Y"}
NO = {"system": "http://terminology.hl7.org/CodeSystem/v2-0136", "code": "N"}


def _limit(name: str, **value: Any) -> Json:
    return {"url": STRUCTURE + name, **value}


FORM: Json = {
    "resourceType": "Questionnaire",
    "url": URL,
    "status": "active",
    "subjectType": ["Patient"],
    "item": [
        {
            "linkId": "person",
            "type": "group",
            "item": [
                {"linkId": "name", "type": "string", "required": True, "maxLength": 10},
                {
                    "linkId": "age",
                    "type": "integer",
                    "extension": [_limit("minValue", valueInteger=0), _limit("maxValue", valueInteger=150)],
                },
                {
                    "linkId": "weight",
                    "type": "decimal",
                    "extension": [_limit("maxDecimalPlaces", valueInteger=1)],
                },
            ],
        },
        {
            "linkId": "smokes",
            "type": "choice",
            "answerOption": [{"valueCoding": YES}, {"valueCoding": NO}],
            "item": [{"linkId": "since", "type": "date"}],
        },
        {
            "linkId": "packs",
            "type": "integer",
            "enableWhen": [{"question": "smokes", "operator": "=", "answerCoding": YES}],
        },
        {
            "linkId": "gender",
            "type": "choice",
            "answerValueSet": "http://hl7.org/fhir/ValueSet/administrative-gender",
        },
        {"linkId": "place", "type": "choice", "answerValueSet": "http://nowhere.test/ValueSet/places"},
    ],
}

GENDER = "http://hl7.org/fhir/administrative-gender"
RESPONSE: Json = {
    "resourceType": TOP,
    "status": "completed",
    "questionnaire": URL,
    "item": [
        {
            "linkId": "person",
            "item": [
                {"linkId": "name", "answer": [{"valueString": "Ada"}]},
                {"linkId": "age", "answer": [{"valueInteger": 36}]},
                {"linkId": "weight", "answer": [{"valueDecimal": 61}]},
            ],
        },
        {
            "linkId": "smokes",
            "answer": [
                {"valueCoding": YES, "item": [{"linkId": "since", "answer": [{"valueDate": "2001"}]}]}
            ],
        },
        {"linkId": "packs", "answer": [{"valueInteger": 1}]},
        {"linkId": "gender", "answer": [{"valueCoding": {"system": GENDER, "code": "female"}}]},
    ],
}


def _broken(change: Callable[[list[Any]], Any], message: str, where: str, **more: Any) -> Mutation:
    response = copy.deepcopy(RESPONSE) | more
    change(response["item"])
    return Mutation(f"answers: {message}", response, message, f"{TOP}.{where}" if where else TOP)


def _answer(item: Json, **value: Any) -> None:
    item["answer"] = [value]


def answers() -> Iterator[Mutation]:
    """Yield responses to `FORM`, each with one mistake."""
    person = "item[0]"
    yield _broken(
        lambda i: _answer(i[0]["item"][0], valueString="x" * 11),
        "response-too-long",
        f"{person}.item[0].answer[0].value",
    )
    age = f"{person}.item[1].answer[0].value"
    yield _broken(lambda i: _answer(i[0]["item"][1], valueInteger=-1), "response-out-of-range", age)
    yield _broken(lambda i: _answer(i[0]["item"][1], valueInteger=151), "response-out-of-range", age)
    yield _broken(
        lambda i: i[0]["item"][2].update(answer=[{"valueDecimal": Decimal("61.25")}]),
        "response-decimals",
        f"{person}.item[2].answer[0].value",
    )
    yield _broken(lambda i: i[0]["item"].pop(0), "response-required", f"{person}.item")
    yield _broken(
        lambda i: i[0]["item"].pop(0), "response-required-later", f"{person}.item", status="in-progress"
    )
    yield _broken(lambda i: i[0]["item"].reverse(), "response-order", f"{person}.item[1]")
    yield _broken(lambda i: i.append(i.pop(1)), "response-order", "item[3]")
    yield _broken(lambda i: i.insert(1, i[0]), "response-item-repeats", "item[1]")
    yield _broken(lambda i: i.append(i[0]["item"].pop(1)), "response-linkid-misplaced", "item[4].linkId")
    yield _broken(
        lambda i: i[0]["item"].append(i.pop(3)), "response-linkid-misplaced", f"{person}.item[3].linkId"
    )
    yield _broken(
        lambda i: i[1].update(item=i[1]["answer"][0].pop("item")), "response-nesting", "item[1].item"
    )
    yield _broken(lambda i: _answer(i[1], valueCoding=NO), "response-disabled", "item[2]")
    yield _broken(lambda i: i.pop(1), "response-disabled", "item[1]")
    other = YES | {"code": "bogus"}
    yield _broken(lambda i: _answer(i[1], valueCoding=other), "response-option", "item[1].answer[0].value")
    wrong = {"system": GENDER, "code": "bogus"}
    yield _broken(lambda i: _answer(i[3], valueCoding=wrong), "response-option", "item[3].answer[0].value")
    place = {"linkId": "place", "answer": [{"valueCoding": YES}]}
    yield _broken(lambda i: i.append(place), "response-valueset-unknown", "item[4].answer[0].value")
    yield _broken(lambda i: _answer(i[0], valueString="x"), "response-answer-to-group", f"{person}.answer")
    yield _broken(lambda i: _answer(i[2], valueString="x"), "response-answer-type", "item[2].answer[0].value")
    unknown = "http://nowhere.test/Questionnaire/other"
    yield _broken(lambda i: None, "response-questionnaire-unknown", "questionnaire", questionnaire=unknown)
    nameless = {key: value for key, value in RESPONSE.items() if key != "questionnaire"}
    yield Mutation("answers: no form", nameless, "response-questionnaire-missing", TOP)


def questions() -> Iterator[Mutation]:
    """Yield `FORM` with values of a wrong type."""
    when = {"question": "smokes", "operator": "=", "answerInteger": 1}
    for name, where, value in (
        ("enable", "enableWhen[0].answer", {"enableWhen": [when]}),
        ("option", "answerOption[0].value", {"answerOption": [{"valueString": "one"}]}),
        ("initial", "initial[0].value", {"initial": [{"valueString": "one"}]}),
    ):
        form = copy.deepcopy(FORM)
        form["item"][2].update(value)
        yield Mutation(
            f"questions: {name}", form, f"questionnaire-{name}-type", f"Questionnaire.item[2].{where}"
        )
