"""Adult threads: yearly check-ups with social history, thyroid, giving up smoking, the unknown patient."""

from __future__ import annotations

from datetime import timedelta

from fhir_server.demo import basics, body, care, clinical, documents, medicate, observe
from fhir_server.demo.record import Chart, Visit
from fhir_server.demo.tables import observations, surveys, vaccines
from fhir_server.demo.tables.codes import Code, Json, hl7, loinc, sct

_SMOKING = {"never": surveys.NEVER_SMOKED, "ex-smoker": surveys.EX_SMOKER, "smoker": surveys.DAILY_SMOKER}


def checkups(chart: Chart) -> None:
    """Yearly check-ups for three years: vital signs, social history, laboratory, vaccines, a note."""
    person = chart.person
    first = chart.years_ago(min(3, person.age(person.end) - 18.2))
    visits = [chart.visit(day, "checkup") for day in chart.days(first, 365, 30)]
    if not visits:
        visits = [chart.visit(first, "checkup")]
    for number, visit in enumerate(visits):
        _measure(chart, visit)
        quit_day = chart.facts.get("quit", person.end)
        smoking(chart, visit, surveys.EX_SMOKER if visit.day > quit_day else _SMOKING[person.smoker])
        if number == 0:
            _first_visit(chart, visit)
            observe.metabolic(chart, visit, (chart.recall("creatinine", visit.day) or (None,))[0])
        if number == 2:
            observe.panel(chart, visit, "cbc", {})
    _vaccines(chart, visits)
    _last_note(chart, visits[-1])


def _measure(chart: Chart, visit: Visit) -> None:
    """Add size and vital signs as the other stories left them on the nearest day."""
    heavy, pressure = chart.recall("weight", visit.day), chart.recall("pressure", visit.day)
    body.measure_size(chart, visit, heavy[0] if heavy else None)
    body.measure_vitals(chart, visit, (pressure[0], pressure[1]) if pressure else None)


def _first_visit(chart: Chart, visit: Visit) -> None:
    """Add what is asked once."""
    person, rng = chart.person, chart.rng
    if "detailed" in person.traits:
        body.measure_detailed(chart, visit)
        _every_result_type(chart, visit)
    occupation(chart, visit)
    orientation = rng.choice(surveys.ORIENTATIONS)
    observe.observe(
        chart,
        visit,
        ("us-core-observation-sexual-orientation",),
        [basics.category("social-history", "Social History")],
        basics.concept(surveys.SEXUAL_ORIENTATION),
        {"valueCodeableConcept": basics.concept(orientation)},
    )
    if rng.random() < 0.3:
        clinical.allergy(
            chart,
            visit,
            sct("764146007", "Penicillin"),
            (sct("271807003", "Eruption of skin"),),
            "medication",
            "low",
        )
    else:
        clinical.no_allergy(chart, visit)
    medicate.reported(chart, visit, "acetaminophen")
    if person.sex == "female" and person.age(visit.day) < 50:
        for about, question, reply in (
            ("status", surveys.PREGNANCY_STATUS, surveys.NOT_PREGNANT),
            ("intent", surveys.PREGNANCY_INTENT, surveys.NOT_SURE),
        ):
            profile, value = f"us-core-observation-pregnancy{about}", basics.concept(reply)
            observe.social(chart, visit, profile, question, {"valueCodeableConcept": value})


def _every_result_type(chart: Chart, visit: Visit) -> None:
    """Add a urine test with words, a coded blood group, an absent result, and coded and numeric exam results."""
    urine = observe.specimen(chart, visit, observations.URINE)
    blood = observe.specimen(chart, visit, observations.BLOOD)
    lab = [basics.category("laboratory", "Laboratory")]
    rows: tuple[tuple[Code, Json, str], ...] = (
        (observations.URINE_COLOR, {"valueString": "Yellow, clear"}, urine),
        (
            observations.ABO_GROUP,
            {"valueCodeableConcept": basics.concept(sct("112144000", "Blood group A"))},
            blood,
        ),
        (observations.LABS["uacr"].code, {"dataAbsentReason": observe.NOT_PERFORMED}, urine),
    )
    made = [
        observe.observe(
            chart,
            visit,
            ("us-core-observation-lab",),
            lab,
            basics.concept(code),
            value,
            specimen=basics.ref(sample),
        )
        for code, value, sample in rows
    ]
    observe.report(chart, visit, loinc("11502-2", "Laboratory report"), made, [urine, blood])
    exam, ejection = ("exam", "Exam"), loinc("10230-1", "Left ventricular Ejection fraction")
    regular = {"valueCodeableConcept": basics.concept(text="Regular")}
    observe.clinical(chart, visit, exam, loinc("8884-9", "Heart rate rhythm"), regular)
    observe.clinical(chart, visit, exam, ejection, {"dataAbsentReason": observe.NOT_PERFORMED})


def smoking(chart: Chart, visit: Visit, status: Code) -> None:
    """Add the smoking status."""
    observe.social(
        chart,
        visit,
        "us-core-smokingstatus",
        surveys.SMOKING,
        {"valueCodeableConcept": basics.concept(status)},
    )


def occupation(chart: Chart, visit: Visit) -> None:
    """Add occupation and industry, held since ten years at most."""
    person, rng = chart.person, chart.rng
    job, industry = rng.choice(surveys.JOBS)
    held = (basics.concept(text=job), basics.concept(text=industry))
    if person.number % 6 == 0:
        held = (basics.concept(surveys.NURSING_ASSISTANT), basics.concept(surveys.HOME_NURSING))
    start = max(person.birth + timedelta(days=int(18 * 365.25)), visit.day - timedelta(days=3650))
    kept = {"effectivePeriod": {"start": start.isoformat()}}
    chart.add(
        "Observation",
        {
            "meta": basics.profile("us-core-observation-occupation"),
            "status": "final",
            "category": [basics.category("social-history", "Social History")],
            "code": basics.concept(surveys.OCCUPATION),
            "subject": chart.subject,
            "encounter": basics.ref(visit.reference),
            **kept,
            "performer": [visit.practitioner],
            "valueCodeableConcept": held[0],
            "component": [{"code": basics.concept(surveys.INDUSTRY), "valueCodeableConcept": held[1]}],
        },
        visit,
    )


def _vaccines(chart: Chart, visits: list[Visit]) -> None:
    """Add influenza at every check-up, COVID-19 once, and the adult schedule at the last one."""
    for visit in visits:
        clinical.immunization(chart, visit, vaccines.INFLUENZA, 1, 1)
    clinical.immunization(chart, visits[0], vaccines.COVID, 1, 1)
    age = chart.person.age(visits[-1].day)
    for vaccine, first, _ in vaccines.ADULT:
        if age >= first:
            clinical.immunization(chart, visits[-1], vaccine, 1, 2 if vaccine is vaccines.ZOSTER else 1)


def _last_note(chart: Chart, visit: Visit) -> None:
    """Add the note of the latest check-up."""
    person = chart.person
    heavy = (chart.recall("weight", visit.day) or (body.weight(person, visit.day),))[0]
    index = heavy / (body.height(person, visit.day) / 100) ** 2
    documents.note(
        chart,
        visit,
        documents.PROGRESS,
        [
            "Reason: yearly check-up.",
            f"Age {int(person.age(visit.day))}. Feels well apart from the problems listed.",
            f"Weight {heavy:.1f} kg, BMI {index:.1f} kg/m2.",
            "Plan: continue medicines as listed, return in one year.",
        ],
    )


def thyroid(chart: Chart) -> None:
    """Hypothyroidism: high TSH, levothyroxine, normal after some months.

    Source: ATA guideline 2014 (Jonklaas), recommendations 2 and 22: titrate to a TSH in the reference range,
    recheck 4–6 weeks after each change. TSH course: invented, exponential approach to 2.2 mIU/L.
    """
    start = chart.years_ago(3.4)
    for number, day in enumerate(chart.days(start, 60, 10, limit=4)):
        _thyroid_visit(chart, chart.visit(day, "endocrinology"), number)
    for number, day in enumerate(chart.days(start + timedelta(days=420), 365, 20), 9):
        _thyroid_visit(chart, chart.visit(day, "follow-up"), number)


def _thyroid_visit(chart: Chart, visit: Visit, number: int) -> None:
    """Add one thyroid visit."""
    tsh = 2.2 + 9.5 * 0.42**number + abs(chart.rng.gauss(0, 0.2))
    if number == 0:
        clinical.problem(chart, visit, "hypothyroidism", visit.day - timedelta(days=60))
    observe.panel(chart, visit, "thyroid", {"tsh": tsh, "t4": 1.25 - 0.6 * 0.42**number})
    body.measure_size(chart, visit)
    if number == 0:
        medicate.prescribe(chart, visit, "levothyroxine", "hypothyroidism", fills=6, catalogue=True)
        care.plan(
            chart,
            visit,
            "Hypothyroidism",
            "hypothyroidism",
            ((sct("430193006", "Medication Reconciliation"), "Check how and when levothyroxine is taken"),),
            (
                care.Target(
                    "TSH below 4 mIU/L", observations.LABS["tsh"].code, "4", "m[IU]/L", 180, "achieved"
                ),
            ),
            "endocrinologist",
        )


def quitting(chart: Chart) -> None:
    """A smoker who gives up in the last year."""
    day = chart.years_ago(0.8)
    visit = chart.visit(day, "office", sct("225323000", "Smoking cessation education"))
    smoking(chart, visit, surveys.DAILY_SMOKER)
    referral = clinical.order(
        chart, visit, sct("225323000", "Smoking cessation education"), sct("409063005", "Counselling")
    )
    clinical.procedure(
        chart, visit, sct("225323000", "Smoking cessation education"), ordered=referral, minutes=15
    )
    later = chart.visit(chart.years_ago(0.2), "office")
    smoking(chart, later, surveys.EX_SMOKER)
    chart.facts["quit"] = visit.day


def unknown(chart: Chart) -> None:
    """Someone nobody knows yet, brought to the emergency room: what is missing says why."""
    visit = chart.visit(chart.person.end - timedelta(days=6), "emergency")
    observe.vital(chart, visit, "heart", 118)
    observe.vital(chart, visit, "breath", 24)
    observe.vital(chart, visit, "temperature", 38.9)
    observe.vital_absent(chart, visit, "weight", basics.absent("unknown", "Unknown"))
    observe.vital_absent(chart, visit, "height", basics.absent("unknown", "Unknown"))
    observe.oxygen(chart, visit, 91, flow=4, concentration=36)
    observe.blood_pressure(chart, visit, 96, 58)
    clinical.diagnosis(chart, visit, "bronchitis")
    white = observe.lab(chart, visit, "wbc", 13.4, observe.specimen(chart, visit, observations.BLOOD))
    lines = ["No consolidation, no effusion.", "Impression: no pneumonia."]
    documents.chest_film(chart, visit, "No consolidation.", lines, white)
    chart.add(
        "AllergyIntolerance",
        {
            "meta": basics.profile("us-core-allergyintolerance"),
            "clinicalStatus": basics.concept(hl7("allergyintolerance-clinical", "active", "Active")),
            "verificationStatus": basics.concept(
                hl7("allergyintolerance-verification", "unconfirmed", "Unconfirmed")
            ),
            "code": basics.concept(
                Code("http://terminology.hl7.org/CodeSystem/data-absent-reason", "unknown", "Unknown")
            ),
            "patient": chart.subject,
            "recordedDate": basics.stamp(visit.moment(8)),
        },
        visit,
    )
    medicate.prescribe(chart, visit, "ibuprofen", "bronchitis", quantity=30)
