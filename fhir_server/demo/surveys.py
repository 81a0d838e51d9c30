"""PHQ-9 and Hunger Vital Sign: QuestionnaireResponse and the Observations derived from it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from fhir_server.demo import basics
from fhir_server.demo.observe import DECLINED, observe
from fhir_server.demo.record import Chart, Visit
from fhir_server.demo.tables import surveys as table
from fhir_server.demo.tables.codes import EXAMPLE, FHIR_SD, US_CORE, US_CORE_CS, Code, Json

_SURVEY = basics.category("survey", "Survey")
_SCREENING = "us-core-observation-screening-assessment"


def us_category(code: str, display: str) -> Json:
    """Return a US Core category (sdoh, functional-status …)."""
    return basics.concept(Code(US_CORE_CS + "us-core-category", code, display))


SDOH = us_category("sdoh", "SDOH")
DISABILITY = us_category("disability-status", "Disability Status")
COGNITIVE = us_category("cognitive-status", "Cognitive Status")


def _response(chart: Chart, visit: Visit, form: str, title: str, items: list[Json], by_patient: bool) -> str:
    """Return the reference of a QuestionnaireResponse to one of the shared questionnaires."""
    number = f"{chart.person.number:04d}-Q{len(chart.resources):04d}"
    return chart.add(
        "QuestionnaireResponse",
        {
            "meta": basics.profile("us-core-questionnaireresponse"),
            "identifier": basics.identifier("response", number),
            "questionnaire": f"{EXAMPLE}Questionnaire/{form}",
            "_questionnaire": {
                "extension": [
                    {"url": FHIR_SD + "display", "valueString": title},
                    {
                        "url": US_CORE + "us-core-extension-questionnaire-uri",
                        "valueUri": f"{EXAMPLE}forms/{form}",
                    },
                ]
            },
            "status": "completed",
            "subject": chart.subject,
            "encounter": basics.ref(visit.reference),
            "authored": basics.stamp(visit.moment(4)),
            "author": chart.subject if by_patient else visit.practitioner,
            "source": chart.subject,
            "item": items,
        },
        visit,
    )


def _item(code: Code, value: Json) -> Json:
    """Return a questionnaire response item with one answer."""
    return {"linkId": f"/{code.code}", "text": code.display, "answer": [value]}


def _split(chart: Chart, score: int) -> list[int]:
    """Return nine answers (0–3) that add up to the score."""
    answers = [0] * 9
    for _ in range(min(score, 27)):
        open_items = [index for index, answer in enumerate(answers) if answer < (2 if index == 8 else 3)]
        weights = [1 if index == 8 else 6 for index in open_items]
        answers[chart.rng.choices(open_items or [0], weights or [1])[0]] += 1
    return answers


def _phq9_response(chart: Chart, visit: Visit, answers: list[int], by_patient: bool) -> str:
    """Return the reference of the filled-in PHQ-9 form."""
    total = sum(answers)
    hard: Json = {"valueCoding": table.DIFFICULTY_ANSWERS[min(3, total // 7)].coding()}
    hard["item"] = [
        {"linkId": "/example", "text": "For example", "answer": [{"valueString": "Tired at work."}]}
    ]
    items = [
        _item(code, {"valueCoding": table.PHQ9_ANSWERS[answer].coding()})
        for code, answer in zip(table.PHQ9_ITEMS, answers, strict=True)
    ]
    comment = {"linkId": "/comment", "text": "Anything else", "answer": [{"valueString": "Support at home."}]}
    form = [
        {"linkId": "/44249-1", "text": "Over the last two weeks", "item": items},
        _item(table.PHQ9_TOTAL, {"valueDecimal": Decimal(total)}),
        _item(table.PHQ9_DIFFICULTY, hard),
        comment,
    ]
    return _response(chart, visit, "phq-9", "PHQ-9 depression screening", form, by_patient)


def phq9(chart: Chart, visit: Visit, score: int, full: bool = False, by_patient: bool = True) -> str:
    """Return the reference of the PHQ-9 total; `full` also makes one Observation per item and the panel."""
    answers = _split(chart, score)
    source = [basics.ref(_phq9_response(chart, visit, answers, by_patient))]

    def one(code: Code, value: Json, **more: Any) -> Json:
        """Return a reference to a new screening Observation."""
        profiles, kinds = (_SCREENING,), [_SURVEY, DISABILITY]
        return basics.ref(observe(chart, visit, profiles, kinds, basics.concept(code), value, **more))

    members: list[Json] = []
    if full:
        pairs = zip(table.PHQ9_ITEMS, answers, strict=True)
        chosen = [(code, basics.concept(table.PHQ9_ANSWERS[answer])) for code, answer in pairs]
        members = [one(code, {"valueCodeableConcept": answer}, derivedFrom=source) for code, answer in chosen]
    amount = basics.quantity(sum(answers), "{score}", "{score}")
    total = one(table.PHQ9_TOTAL, {"valueQuantity": amount}, derivedFrom=[*source, *members])
    if full:
        one(table.PHQ9_PANEL, {}, hasMember=[*members, total], derivedFrom=source)
    return str(total["reference"])


def hunger(chart: Chart, visit: Visit, often: tuple[int, int], declined: bool = False) -> bool:
    """Return whether the household is at risk; answers are indexes into HUNGER_ANSWERS (0 often … 2 never)."""
    if declined:
        _social_need(chart, visit, table.HUNGER_RISK, {"dataAbsentReason": DECLINED})
        return False
    risk = min(often) < 2
    rows = [(code, table.HUNGER_ANSWERS[one]) for code, one in zip(table.HUNGER_ITEMS, often, strict=True)]
    rows.append((table.HUNGER_RISK, table.AT_RISK if risk else table.NO_RISK))
    items = [_item(code, {"valueCoding": answer.coding()}) for code, answer in rows]
    source = [basics.ref(_response(chart, visit, "hunger-vital-sign", "Hunger Vital Sign", items, False))]
    members = [
        _social_need(
            chart, visit, code, {"valueCodeableConcept": basics.concept(answer), "derivedFrom": source}
        )
        for code, answer in rows
    ]
    _social_need(chart, visit, table.HUNGER_PANEL, {"hasMember": members, "derivedFrom": source})
    people = chart.rng.randint(2, 6)
    household = {"valueString": f"{people}, of whom {people // 2} children"}
    _social_need(chart, visit, table.HOUSEHOLD, household)
    return risk


def _social_need(chart: Chart, visit: Visit, code: Code, value: Json) -> Json:
    """Return a reference to a new screening Observation about social needs."""
    kinds = [_SURVEY, SDOH]
    return basics.ref(observe(chart, visit, (_SCREENING,), kinds, basics.concept(code), value))


def simple(
    chart: Chart, visit: Visit, category: Json, code: Code, value: Json, derived: list[str] | None = None
) -> str:
    """Return the reference of a US Core simple observation."""
    more: Json = {"derivedFrom": [basics.ref(one) for one in derived]} if derived else {}
    return observe(
        chart, visit, ("us-core-simple-observation",), [category], basics.concept(code), value, **more
    )
