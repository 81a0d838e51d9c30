"""Observations: vital signs, laboratory results with specimen and report, social history, other results."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from fhir_server.demo import basics
from fhir_server.demo.record import Chart, Visit, shared
from fhir_server.demo.tables import observations as table
from fhir_server.demo.tables import vitals
from fhir_server.demo.tables.codes import Code, Json, hl7

_VITAL = basics.category("vital-signs", "Vital Signs")
_LAB = basics.category("laboratory", "Laboratory")
NOT_PERFORMED = basics.absent("not-performed", "Not Performed")
DECLINED = basics.absent("asked-declined", "Asked But Declined")


def observe(
    chart: Chart,
    visit: Visit,
    profiles: tuple[str, ...],
    categories: list[Json],
    code: Json,
    value: Json,
    minutes: int = 5,
    **more: Any,
) -> str:
    """Return the reference of a new final Observation; `value` is e.g. {"valueQuantity": …} or {} for none."""
    return chart.add(
        "Observation",
        {
            "meta": basics.profile(*profiles),
            "status": "final",
            "category": categories,
            "code": code,
            "subject": chart.subject,
            "encounter": basics.ref(visit.reference),
            "effectiveDateTime": basics.stamp(visit.moment(minutes)),
            "performer": [visit.practitioner],
            **value,
            **more,
        },
        visit,
    )


def vital(chart: Chart, visit: Visit, key: str, value: float, **more: Any) -> str:
    """Return the reference of one vital sign."""
    row = vitals.VITALS[key]
    amount = basics.quantity(basics.number(value, row.places), row.unit, row.ucum)
    return observe(
        chart, visit, (row.profile,), [_VITAL], basics.concept(row.code), {"valueQuantity": amount}, **more
    )


def vital_absent(chart: Chart, visit: Visit, key: str, reason: Json = NOT_PERFORMED) -> str:
    """Return the reference of a vital sign that was not taken, saying why; so does its companion component."""
    row, companion = vitals.VITALS[key], vitals.VITALS[vitals.COMPANION[key]]
    component = [{"code": basics.concept(companion.code), "dataAbsentReason": reason}]
    return observe(
        chart,
        visit,
        (row.profile,),
        [_VITAL],
        basics.concept(row.code),
        {},
        dataAbsentReason=reason,
        component=component,
    )


def vital_detailed(chart: Chart, visit: Visit, key: str, value: float, companion: float) -> str:
    """Return the reference of a vital sign whose device reports its companion in the same reading."""
    other = vitals.VITALS[vitals.COMPANION[key]]
    amount = basics.quantity(basics.number(companion, other.places), other.unit, other.ucum)
    return vital(
        chart, visit, key, value, component=[{"code": basics.concept(other.code), "valueQuantity": amount}]
    )


def blood_pressure(chart: Chart, visit: Visit, systolic: float, diastolic: float, mean: bool = False) -> str:
    """Return the reference of a blood pressure panel; with `mean` the device's mean pressure is its value."""
    value: Json = {}
    if mean:
        value = {
            "valueQuantity": basics.quantity(round((systolic + 2 * diastolic) / 3), "mm[Hg]", "mm[Hg]"),
            "note": [{"text": "Oscillometric device; the panel's own value is its mean arterial pressure."}],
        }
    parts = [
        {"code": basics.concept(code), "valueQuantity": basics.quantity(round(amount), "mm[Hg]", "mm[Hg]")}
        for code, amount in ((vitals.SYSTOLIC, systolic), (vitals.DIASTOLIC, diastolic))
    ]
    return observe(
        chart,
        visit,
        ("us-core-blood-pressure",),
        [_VITAL],
        basics.concept(vitals.BLOOD_PRESSURE),
        value,
        component=parts,
    )


def blood_pressure_absent(chart: Chart, visit: Visit) -> str:
    """Return the reference of a blood pressure that could not be measured."""
    parts = [
        {"code": basics.concept(code), "dataAbsentReason": NOT_PERFORMED}
        for code in (vitals.SYSTOLIC, vitals.DIASTOLIC)
    ]
    return observe(
        chart,
        visit,
        ("us-core-blood-pressure",),
        [_VITAL],
        basics.concept(vitals.BLOOD_PRESSURE),
        {},
        dataAbsentReason=NOT_PERFORMED,
        component=parts,
    )


def oxygen(
    chart: Chart,
    visit: Visit,
    percent: int | None,
    flow: float | None = None,
    concentration: float | None = None,
    extra_absent: bool = False,
) -> str:
    """Return the reference of a pulse oximetry; flow in L/min, concentration in %; None percent = not taken."""
    value: Json = {"dataAbsentReason": NOT_PERFORMED}
    if percent is not None:
        value = {"valueQuantity": basics.quantity(percent, "%", "%")}
    parts: list[Json] = []
    for code, amount, unit in ((vitals.FLOW_RATE, flow, "L/min"), (vitals.CONCENTRATION, concentration, "%")):
        if amount is not None:
            parts.append(
                {
                    "code": basics.concept(code),
                    "valueQuantity": basics.quantity(basics.number(amount, 0), unit, unit),
                }
            )
        elif extra_absent:
            parts.append({"code": basics.concept(code), "dataAbsentReason": NOT_PERFORMED})
    if parts:
        value["component"] = parts
    return observe(
        chart,
        visit,
        ("us-core-pulse-oximetry",),
        [_VITAL],
        basics.concept(vitals.O2_SAT, vitals.PULSE_OX),
        value,
    )


def _flag(low: float | None, high: float | None, value: float) -> Json:
    """Return the interpretation (L, N or H) of a value in its reference range."""
    code, text = (
        ("L", "Low")
        if low is not None and value < low
        else ("H", "High")
        if (high is not None and value > high)
        else ("N", "Normal")
    )
    return basics.concept(hl7("v3-ObservationInterpretation", code, text))


def _range(row: table.Lab) -> Json:
    """Return the reference range of a test."""
    made: Json = {}
    for end, limit in (("low", row.low), ("high", row.high)):
        if limit is not None:
            made[end] = basics.quantity(basics.number(limit, row.places), row.unit, row.ucum)
    return {**made, "text": f"Source: {row.source}"}


def lab(chart: Chart, visit: Visit, key: str, value: float, specimen: str, minutes: int = 15) -> str:
    """Return the reference of one laboratory result."""
    row = table.LABS[key]
    amount = basics.number(value, row.places)
    return observe(
        chart,
        visit,
        ("us-core-observation-lab",),
        [_LAB],
        basics.concept(row.code),
        {"valueQuantity": basics.quantity(amount, row.unit, row.ucum)},
        minutes,
        interpretation=[_flag(row.low, row.high, float(amount))],
        referenceRange=[_range(row)],
        specimen=basics.ref(specimen),
    )


def specimen(chart: Chart, visit: Visit, kind: Code, minutes: int = 15) -> str:
    """Return the reference of a new specimen collected at the visit."""
    number = f"{chart.person.number:04d}-S{len(chart.resources):04d}"
    return chart.add(
        "Specimen",
        {
            "meta": basics.profile("us-core-specimen"),
            "accessionIdentifier": basics.identifier("accession", number),
            "status": "available",
            "type": basics.concept(kind),
            "subject": chart.subject,
            "receivedTime": basics.stamp(visit.moment(minutes + 90)),
            "collection": {
                "collector": shared("Practitioner", "nurse"),
                "collectedDateTime": basics.stamp(visit.moment(minutes)),
            },
        },
        visit,
    )


def panel(chart: Chart, visit: Visit, key: str, values: dict[str, float], ordered: str | None = None) -> str:
    """Return the reference of a lab report with one result per test; tests without a value are in health."""
    code, tests = table.PANELS[key]
    drawn: dict[Code, str] = {}
    results = []
    for name in tests:
        row = table.LABS[name]
        if row.specimen not in drawn:
            drawn[row.specimen] = specimen(chart, visit, row.specimen)
        value = values.get(name)
        results.append(
            lab(chart, visit, name, usual(chart, name) if value is None else value, drawn[row.specimen])
        )
    return report(chart, visit, code, results, list(drawn.values()), ordered)


def report(
    chart: Chart,
    visit: Visit,
    code: Code,
    results: list[str],
    specimens: list[str],
    ordered: str | None = None,
) -> str:
    """Return the reference of a laboratory DiagnosticReport, issued four hours after the sample."""
    issued: datetime = visit.moment(15) + timedelta(hours=4)
    body: Json = {
        "meta": basics.profile("us-core-diagnosticreport-lab"),
        "status": "final",
        "category": [basics.concept(hl7("v2-0074", "LAB", "Laboratory"))],
        "code": basics.concept(code),
        "subject": chart.subject,
        "encounter": basics.ref(visit.reference),
        "effectiveDateTime": basics.stamp(visit.moment(15)),
        "issued": basics.stamp(issued),
        "performer": [shared("Organization", "lab"), visit.practitioner],
        "specimen": [basics.ref(one) for one in specimens],
        "result": [basics.ref(one) for one in results],
    }
    if ordered:
        body["basedOn"] = [basics.ref(ordered)]
    return chart.add("DiagnosticReport", body, visit)


def usual(chart: Chart, key: str) -> float:
    """Return a value of a healthy person for the test, inside the reference range."""
    row = table.LABS[key]
    value = chart.rng.gauss(row.mean, row.sd)
    if row.low is not None:
        value = max(value, row.low)
    return value if row.high is None else min(value, row.high)


def egfr(creatinine: float, age: float, sex: str) -> float:
    """Return the estimated GFR in mL/min/1.73 m2.

    Units: creatinine in mg/dL, age in years.
    Source: CKD-EPI 2021 race-free equation, Inker et al., N Engl J Med 2021;385:1737, table 2.
    """
    kappa, alpha, factor = (0.7, -0.241, 1.012) if sex == "female" else (0.9, -0.302, 1.0)
    ratio = creatinine / kappa
    return float(142 * min(ratio, 1) ** alpha * max(ratio, 1) ** -1.2 * 0.9938**age * factor)


def metabolic(
    chart: Chart, visit: Visit, creatinine: float | None = None, glucose: float | None = None
) -> str:
    """Return the reference of a basic metabolic panel whose eGFR follows from its creatinine."""
    person = chart.person
    base = 0.75 if person.sex == "female" else 0.95
    made = creatinine if creatinine is not None else chart.rng.gauss(base, 0.07)
    made = float(Decimal(f"{made:.2f}"))
    values = {"creatinine": made, "egfr": egfr(made, person.age(visit.day), person.sex)}
    if glucose is not None:
        values["glucose"] = glucose
    return panel(chart, visit, "metabolic", values)


def social(chart: Chart, visit: Visit, name: str, code: Code, value: Json, **more: Any) -> str:
    """Return the reference of a social history Observation; `value` is e.g. {"valueCodeableConcept": …}."""
    return observe(
        chart,
        visit,
        (name,),
        [basics.category("social-history", "Social History")],
        basics.concept(code),
        value,
        **more,
    )


def clinical(
    chart: Chart, visit: Visit, kind: tuple[str, str], code: Code | str, value: Json, **more: Any
) -> str:
    """Return the reference of a clinical result (imaging, exam …); a code may be words alone."""
    return observe(
        chart,
        visit,
        ("us-core-observation-clinical-result",),
        [basics.category(*kind)],
        basics.concept(text=code) if isinstance(code, str) else basics.concept(code),
        value,
        10,
        **more,
    )
