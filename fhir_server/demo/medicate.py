"""Prescriptions with real timings, and what the pharmacy handed over."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from fhir_server.demo import basics
from fhir_server.demo.record import Chart, Visit, shared
from fhir_server.demo.tables.codes import HL7, Code, Json, hl7, sct
from fhir_server.demo.tables.medications import DRUGS, Drug

_OUTPATIENT = hl7("medicationrequest-category", "outpatient", "Outpatient")
_COMMUNITY = hl7("medicationrequest-category", "community", "Community")


def _abbreviation(code: str) -> Json:
    """Return a timing abbreviation (BID …)."""
    return {"coding": [{"system": HL7 + "v3-GTSAbbreviation", "code": code}], "text": code}


def _every(frequency: int, period: int, unit: str, **more: Any) -> Json:
    """Return a Timing.repeat."""
    return {"frequency": frequency, "period": period, "periodUnit": unit, **more}


def _days(days: int) -> Json:
    """Return bounds of so many days."""
    return {"boundsDuration": basics.quantity(days, "days", "d")}


# Forms of Timing; "asNeeded…" keys belong to the Dosage, everything else to the Timing.
TIMINGS: dict[str, Json] = {
    "daily": {"repeat": _every(1, 1, "d"), "code": _abbreviation("QD")},
    "morning": {"repeat": _every(1, 1, "d", when=["MORN"])},
    "bedtime": {"repeat": _every(1, 1, "d", when=["HS"])},
    "fasting": {"repeat": _every(1, 1, "d", when=["ACM"], offset=30)},
    "bid": {"repeat": _every(2, 1, "d"), "code": _abbreviation("BID")},
    "bid-meals": {"repeat": _every(2, 1, "d", when=["CM", "CV"]), "code": _abbreviation("BID")},
    "q8h-10d": {"repeat": {**_days(10), **_every(1, 8, "h")}},
    "tid-5d": {"repeat": {**_days(5), **_every(3, 1, "d")}, "code": _abbreviation("TID")},
    "every-other-day": {"repeat": _every(1, 2, "d"), "code": _abbreviation("QOD")},
    "clock": {"repeat": _every(1, 1, "d", timeOfDay=["18:00:00"])},
    "clock-am": {"repeat": _every(1, 1, "d", timeOfDay=["08:00:00"])},
    "weekdays": {"repeat": _every(3, 1, "wk", dayOfWeek=["mon", "wed", "fri"])},
    "prn-pain": {"repeat": _every(1, 6, "h")},
    "prn-breath": {"repeat": _every(1, 4, "h", periodMax=6)},
}
_AS_NEEDED: dict[str, Code] = {
    "prn-pain": sct("22253000", "Pain"),
    "prn-breath": sct("267036007", "Dyspnea"),
}
# Prednisone burst for an asthma exacerbation, 5 mg tablets: (tablets, days).
# Source: GINA 2023, box 4-3 (40–50 mg a day for 5–7 days); the short taper is the prescriber's choice.
_TAPER: tuple[tuple[int, int], ...] = ((8, 5), (4, 3), (2, 2))


def _dose(drug: Drug, amount: Decimal | int) -> list[Json]:
    """Return doseAndRate."""
    return [
        {
            "type": basics.concept(hl7("dose-rate-type", "ordered", "Ordered")),
            "doseQuantity": basics.quantity(amount, drug.unit, drug.ucum),
        }
    ]


def dosage(drug: Drug, start: date, end: date | None = None) -> list[Json]:
    """Return the dosage instructions of a drug; a known end becomes boundsPeriod."""
    if drug.timing == "taper":
        return [
            {
                "sequence": number,
                "text": drug.text,
                "timing": {"repeat": {**_days(days), **_every(1, 1, "d")}},
                "route": basics.concept(drug.route),
                "doseAndRate": _dose(drug, amount),
            }
            for number, (amount, days) in enumerate(_TAPER, 1)
        ]
    timing = {key: dict(value) for key, value in TIMINGS[drug.timing].items()}
    if end and not any(key.startswith("bounds") for key in timing["repeat"]):
        timing["repeat"]["boundsPeriod"] = {"start": start.isoformat(), "end": end.isoformat()}
    made: Json = {"sequence": 1, "text": drug.text, "timing": timing}
    if drug.timing in _AS_NEEDED:
        made["asNeededCodeableConcept"] = basics.concept(_AS_NEEDED[drug.timing])
    made |= {"route": basics.concept(drug.route), "doseAndRate": _dose(drug, int(drug.dose))}
    if drug.timing == "prn-pain":
        made["maxDosePerPeriod"] = {
            "numerator": basics.quantity(8, drug.unit, drug.ucum),
            "denominator": basics.quantity(1, "day", "d"),
        }
    return [made]


def prescribe(
    chart: Chart,
    visit: Visit,
    key: str,
    problem: str | None = None,
    *,
    until: date | None = None,
    quantity: int = 90,
    fills: int = 1,
    catalogue: bool = False,
) -> str:
    """Return the reference of a MedicationRequest; `fills` dispenses follow every 90 days within the record.

    Shape: problem = key of a problem already in the chart; catalogue = refer to a shared Medication resource.
    """
    drug = DRUGS[key]
    stop = until if until and until <= chart.person.end else chart.person.death
    amount = basics.quantity(quantity, drug.unit, drug.ucum)
    supply = basics.quantity(90 if fills > 1 or quantity >= 60 else 10, "days", "d")
    what: Json = {"medicationCodeableConcept": basics.concept(drug.code)}
    if catalogue:
        what = {"medicationReference": basics.ref(f"Medication/demo-{key}", drug.code.display)}
    instructions = {"dosageInstruction": dosage(drug, visit.day, until)}
    body = _body(chart, visit, what, "completed" if stop else "active")
    if problem:
        body["reasonReference"] = [basics.ref(chart.problems[problem])]
    repeats: Json = {"numberOfRepeatsAllowed": fills - 1 + (quantity >= 60)}
    body |= instructions
    body["dispenseRequest"] = {**repeats, "quantity": amount, "expectedSupplyDuration": supply}
    order = chart.add("MedicationRequest", body, visit)
    line: Json = {**what, "subject": chart.subject, "authorizingPrescription": [basics.ref(order)]}
    line |= {"quantity": amount, "daysSupply": supply, **instructions}
    for number in range(fills):
        day = visit.day + timedelta(days=90 * number + 1)
        if day <= (stop or chart.person.end):
            _dispense(chart, line, day, number)
    return order


def _body(chart: Chart, visit: Visit, what: Json, status: str) -> Json:
    """Return a MedicationRequest of `what` without its instructions."""
    return {
        "meta": basics.profile("us-core-medicationrequest"),
        "status": status,
        "intent": "order",
        "category": [basics.concept(_OUTPATIENT)],
        "reportedBoolean": False,
        **what,
        "subject": chart.subject,
        "encounter": basics.ref(visit.reference),
        "authoredOn": basics.stamp(visit.moment(18)),
        "requester": visit.practitioner,
    }


def _dispense(chart: Chart, line: Json, day: date, number: int) -> None:
    """Add one MedicationDispense of the line (what, how much, for which prescription)."""
    kind = ("RFC", "Refill - Complete") if number else ("FFC", "First Fill - Complete")
    when = basics.at(day, chart.rng.randint(9, 18), chart.rng.randint(0, 59))
    body = {
        "meta": basics.profile("us-core-medicationdispense"),
        "status": "completed",
        "performer": [
            {"actor": shared("Practitioner", "pharmacist")},
            {"actor": shared("Organization", "pharmacy")},
        ],
        "type": basics.concept(hl7("v3-ActCode", *kind)),
        "whenPrepared": basics.stamp(when - timedelta(minutes=20)),
        "whenHandedOver": basics.stamp(when),
        **line,
    }
    chart.add("MedicationDispense", body, chart.dispensed)
    chart.last_dispensed = max(when, chart.last_dispensed or when)


def reported(chart: Chart, visit: Visit, key: str) -> str:
    """Return the reference of a medicine the patient takes on their own, as told to the practitioner."""
    drug = DRUGS[key]
    return chart.add(
        "MedicationRequest",
        {
            "meta": basics.profile("us-core-medicationrequest"),
            "status": "active",
            "intent": "plan",
            "category": [basics.concept(_COMMUNITY)],
            "reportedReference": visit.practitioner,
            "medicationCodeableConcept": basics.concept(drug.code),
            "subject": chart.subject,
            "encounter": basics.ref(visit.reference),
            "authoredOn": basics.stamp(visit.moment(12)),
            "requester": chart.subject,
            "reasonCode": [basics.concept(text="Taken without prescription")],
            "dosageInstruction": dosage(drug, visit.day),
        },
        visit,
    )
