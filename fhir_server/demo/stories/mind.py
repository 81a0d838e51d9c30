"""Depression, cognition, hardship: questionnaires and what follows from them."""

from __future__ import annotations

from datetime import timedelta

from fhir_server.demo import basics, body, care, clinical, documents, medicate, observe, surveys
from fhir_server.demo.record import Chart
from fhir_server.demo.tables import surveys as table
from fhir_server.demo.tables.codes import US_CORE_CS, Code, loinc, sct

_THERAPY = sct("228557008", "Cognitive and behavioral therapy")
_COUNSELLING = sct("409063005", "Counselling")
_SCREENING = sct("171207006", "Depression screening")


_WORSE = [
    "Sleep worse since a change of shifts, PHQ-9 up again. No thoughts of self-harm.",
    "Plan: more frequent sessions, keep the dose.",
]
_INCOME = loinc(
    "63586-2",
    "What was your best estimate of the total income of all "
    "family members from all sources, before taxes, in last year?",
)


def depression(chart: Chart) -> None:
    """Two years of depression: PHQ-9 falls under sertraline and therapy, a dip, then remission.

    Source: Kroenke 2001 (PHQ-9 ≥ 10 moderate); remission PHQ-9 < 5 and response ≥ 50% (APA guideline 2010,
    section II.A.6). Under 18 years sertraline is left out (FDA boxed warning), therapy alone is tried.
    """
    scores = (17, 14, 10, 12, 7, 4, 3)
    start = chart.years_ago(2)
    for number, day in enumerate(chart.days(start, 100, 10, limit=len(scores))):
        visit = chart.visit(
            day, "telehealth" if "telehealth" in chart.person.traits and number % 3 == 2 else "psychiatry"
        )
        score = max(0, scores[number] + chart.rng.randint(-1, 1))
        total = surveys.phq9(chart, visit, score, full=number == 0, by_patient=number % 2 == 0)
        if number == 0:
            clinical.problem(
                chart,
                visit,
                "depression",
                visit.day - timedelta(days=90),
                screening=Code(US_CORE_CS + "us-core-category", "functional-status", "Functional Status"),
            )
            surveys.simple(
                chart,
                visit,
                surveys.DISABILITY,
                table.DEPRESSION_SEVERITY,
                {"valueCodeableConcept": basics.concept(table.MODERATE)},
                [total],
            )
            _treatment(chart)
        if number == 3:
            documents.note(chart, visit, documents.PROGRESS, _WORSE)
    chart.visits[-1].encounter["reasonCode"] = [basics.concept(_SCREENING)]


def _treatment(chart: Chart) -> None:
    """Add medicine, therapy and the care plan at the current visit."""
    visit = chart.visits[-1]
    if chart.person.age(visit.day) >= 18:
        medicate.prescribe(chart, visit, "sertraline", "depression", fills=6, quantity=90)
    referral = clinical.order(chart, visit, _THERAPY, _COUNSELLING, "depression", days=30)
    clinical.procedure(chart, visit, _THERAPY, ordered=referral, reason="depression", minutes=50)
    care.plan(
        chart,
        visit,
        "Depression",
        "depression",
        (
            (_THERAPY, "Weekly sessions for twelve weeks"),
            (sct("229065009", "Exercise therapy"), "Walk every day"),
        ),
        (care.Target("PHQ-9 total below 5", table.PHQ9_TOTAL, "5", "{score}", 365, "improving"),),
        "psychiatrist",
    )


def cognition(chart: Chart) -> None:
    """What is known of thinking and daily life in old age, in words and as yes or no."""
    for years in (1.5, 0.5):
        visit = chart.visit(chart.years_ago(years), "office")
        surveys.simple(
            chart,
            visit,
            surveys.COGNITIVE,
            table.COGNITION,
            {"valueString": "Oriented to person and place, forgets appointments. Handles small purchases."},
        )
        body.measure_size(chart, visit)


def hardship(chart: Chart) -> None:
    """Food insecurity found by screening, help arranged, better after a year; transport costs too much."""
    first = chart.visit(chart.years_ago(2.1), "office")
    surveys.hunger(chart, first, (2, 2), declined=True)
    found = chart.visit(chart.years_ago(1.6), "office")
    if surveys.hunger(chart, found, (0, 1)):
        _food_help(chart)
    surveys.simple(
        chart, found, surveys.SDOH, sct("160695008", "Transport too expensive"), {"valueBoolean": True}
    )
    surveys.simple(
        chart,
        found,
        surveys.SDOH,
        loinc("76437-3", "Primary insurance"),
        {"valueCodeableConcept": basics.concept(text="Medicaid")},
    )
    income = basics.quantity(chart.rng.randrange(17000, 26000, 500), "US dollar per year", "{USD}/a")
    surveys.simple(chart, found, surveys.SDOH, _INCOME, {"valueQuantity": income})
    later = chart.visit(chart.years_ago(0.6), "office")
    surveys.hunger(chart, later, (2, 1))
    observe.social(
        chart,
        later,
        "us-core-smokingstatus",
        table.SMOKING,
        {"valueCodeableConcept": basics.concept(table.NEVER_SMOKED)},
    )


def _food_help(chart: Chart) -> None:
    """Add the problem, the referral and the goal."""
    visit = chart.visits[-1]
    clinical.problem(
        chart,
        visit,
        "food-insecurity",
        visit.day - timedelta(days=100),
        abated=visit.day + timedelta(days=330),
        concern=True,
        screening=clinical.SDOH,
    )
    pantry = sct("467771000124109", "Assistance with application for food pantry program")
    referral = clinical.order(chart, visit, pantry, clinical.SDOH, "food-insecurity", days=21)
    clinical.procedure(chart, visit, pantry, ordered=referral, reason="food-insecurity", minutes=0)
    care.plan(
        chart,
        visit,
        "Food",
        "food-insecurity",
        ((pantry, "Help with the food pantry form"),),
        (care.Target("Enough food every month", days=180, achievement="improving"),),
    )
