"""Heart failure and a pacemaker in old age."""

from __future__ import annotations

from datetime import timedelta

from fhir_server.demo import basics, body, care, clinical, documents, medicate, observe
from fhir_server.demo.record import Chart, Visit
from fhir_server.demo.tables import observations
from fhir_server.demo.tables.codes import loinc, sct

_ECHO = sct("40701008", "Echocardiography")
_ECG = sct("29303009", "Electrocardiographic procedure")


def failure(chart: Chart) -> None:
    """Three years of heart failure: ejection fraction, NT-proBNP, weight, one admission, the last year.

    Source: AHA/ACC/HFSA guideline 2022, section 2.2 (reduced ejection fraction ≤ 40%), section 7.1 (diuretics).
    """
    for number, day in enumerate(chart.days(chart.years_ago(3), 130, 14)):
        visit = chart.visit(day, "cardiology")
        if number == 0:
            _start(chart, visit)
        if number % 3 == 0:
            _echo(chart, visit, 41 - number * 0.8)
        observe.panel(chart, visit, "cardiac", {"ntprobnp": 900 + 170 * number + chart.rng.gauss(0, 90)})
        if number % 4 == 0:
            observe.metabolic(chart, visit, 1.1 + 0.03 * number)
        observe.vital(chart, visit, "weight", body.weight(chart.person, visit.day) + chart.rng.gauss(0, 1))
        observe.blood_pressure(chart, visit, chart.rng.uniform(104, 126), chart.rng.uniform(58, 74))
    _admission(chart, chart.visit(chart.years_ago(0.25), "admission"))


def _start(chart: Chart, visit: Visit) -> None:
    """Add diagnoses, medicines and the plan."""
    clinical.problem(chart, visit, "heart-failure", visit.day - timedelta(days=30))
    clinical.problem(chart, visit, "fibrillation", visit.day - timedelta(days=700))
    for drug, reason in (
        ("furosemide", "heart-failure"),
        ("lisinopril", "heart-failure"),
        ("warfarin", "fibrillation"),
    ):
        medicate.prescribe(chart, visit, drug, reason, fills=5, catalogue=drug == "warfarin")
    care.plan(
        chart,
        visit,
        "Heart failure",
        "heart-failure",
        ((sct("183063000", "Low salt diet education"), "Weigh every morning, less than 5 g of salt a day"),),
        (care.Target("Weight change below 2 kg a week", days=90),),
        "cardiologist",
        "pharmacist",
    )


def _echo(chart: Chart, visit: Visit, fraction: float) -> None:
    """Add an ordered echocardiography with its report."""
    referral = clinical.order(chart, visit, _ECHO, sct("386053000", "Evaluation procedure"), "heart-failure")
    clinical.procedure(chart, visit, _ECHO, reason="heart-failure", ordered=referral)
    result = observe.clinical(
        chart,
        visit,
        ("imaging", "Imaging"),
        observations.EJECTION_FRACTION,
        {"valueQuantity": basics.quantity(round(fraction), "%", "%")},
    )
    rhythm = observe.clinical(
        chart,
        visit,
        ("procedure", "Procedure"),
        observations.EKG_IMPRESSION,
        {"valueString": "Atrial fibrillation, rate controlled"},
    )
    documents.note_report(
        chart,
        visit,
        documents.CARDIOLOGY,
        loinc("11524-6", "EKG study"),
        [rhythm, result],
        [
            f"Ejection fraction {round(fraction)}%.",
            "Impression: reduced systolic function, atrial fibrillation.",
        ],
        documents.media(chart, visit, "Rhythm strip", documents.ECG, documents.CHEST),
        referral,
    )


def _admission(chart: Chart, visit: Visit) -> None:
    """Add a stay for worsening heart failure."""
    clinical.diagnosis(chart, visit, "heart-failure")
    observe.oxygen(chart, visit, 89, flow=3, concentration=32)
    body.measure_vitals(chart, visit, (102, 60))
    observe.panel(chart, visit, "cardiac", {"ntprobnp": 5200})
    documents.note(
        chart,
        visit,
        documents.HISTORY,
        [
            "Breathless for four days, legs swollen, 3 kg heavier.",
            "Plan: intravenous diuretic, oxygen, daily weight.",
        ],
    )
    documents.note(
        chart,
        visit,
        documents.DISCHARGE,
        [
            "Worsening heart failure treated with diuretics, 4 kg lost.",
            "Furosemide continued. See in two weeks.",
        ],
        pdf=True,
    )


def pacemaker(chart: Chart) -> None:
    """A pacemaker for slow atrial fibrillation, with the device's UDI and yearly checks."""
    visit = chart.visit(chart.years_ago(2.2), "admission")
    body.measure_vitals(chart, visit)
    clinical.because(visit, chart.problems["fibrillation"])
    kind, serial = sct("424921004", "Permanent cardiac pacemaker, device"), f"PM{chart.person.number:06d}"
    device = clinical.implant(chart, visit, kind, "Evenbeat DR pacemaker", serial)
    operation = sct("307280005", "Implantation of cardiac pacemaker")
    referral = clinical.order(
        chart, visit, operation, sct("386053000", "Evaluation procedure"), "fibrillation"
    )
    clinical.procedure(
        chart,
        visit,
        operation,
        reason="fibrillation",
        ordered=referral,
        minutes=70,
        device=device,
        bodySite=[basics.concept(documents.CHEST)],
    )
    lines = [
        "Dual chamber pacemaker through the left subclavian vein. No complication.",
        "Device as recorded.",
    ]
    documents.note(chart, visit, documents.PROCEDURE_NOTE, lines)
    for years in (1.2, 0.3):
        check = chart.visit(chart.years_ago(years), "cardiology")
        clinical.procedure(chart, check, _ECG, reason="fibrillation", minutes=10)
        observe.clinical(
            chart,
            check,
            ("procedure", "Procedure"),
            observations.EKG_IMPRESSION,
            {"valueString": "Ventricular paced rhythm, 70/min"},
        )
