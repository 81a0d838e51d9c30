"""A pregnancy from the first test to the birth and the check afterwards."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

from fhir_server.demo import basics, body, care, clinical, documents, medicate, observe
from fhir_server.demo.record import Chart, Visit
from fhir_server.demo.tables import observations, surveys
from fhir_server.demo.tables.codes import sct

# Prenatal visits by completed week: every 4 weeks to 28, every 2 to 36, then weekly.
# Source: AAP/ACOG, Guidelines for Perinatal Care, 8th ed. (2017), chapter 6.
_WEEKS: tuple[int, ...] = (8, 12, 16, 20, 24, 28, 30, 32, 34, 36, 37, 38, 39)
# Weight gained by week in kg at a normal BMI (total 11.5–16).
# Source: IOM 2009, Weight Gain During Pregnancy, table S-1.
_GAIN: tuple[tuple[int, float], ...] = ((8, 0.5), (13, 1.6), (20, 4.6), (28, 8.0), (36, 11.5), (40, 13.0))
_ANTENATAL = sct("134435003", "Routine antenatal care")


def _gain(week: int) -> float:
    """Return the weight gained by the week in kg."""
    for (low, before), (high, after) in pairwise(_GAIN):
        if week <= high:
            return before + (after - before) * max(0, week - low) / (high - low)
    return _GAIN[-1][1]


def pregnancy(chart: Chart) -> None:
    """One pregnancy, delivered about a year ago; the second person with this plan is pregnant now."""
    ongoing = chart.person.number % 2 == 1 and chart.person.number % 25 != 3
    last_period = chart.person.end - timedelta(days=31 * 7 if ongoing else 660)
    intent = chart.visit(last_period - timedelta(days=120), "office")
    observe.social(
        chart,
        intent,
        "us-core-observation-pregnancyintent",
        surveys.PREGNANCY_INTENT,
        {"valueCodeableConcept": basics.concept(surveys.NOT_SURE)},
    )
    for week in _WEEKS:
        day = last_period + timedelta(days=week * 7 + chart.rng.randint(0, 4))
        if day > chart.person.end:
            break
        visit = chart.visit(day, "prenatal" if week > 8 else "prenatal-first")
        _prenatal(chart, visit, week, last_period, ongoing)
    if not ongoing:
        _delivery(chart, last_period + timedelta(days=276))


def _prenatal(chart: Chart, visit: Visit, week: int, last_period: date, ongoing: bool) -> None:
    """Add one prenatal visit."""
    rng = chart.rng
    heavy = body.weight(chart.person, last_period) + _gain(week) + rng.gauss(0, 0.3)
    observe.vital(chart, visit, "weight", heavy)
    chart.remember("weight", visit.day, (heavy,))
    observe.blood_pressure(chart, visit, rng.uniform(104, 120), rng.uniform(62, 76))
    _examine(chart, visit, week)
    observe.social(
        chart,
        visit,
        "us-core-observation-pregnancystatus",
        surveys.PREGNANCY_STATUS,
        {"valueCodeableConcept": basics.concept(surveys.PREGNANT)},
    )
    if week == 8:
        _first(chart, visit, last_period, ongoing)
    if week == 24:
        observe.panel(chart, visit, "challenge", {})
    if week == 28:
        observe.panel(chart, visit, "cbc", {"hemoglobin": 10.6, "hematocrit": 32.1})
        medicate.prescribe(
            chart, visit, "iron", "pregnancy", quantity=45, until=visit.day + timedelta(days=80)
        )


def _examine(chart: Chart, visit: Visit, week: int) -> None:
    """Add what is measured of the child: its age always, its heart and the height of the womb as they come."""
    found = [(observations.GESTATIONAL_AGE, basics.quantity(week, "weeks", "wk"))]
    if week >= 12:
        found.append((observations.FETAL_HEART, basics.quantity(chart.rng.randint(130, 155), "/min", "/min")))
    if week >= 20:
        found.append(
            (observations.FUNDAL_HEIGHT, basics.quantity(week + chart.rng.randint(-1, 1), "cm", "cm"))
        )
    for code, amount in found:
        observe.clinical(chart, visit, ("exam", "Exam"), code, {"valueQuantity": amount})


def _tested(chart: Chart, visit: Visit) -> None:
    """Add a positive test."""
    urine = observe.specimen(chart, visit, observations.URINE)
    positive = observe.observe(
        chart,
        visit,
        ("us-core-observation-lab",),
        [basics.category("laboratory", "Laboratory")],
        basics.concept(observations.URINE_HCG),
        {"valueCodeableConcept": basics.concept(sct("10828004", "Positive"))},
        specimen=basics.ref(urine),
    )
    observe.report(chart, visit, observations.URINE_HCG, [positive], [urine])


def _first(chart: Chart, visit: Visit, last_period: date, ongoing: bool) -> None:
    """Add test, due date (280 days after the last period, Naegele), problem, plan and referral."""
    _tested(chart, visit)
    observe.clinical(
        chart,
        visit,
        ("exam", "Exam"),
        observations.DUE_DATE,
        {"valueDateTime": (last_period + timedelta(days=280)).isoformat()},
    )
    clinical.problem(
        chart,
        visit,
        "pregnancy",
        last_period + timedelta(days=14),
        abated=None if ongoing else last_period + timedelta(days=276),
    )
    clinical.order(
        chart,
        visit,
        _ANTENATAL,
        sct("386053000", "Evaluation procedure"),
        "pregnancy",
        days=210,
        status="active" if ongoing else "completed",
    )
    care.plan(
        chart,
        visit,
        "Pregnancy",
        "pregnancy",
        ((_ANTENATAL, "Visits by the usual schedule"),),
        (care.Target("Gain 11.5 to 16 kg", days=220),),
        "obstetrician",
    )


def _delivery(chart: Chart, day: date) -> None:
    """Add the birth, the discharge note and the visit six weeks later."""
    visit = chart.visit(day, "delivery")
    visit.encounter["participant"].append({"individual": basics.ref(chart.facts["relative"])})
    body.measure_vitals(chart, visit)
    observe.oxygen(chart, visit, 98)
    clinical.because(visit, chart.problems["pregnancy"])
    clinical.procedure(
        chart, visit, sct("177184002", "Normal delivery procedure"), reason="pregnancy", minutes=420
    )
    medicate.prescribe(
        chart,
        visit,
        "acetaminophen",
        "pregnancy",
        quantity=30,
        until=visit.day + timedelta(days=7),
    )
    documents.note(
        chart,
        visit,
        documents.DISCHARGE,
        [
            "Spontaneous delivery at 39 weeks and 3 days, healthy child.",
            "Blood loss 300 mL. Discharged on day 2.",
        ],
    )
    after = chart.visit(day + timedelta(days=42), "office")
    body.measure_size(chart, after, body.weight(chart.person, day) + 4)
    chart.remember("weight", after.day, (body.weight(chart.person, day) + 3,))
    observe.social(
        chart,
        after,
        "us-core-observation-pregnancystatus",
        surveys.PREGNANCY_STATUS,
        {"valueCodeableConcept": basics.concept(surveys.NOT_PREGNANT)},
    )
