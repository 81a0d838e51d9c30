"""Asthma: peak flow diary, inhalers, one exacerbation with a steroid burst and taper."""

from __future__ import annotations

from datetime import date, timedelta

from fhir_server.demo import basics, body, care, clinical, documents, medicate, observe
from fhir_server.demo.record import Chart, Visit
from fhir_server.demo.tables import observations
from fhir_server.demo.tables.codes import sct


def best_peak_flow(chart: Chart, day: date) -> float:
    """Return the expected peak flow in L/min, never below 100.

    Source: Godfrey et al., Br J Dis Chest 1970;64:15 (children): 5.24 · height in cm − 426, rounded.
    """
    return max(100.0, 5.2 * body.height(chart.person, day) - 426)


def _clinic(chart: Chart) -> str:
    """Return the kind of visit: with the pediatrician until 18."""
    return "sick-child" if chart.person.age(chart.person.end) < 18 else "sick"


def asthma(chart: Chart) -> None:
    """Two years of asthma: diagnosis, controller, an exacerbation, good control afterwards."""
    start = chart.years_ago(2.2)
    first = chart.visit(start, _clinic(chart))
    clinical.problem(chart, first, "asthma", start - timedelta(days=90))
    body.measure_vitals(chart, first)
    medicate.prescribe(chart, first, "albuterol", "asthma", quantity=1, fills=2)
    _peak_flow(chart, first, first.day, 0.72)
    controller = chart.visit(start + timedelta(days=100), _clinic(chart))
    medicate.prescribe(chart, controller, "fluticasone", "asthma", quantity=1, fills=4, catalogue=True)
    _plan(chart, controller)
    attack = chart.visit(start + timedelta(days=260), "emergency")
    _attack(chart, attack)
    for number, day in enumerate(chart.days(start + timedelta(days=290), 160, 15)):
        visit = chart.visit(day, _clinic(chart))
        observe.oxygen(chart, visit, chart.rng.randint(96, 99))
        _peak_flow(chart, visit, visit.day, min(0.98, 0.86 + 0.03 * number))
    _diary(chart, attack)


def _peak_flow(chart: Chart, visit: Visit, day: date, share: float) -> None:
    """Add one peak flow at a share of the personal best."""
    value = round(best_peak_flow(chart, day) * share * (1 + chart.rng.gauss(0, 0.03)) / 5) * 5
    observe.clinical(
        chart,
        visit,
        ("procedure", "Procedure"),
        observations.PEAK_FLOW,
        {"valueQuantity": basics.quantity(value, "L/min", "L/min")},
    )


def _plan(chart: Chart, visit: Visit) -> None:
    """Add the asthma plan."""
    care.plan(
        chart,
        visit,
        "Asthma",
        "asthma",
        ((sct("699728000", "Asthma self management"), "Written action plan"),),
        (
            care.Target("No night waking from asthma", days=120),
            care.Target("Peak flow above 80% of personal best", days=120),
        ),
        "nurse-practitioner",
    )


def _attack(chart: Chart, visit: Visit) -> None:
    """Add the exacerbation: oxygen, steroid taper, discharge summary.

    Source: GINA 2023, box 4-3 and 4-4 (SpO2 target 94–98% in children, systemic steroids).
    """
    clinical.diagnosis(chart, visit, "exacerbation", days=9)
    observe.oxygen(chart, visit, 90, flow=3, concentration=32)
    heart, breath, _, _ = body.resting(chart.person, visit.day)
    observe.vital(chart, visit, "heart", heart[1] + 18)
    observe.vital(chart, visit, "breath", breath[1] + 10)
    _peak_flow(chart, visit, visit.day, 0.48)
    medicate.prescribe(
        chart,
        visit,
        "prednisone",
        "exacerbation",
        until=visit.day + timedelta(days=10),
        quantity=56,
    )
    clinical.procedure(chart, visit, sct("708409001", "Home nebulizer therapy"), reason="exacerbation")
    lines = ["Lungs hyperinflated, no consolidation.", "Impression: no pneumonia."]
    documents.chest_film(chart, visit, "Hyperinflation, no pneumonia.", lines)
    documents.note(
        chart,
        visit,
        documents.DISCHARGE,
        [
            "Acute asthma after a cold. SpO2 90% on arrival, 96% after treatment.",
            "Prednisone 40 mg for 5 days, then taper. Keep taking fluticasone.",
        ],
    )


def _diary(chart: Chart, attack: Visit) -> None:
    """Add a home peak flow diary: six days before to six days after the attack."""
    for offset in range(-6, 7):
        day = attack.day + timedelta(days=offset)
        if offset == 0 or day > chart.person.end:
            continue
        share = 0.85 - 0.04 * (6 + offset) if offset < 0 else min(0.9, 0.5 + 0.05 * offset)
        value = round(best_peak_flow(chart, day) * share / 5) * 5
        chart.add(
            "Observation",
            {
                "meta": basics.profile("us-core-observation-clinical-result"),
                "status": "final",
                "category": [basics.category("procedure", "Procedure")],
                "code": basics.concept(observations.PEAK_FLOW),
                "subject": chart.subject,
                "effectiveDateTime": basics.stamp(basics.at(day, 7, 30)),
                "performer": [chart.subject],
                "valueQuantity": basics.quantity(value, "L/min", "L/min"),
            },
            chart.visits[-1],
        )
