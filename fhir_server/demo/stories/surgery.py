"""A new knee, a colonoscopy with a polyp, a sprained ankle."""

from __future__ import annotations

from datetime import timedelta

from fhir_server.demo import basics, body, care, clinical, documents, medicate, observe
from fhir_server.demo.record import Chart, Visit
from fhir_server.demo.tables.codes import loinc, sct

_EXERCISE = sct("229065009", "Exercise therapy")
_KNEE = sct("609588000", "Total knee replacement")
_SURGICAL = sct("387713003", "Surgical procedure")


def knee(chart: Chart) -> None:
    """Osteoarthritis of the knee: pain, replacement with an implant, rehabilitation, weak bones treated."""
    first = chart.visit(chart.years_ago(2.4), "orthopedics")
    clinical.problem(chart, first, "knee", first.day - timedelta(days=1500))
    medicate.prescribe(chart, first, "acetaminophen", "knee", fills=2)
    referral = clinical.order(chart, first, _KNEE, _SURGICAL, "knee", days=200)
    stay = chart.visit(chart.years_ago(1.9), "admission")
    clinical.diagnosis(chart, stay, "knee", days=400)
    _operation(chart, stay, referral)
    for number, day in enumerate(chart.days(stay.day + timedelta(days=14), 14, 3, limit=6)):
        visit = chart.visit(day, "orthopedics")
        clinical.procedure(chart, visit, _EXERCISE, reason="knee", minutes=40)
        flexion = {"valueQuantity": basics.quantity(72 + 8 * number + chart.rng.randint(-2, 2), "deg", "deg")}
        observe.clinical(chart, visit, ("exam", "Exam"), "Knee flexion, active", flexion)
    if "bone" in chart.person.traits:
        medicate.prescribe(chart, chart.visits[-1], "alendronate", "knee", fills=3, quantity=36)


def _operation(chart: Chart, visit: Visit, referral: str) -> None:
    """Add the operation with its implant, vital signs and notes."""
    body.measure_vitals(chart, visit)
    observe.oxygen(chart, visit, 97)
    device = clinical.implant(
        chart,
        visit,
        sct("109228008", "Knee joint prosthesis"),
        "Bendwell total knee",
        f"KN{chart.person.number:06d}",
    )
    clinical.procedure(chart, visit, _KNEE, reason="knee", ordered=referral, minutes=95, device=device)
    observe.panel(chart, visit, "cbc", {"hemoglobin": 10.9, "hematocrit": 33.0})
    medicate.prescribe(chart, visit, "iron", "knee", quantity=30, until=visit.day + timedelta(days=60))
    documents.note(
        chart,
        visit,
        documents.PROCEDURE_NOTE,
        ["Cemented total knee replacement, right. Blood loss 250 mL. No complication."],
    )
    documents.note(
        chart,
        visit,
        documents.DISCHARGE,
        ["Walks with crutches on day 2. Wound dry.", "Exercise therapy twice a week for twelve weeks."],
        pdf=True,
    )
    care.plan(
        chart,
        visit,
        "After knee replacement",
        "knee",
        ((_EXERCISE, "Twice a week for twelve weeks"),),
        (care.Target("Bend the knee to 110 degrees", days=90, achievement="achieved"),),
        "surgeon",
        "nurse",
    )


def colon(chart: Chart) -> None:
    """Screening colonoscopy with a polyp removed. Source: USPSTF 2021, colorectal cancer screening (ages 45–75)."""
    visit = chart.visit(chart.years_ago(1.3), "endoscopy")
    body.measure_vitals(chart, visit)
    screening = sct("444783004", "Screening colonoscopy")
    referral = clinical.order(chart, visit, screening, sct("386053000", "Evaluation procedure"))
    clinical.diagnosis(chart, visit, "polyp", days=1)
    clinical.procedure(chart, visit, screening, ordered=referral, minutes=25)
    clinical.procedure(chart, visit, sct("311774002", "Colonoscopic polypectomy"), reason="polyp", minutes=8)
    image = documents.media(
        chart, visit, "Sigmoid polyp", documents.ENDOSCOPY, sct("71854001", "Colon structure")
    )
    finding = observe.clinical(
        chart,
        visit,
        ("procedure", "Procedure"),
        loinc("18746-8", "Colonoscopy study"),
        {"valueCodeableConcept": basics.concept(sct("68496003", "Polyp of colon"))},
    )
    documents.note_report(
        chart,
        visit,
        documents.PATHOLOGY,
        loinc("18746-8", "Colonoscopy study"),
        [finding],
        [
            "One 6 mm polyp in the sigmoid, removed whole.",
            "Impression: tubular adenoma without high-grade dysplasia.",
        ],
        image,
        referral,
    )
    documents.note(
        chart,
        visit,
        documents.PROCEDURE_NOTE,
        ["Good preparation, caecum reached.", "Next colonoscopy in seven years."],
        pdf=True,
    )


def sprain(chart: Chart) -> None:
    """A sprained ankle after football, better in five weeks."""
    visit = chart.visit(chart.years_ago(0.7), "emergency")
    body.measure_vitals(chart, visit)
    clinical.diagnosis(chart, visit, "sprain", days=35)
    observe.clinical(
        chart,
        visit,
        ("imaging", "Imaging"),
        loinc("19005-8", "Radiology Imaging study [Impression] (narrative)"),
        {"valueString": "No fracture."},
    )
    medicate.prescribe(chart, visit, "ibuprofen", "sprain", quantity=30, until=visit.day + timedelta(days=5))
    later = chart.visit(visit.day + timedelta(days=20), "sick")
    clinical.procedure(chart, later, _EXERCISE, reason="sprain", minutes=20)
    observe.observe(
        chart,
        later,
        ("us-core-observation-screening-assessment",),
        [basics.category("survey", "Survey")],
        basics.concept(loinc("72514-3", "Pain severity - 0-10 verbal numeric rating [Score] - Reported")),
        {"valueQuantity": basics.quantity(2, "{score}", "{score}")},
    )
