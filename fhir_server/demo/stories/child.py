"""Childhood: birth, well-child visits with growth and vaccines, refusals, ear and throat infections."""

from __future__ import annotations

from datetime import timedelta

from fhir_server.demo import basics, body, clinical, documents, medicate, observe
from fhir_server.demo.record import Chart, Visit
from fhir_server.demo.tables import observations, vaccines
from fhir_server.demo.tables.codes import sct

# Ages of well-child visits in days.
# Source: AAP/Bright Futures, Recommendations for Preventive Pediatric Health Care (periodicity schedule), 2024.
_WELL_VISITS: tuple[int, ...] = tuple(
    int(month * 30.44)
    for month in (0.15, 1, 2, 4, 6, 9, 12, 15, 18, 24, 30, *(year * 12 for year in range(3, 19)))
)


def birth(chart: Chart) -> None:
    """Birth in hospital: Apgar scores, first measures, first vaccine, discharge note."""
    visit = chart.visit(chart.person.birth, "birth")
    clinical.diagnosis(chart, visit, "livebirth", days=2)
    for minutes, code, score in ((1, observations.APGAR_1, 8), (5, observations.APGAR_5, 9)):
        observe.observe(
            chart,
            visit,
            ("us-core-observation-screening-assessment",),
            [basics.category("survey", "Survey")],
            basics.concept(code),
            {"valueQuantity": basics.quantity(score, "{score}", "{score}")},
            minutes,
        )
    body.measure_size(chart, visit)
    body.measure_vitals(chart, visit)
    if "detailed" in chart.person.traits:
        body.measure_detailed(chart, visit)
    observe.oxygen(chart, visit, 97)
    clinical.immunization(chart, visit, vaccines.HEPATITIS_B, 1, 3)
    documents.note(
        chart,
        visit,
        documents.DISCHARGE,
        [
            "Born at term, vaginal delivery. Apgar 8 and 9.",
            f"Weight {body.weight(chart.person, visit.day):.2f} kg.",
            f"Length {body.height(chart.person, visit.day):.1f} cm.",
            "Feeds well. Discharged home with mother; first visit at the clinic within five days.",
        ],
    )


def growth(chart: Chart) -> None:
    """All well-child visits so far, vaccines where they fall due; the latest three carry full measurements."""
    person = chart.person
    days = [person.birth + timedelta(days=age + chart.rng.randint(0, 4)) for age in _WELL_VISITS]
    days = [day for day in days if day <= person.end]
    waiting = [dose for dose in vaccines.CHILD if dose.age_days > 0 or not chart.visits]
    for number, day in enumerate(days):
        visit = chart.visit(day, "well-child")
        body.measure_size(chart, visit)
        if len(days) - number <= 3:
            body.measure_vitals(chart, visit)
        age = (visit.day - person.birth).days
        given = [dose for dose in waiting if dose.age_days <= age + 3]
        waiting = [dose for dose in waiting if dose not in given]
        for dose in given:
            clinical.immunization(chart, visit, dose.vaccine, dose.number, dose.series)
    if days:
        _last_visit(chart, chart.visits[-1])


def _last_visit(chart: Chart, visit: Visit) -> None:
    """Add a blood count, what is known of allergies and a note to the latest visit."""
    person = chart.person
    if "detailed" in person.traits and person.age(visit.day) >= 2:
        body.measure_detailed(chart, visit)
    if "allergic" in person.traits:
        clinical.allergy(
            chart,
            visit,
            sct("91935009", "Allergy to peanut"),
            (sct("247472004", "Wheal"), sct("39579001", "Anaphylaxis")),
            "food",
            "high",
            "severe",
        )
    else:
        clinical.no_allergy(chart, visit)
    if person.age(visit.day) > 0.9:
        observe.panel(chart, visit, "cbc", {"hemoglobin": chart.rng.uniform(11.6, 13.2)})
    documents.note(
        chart,
        visit,
        documents.PROGRESS,
        [
            "Reason: well-child visit.",
            f"Length/height percentile {body.percentile(person.stature_z):.0f}, growing along it.",
            f"Development as expected for {person.age(visit.day):.1f} years.",
            "Vaccines as recorded. Next visit by the schedule.",
        ],
    )


def refusal(chart: Chart) -> None:
    """Influenza vaccine refused two autumns in a row."""
    for years in (1.6, 0.6):
        visit = chart.visit(chart.years_ago(years), "sick-child")
        clinical.immunization(chart, visit, vaccines.INFLUENZA, 1, 1, refused=True)
        clinical.diagnosis(chart, visit, "pharyngitis", days=6)
        body.measure_vitals(chart, visit, fever=0.9)


def otitis(chart: Chart) -> None:
    """Middle ear infections treated with amoxicillin every eight hours.

    Source: AAP guideline acute otitis media 2013 (Lieberthal), key action statement 4A (first-line amoxicillin).
    """
    for years in (1.1, 0.5):
        visit = chart.visit(chart.years_ago(years), "sick-child")
        body.measure_vitals(chart, visit, fever=1.6)
        clinical.diagnosis(chart, visit, "otitis", days=10)
        medicate.prescribe(
            chart,
            visit,
            "amoxicillin",
            "otitis",
            until=visit.day + timedelta(days=10),
            quantity=30,
        )


def strep(chart: Chart) -> None:
    """Streptococcal sore throat: a positive test, amoxicillin, a family fever."""
    visit = chart.visit(chart.years_ago(0.9), "sick-child")
    body.measure_vitals(chart, visit, fever=1.8)
    clinical.diagnosis(chart, visit, "strep", days=8)
    sample = observe.specimen(chart, visit, observations.BLOOD)
    white = observe.lab(chart, visit, "wbc", 14.2, sample)
    observe.report(chart, visit, observations.LABS["wbc"].code, [white], [sample])
    medicate.prescribe(
        chart, visit, "amoxicillin", "strep", until=visit.day + timedelta(days=10), quantity=30
    )
    medicate.prescribe(chart, visit, "ibuprofen", "strep", until=visit.day + timedelta(days=5), quantity=30)
