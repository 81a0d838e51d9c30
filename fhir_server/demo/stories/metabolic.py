"""Diabetes, prediabetes, hypertension, lipids and kidney disease as series that answer to treatment."""

from __future__ import annotations

from datetime import timedelta

from fhir_server.demo import basics, body, care, clinical, documents, medicate, observe
from fhir_server.demo.record import Chart, Visit
from fhir_server.demo.tables import observations, vitals
from fhir_server.demo.tables.codes import sct

EDUCATION = sct("409073007", "Education")
_DIET = sct("11816003", "Diet education")
_EXERCISE = sct("229065009", "Exercise therapy")
_SELF_MANAGEMENT = sct("698360004", "Diabetes self management plan")

# What follows each visit number: drug started, and the HbA1c (percentage points) it takes away in the end.
# Source: ADA Standards of Care 2024, section 9 and table 9.2 (glucose-lowering efficacy: metformin and basal
# insulin high, SGLT2 inhibitors intermediate); UKPDS 34 (1998) for metformin; sizes rounded.
_STEPS: dict[int, tuple[str, float]] = {
    0: ("metformin", 1.2),
    3: ("metformin-1000", 0.4),
    6: ("empagliflozin", 0.7),
    9: ("glargine", 0.6),
}


def average_glucose(a1c: float) -> float:
    """Return the estimated average glucose in mg/dL. Source: ADAG study, Nathan et al., Diabetes Care 2008;31:1473."""
    return 28.7 * a1c - 46.7


def diabetes(chart: Chart) -> None:
    """Type 2 diabetes for three years: quarterly HbA1c, glucose at home, weight, four steps of therapy.

    Diagnosis at HbA1c ≥ 6.5% (ADA Standards of Care 2024, table 2.2), then a natural rise of 0.2 points a year
    (UKPDS 33, Lancet 1998;352:837, figure 2) against the effect of each drug, which takes two visits to show.
    """
    base, start = chart.rng.uniform(8.4, 9.6), chart.years_ago(3.2)
    started: dict[int, float] = {}
    previous = ""
    for number, day in enumerate(chart.days(start, 92, 12)):
        visit = chart.visit(day, "endocrinology" if number % 4 == 3 else "follow-up")
        effect = sum(size * min(1.0, (number - at) / 2) for at, size in started.items())
        a1c = base + 0.05 * number - effect + chart.rng.gauss(0, 0.12)
        if number == 0:
            clinical.problem(chart, visit, "diabetes", visit.day - timedelta(days=120))
        _diabetes_findings(chart, visit, a1c, effect, number)
        if number in _STEPS:
            drug, started[number] = _STEPS[number]
            previous = _step(chart, visit, drug, previous, number)
    _glucose_diary(chart)


def _diabetes_findings(chart: Chart, visit: Visit, a1c: float, effect: float, number: int) -> None:
    """Add laboratory and weight of one visit; weight falls by up to 4 kg as control improves."""
    if number % 4 == 0:
        observe.panel(
            chart,
            visit,
            "diabetes",
            {"a1c": a1c, "glucose": average_glucose(a1c) * 0.92, "uacr": 14 + number * 1.6},
        )
    else:
        observe.panel(chart, visit, "a1c", {"a1c": a1c})
    heavy = body.weight(chart.person, visit.day) - 1.6 * effect + chart.rng.gauss(0, 0.4)
    observe.vital(chart, visit, "weight", heavy)
    chart.remember("weight", visit.day, (heavy,))
    chart.facts["a1c"] = a1c


def _step(chart: Chart, visit: Visit, drug: str, previous: str, number: int) -> str:
    """Return the drug just started; the dose it replaces is over (the first one also brings the care plan)."""
    until = None
    if drug == "metformin":
        until = visit.day + timedelta(days=276)
    medicate.prescribe(
        chart,
        visit,
        drug,
        "diabetes",
        until=until,
        fills=4,
        catalogue=drug == "glargine",
        quantity=10 if drug == "glargine" else 180 if drug.startswith("metformin") else 90,
    )
    if number == 0:
        target = care.Target("HbA1c below 7%", observations.LABS["a1c"].code, "7.0", "%", 365)
        care.plan(
            chart,
            visit,
            "Type 2 diabetes",
            "diabetes",
            (
                (_SELF_MANAGEMENT, "Diabetes self management training"),
                (_DIET, "Carbohydrate counting"),
                (_EXERCISE, "150 minutes of brisk walking a week"),
            ),
            (target, care.Target("Lose 4 kg", days=365, achievement="improving")),
            "endocrinologist",
            "pharmacist",
        )
        referral = clinical.order(chart, visit, _DIET, EDUCATION, "diabetes")
        clinical.procedure(chart, visit, _DIET, ordered=referral, reason="diabetes")
    return drug or previous


def _glucose_diary(chart: Chart) -> None:
    """Add ten days of fasting glucose measured at home, sent before the latest visit."""
    visit = chart.visits[-1]
    mean = average_glucose(chart.facts["a1c"]) * 0.85
    for back in range(10, 0, -1):
        when = basics.at(
            max(visit.day - timedelta(days=back), chart.person.birth), 7, chart.rng.randint(0, 50)
        )
        chart.add(
            "Observation",
            {
                "meta": basics.profile("us-core-observation-lab"),
                "status": "final",
                "category": [basics.category("laboratory", "Laboratory")],
                "code": basics.concept(observations.HOME_GLUCOSE),
                "subject": chart.subject,
                "effectiveDateTime": basics.stamp(when),
                "performer": [chart.subject],
                "valueQuantity": basics.quantity(round(chart.rng.gauss(mean, 14)), "mg/dL", "mg/dL"),
                "device": basics.ref(_meter(chart, visit)),
            },
            visit,
        )


def _meter(chart: Chart, visit: Visit) -> str:
    """Return the reference of the patient's glucose meter."""
    if "meter" not in chart.facts:
        chart.facts["meter"] = chart.add(
            "Device",
            {
                "status": "active",
                "manufacturer": "Tinkerwell Devices",
                "serialNumber": f"GM{chart.person.number:05d}",
                "deviceName": [{"name": "Drop Two glucose meter", "type": "user-friendly-name"}],
                "type": {"text": "Blood glucose meter"},
                "patient": chart.subject,
            },
            visit,
        )
    return str(chart.facts["meter"])


def prediabetes(chart: Chart) -> None:
    """Prediabetes kept in check by diet.

    Source: ADA 2024, table 2.2 (HbA1c 5.7–6.4%); DPP, N Engl J Med 2002;346:393.
    """
    for number, day in enumerate(chart.days(chart.years_ago(3), 182, 14)):
        visit = chart.visit(day, "follow-up")
        if number == 0:
            clinical.problem(chart, visit, "prediabetes", concern=True)
            clinical.problem(chart, visit, "obesity", visit.day - timedelta(days=900))
        observe.panel(chart, visit, "a1c", {"a1c": 6.3 - 0.07 * number + chart.rng.gauss(0, 0.08)})
        heavy = body.weight(chart.person, visit.day) - 0.7 * number
        observe.vital(chart, visit, "weight", heavy)
        chart.remember("weight", visit.day, (heavy,))


def hypertension(chart: Chart) -> None:
    """High blood pressure for two and a half years and three drugs.

    Source: ACC/AHA 2017 guideline, table 6 (stage 2 from 140/90), goal < 130/80 (section 8.1.5); each drug takes
    about 9/5 mmHg (Law, BMJ 2009;338:b1665, table 1), rounded.
    """
    drugs = ("lisinopril", "amlodipine", "hydrochlorothiazide")
    top, bottom, given = chart.rng.uniform(152, 166), chart.rng.uniform(92, 100), 0
    visits = [chart.visit(day, "office") for day in chart.days(chart.years_ago(2.6), 130, 15)]
    for number, visit in enumerate(visits):
        systolic, diastolic = top - 10 * given, bottom - 6 * given
        chart.remember("pressure", visit.day, (systolic, diastolic))
        if number == 0:
            clinical.problem(chart, visit, "hypertension", visit.day - timedelta(days=200))
            _blood_pressure_plan(chart, visit)
        observe.blood_pressure(
            chart, visit, systolic + chart.rng.gauss(0, 4), diastolic + chart.rng.gauss(0, 3)
        )
        if number % 2 == 0 and given < len(drugs) and systolic > 130:
            medicate.prescribe(chart, visit, drugs[given], "hypertension", fills=3)
            given += 1
    if not visits:
        return
    documents.note(
        chart,
        visits[-1],
        documents.PROGRESS,
        [
            f"Blood pressure now about {top - 10 * given:.0f}/{bottom - 6 * given:.0f} mmHg on {given} medicines.",
            "Goal: below 130/80 mmHg. Salt below 5 g a day.",
        ],
        pdf=True,
    )


def _blood_pressure_plan(chart: Chart, visit: Visit) -> None:
    """Add the care plan for blood pressure."""
    care.plan(
        chart,
        visit,
        "Blood pressure",
        "hypertension",
        (
            (sct("183063000", "Low salt diet education"), "Less than 5 g of salt a day"),
            (_EXERCISE, "Walk 30 minutes on five days a week"),
        ),
        (care.Target("Systolic blood pressure below 130 mmHg", vitals.SYSTOLIC, "130", "mm[Hg]"),),
    )


def lipids(chart: Chart) -> None:
    """Hyperlipidaemia: LDL halves on a statin.

    Source: ACC/AHA cholesterol guideline 2018, table 3: moderate intensity lowers LDL-C by 30–49%, high by ≥ 50%.
    """
    high = chart.rng.uniform(158, 188)
    for number, day in enumerate(chart.days(chart.years_ago(2.8), 260, 20)):
        visit = chart.visit(day, "office")
        share = 1.0 if number == 0 else 0.62 if number < 2 else 0.47
        ldl, hdl, fat = high * share + chart.rng.gauss(0, 4), chart.rng.gauss(46, 3), 190 - 40 * (1 - share)
        if number == 0:
            clinical.problem(chart, visit, "hyperlipidemia", visit.day - timedelta(days=400))
            medicate.prescribe(
                chart, visit, "atorvastatin", "hyperlipidemia", fills=4, until=visit.day + timedelta(days=530)
            )
        if number == 2:
            medicate.prescribe(chart, visit, "atorvastatin-80", "hyperlipidemia", fills=3)
        # Friedewald, Clin Chem 1972;18:499: LDL = total − HDL − triglycerides/5
        observe.panel(
            chart,
            visit,
            "lipid",
            {"ldl": ldl, "hdl": hdl, "triglyceride": fat, "cholesterol": ldl + hdl + fat / 5},
        )


def kidney(chart: Chart) -> None:
    """Chronic kidney disease: eGFR falls from the sixties, stages change, slower after a change of drug.

    Source: KDIGO 2024 CKD guideline, chapter 1 (stages by GFR), chapter 2 (rapid progression > 5 mL/min/1.73 m2 a
    year); RENAAL, N Engl J Med 2001;345:861 for slower decline on losartan (here from 5 to 3 a year).
    """
    creatinine = 1.22 if chart.person.sex == "male" else 0.98
    stage = ""
    for number, day in enumerate(chart.days(chart.years_ago(5), 215, 20)):
        visit = chart.visit(day, "nephrology")
        creatinine *= 1.065 if number < 5 else 1.035
        made = creatinine * (1 + chart.rng.gauss(0, 0.015))
        rate = observe.egfr(made, chart.person.age(visit.day), chart.person.sex)
        now = "ckd2" if rate >= 60 else "ckd3" if rate >= 30 else "ckd4"
        if now > stage:
            stage = now
            clinical.problem(chart, visit, stage, visit.day)
        observe.metabolic(chart, visit, made)
        chart.remember("creatinine", visit.day, (made,))
        if number % 2 == 0:
            observe.panel(chart, visit, "kidney", {"uacr": 60 + 36 * number + chart.rng.gauss(0, 10)})
        if number == 5:
            medicate.prescribe(chart, visit, "losartan", stage, fills=6)
            _kidney_plan(chart, visit, stage)


def _kidney_plan(chart: Chart, visit: Visit, stage: str) -> None:
    """Add the kidney care plan and the consult note."""
    care.plan(
        chart,
        visit,
        "Kidney disease",
        stage,
        ((_DIET, "Protein 0.8 g per kg a day"), (sct("430193006", "Medication Reconciliation"), "No NSAIDs")),
        (
            care.Target(
                "Albumin to creatinine ratio below 300 mg/g", observations.LABS["uacr"].code, "300", "mg/g"
            ),
        ),
        "nephrologist",
    )
    documents.note(
        chart,
        visit,
        documents.CONSULT,
        [
            "Kidney function falls by about 5 mL/min/1.73 m2 a year, albumin in urine rises.",
            "Plan: losartan 50 mg a day, check potassium, see again in five months.",
        ],
        pdf=True,
    )
