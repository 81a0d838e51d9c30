"""Problems, allergies, procedures, orders, devices, immunizations: one builder each."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from fhir_server.demo import basics
from fhir_server.demo.record import Chart, Visit, shared
from fhir_server.demo.tables.codes import FHIR_SD, US_CORE_CS, Code, Json, hl7, sct
from fhir_server.demo.tables.conditions import CONDITIONS

_ASSERTED = FHIR_SD + "condition-assertedDate"
IMPLANTED = Code("http://hl7.org/fhir/device-action", "implanted", "Implanted")
_PROBLEM = hl7("condition-category", "problem-list-item", "Problem List Item")
_CONCERN = Code(US_CORE_CS + "condition-category", "health-concern", "Health Concern")
SDOH = Code(US_CORE_CS + "us-core-category", "sdoh", "SDOH")


def _status(system: str, code: str) -> Json:
    """Return a one-code status concept; its display is the capitalised code."""
    return basics.concept(hl7(system, code, code.capitalize()))


def problem(
    chart: Chart,
    visit: Visit,
    key: str,
    onset: date | None = None,
    *,
    abated: date | None = None,
    concern: bool = False,
    screening: Code | None = None,
) -> str:
    """Return the reference of a problem list item; the chart remembers it under its key."""
    onset = max(onset or visit.day, chart.person.birth)
    categories = [_CONCERN if concern else _PROBLEM, *([screening] if screening else [])]
    body: Json = {
        "meta": basics.profile("us-core-condition-problems-health-concerns"),
        "extension": [{"url": _ASSERTED, "valueDateTime": visit.day.isoformat()}],
        "clinicalStatus": _status("condition-clinical", "resolved" if abated else "active"),
        "verificationStatus": _status("condition-ver-status", "confirmed"),
        "category": [basics.concept(category) for category in categories],
        "code": basics.concept(*CONDITIONS[key]),
        "subject": chart.subject,
        "encounter": basics.ref(visit.reference),
        "onsetDateTime": onset.isoformat(),
    }
    if abated:
        body["abatementDateTime"] = min(abated, chart.person.end).isoformat()
    body |= {
        "recordedDate": basics.stamp(visit.moment(12)),
        "recorder": visit.practitioner,
        "asserter": visit.practitioner,
    }
    reference = chart.add("Condition", body, visit)
    chart.problems[key] = reference
    because(visit, reference)
    return reference


def diagnosis(chart: Chart, visit: Visit, key: str, days: int = 0) -> str:
    """Return the reference of an encounter diagnosis that lasts so many days (0 = not known to have ended)."""
    body: Json = {
        "meta": basics.profile("us-core-condition-encounter-diagnosis"),
        "extension": [{"url": _ASSERTED, "valueDateTime": visit.day.isoformat()}],
        "clinicalStatus": _status("condition-clinical", "resolved" if days else "active"),
        "verificationStatus": _status("condition-ver-status", "confirmed"),
        "category": [basics.concept(hl7("condition-category", "encounter-diagnosis", "Encounter Diagnosis"))],
        "code": basics.concept(*CONDITIONS[key]),
        "subject": chart.subject,
        "encounter": basics.ref(visit.reference),
        "onsetDateTime": max(visit.day - timedelta(days=2), chart.person.birth).isoformat(),
    }
    if days:
        body["abatementDateTime"] = min(visit.day + timedelta(days=days), chart.person.end).isoformat()
    body |= {"recordedDate": basics.stamp(visit.moment(12)), "recorder": visit.practitioner}
    reference = chart.add("Condition", body, visit)
    chart.problems[key] = reference
    because(visit, reference)
    visit.encounter["diagnosis"] = [
        {
            "condition": basics.ref(reference),
            "use": basics.concept(hl7("diagnosis-role", "DD", "Discharge diagnosis")),
            "rank": 1,
        }
    ]
    return reference


def because(visit: Visit, reference: str) -> None:
    """Note a condition as the reason of the visit (once)."""
    reasons = visit.encounter.setdefault("reasonReference", [])
    if basics.ref(reference) not in reasons:
        reasons.append(basics.ref(reference))


def allergy(
    chart: Chart,
    visit: Visit,
    substance: Code,
    reactions: tuple[Code, ...],
    kind: str,
    criticality: str,
    severity: str = "moderate",
) -> str:
    """Return the reference of an AllergyIntolerance; kind is food, medication or environment."""
    body: Json = {
        "meta": basics.profile("us-core-allergyintolerance"),
        "clinicalStatus": _status("allergyintolerance-clinical", "active"),
        "verificationStatus": _status("allergyintolerance-verification", "confirmed"),
        "type": "allergy",
        "category": [kind],
        "criticality": criticality,
        "code": basics.concept(substance),
        "patient": chart.subject,
        "encounter": basics.ref(visit.reference),
        "recordedDate": basics.stamp(visit.moment(8)),
        "recorder": visit.practitioner,
        "reaction": [{"manifestation": [basics.concept(one) for one in reactions], "severity": severity}],
    }
    return chart.add("AllergyIntolerance", body, visit)


def no_allergy(chart: Chart, visit: Visit) -> str:
    """Return the reference of the statement that no allergy is known."""
    return chart.add(
        "AllergyIntolerance",
        {
            "meta": basics.profile("us-core-allergyintolerance"),
            "clinicalStatus": _status("allergyintolerance-clinical", "active"),
            "verificationStatus": _status("allergyintolerance-verification", "confirmed"),
            "code": basics.concept(sct("716186003", "No known allergy")),
            "patient": chart.subject,
            "encounter": basics.ref(visit.reference),
            "recordedDate": basics.stamp(visit.moment(8)),
            "recorder": visit.practitioner,
        },
        visit,
    )


def order(
    chart: Chart,
    visit: Visit,
    code: Code,
    category: Code,
    reason: str | None = None,
    *,
    days: int = 14,
    status: str = "completed",
) -> str:
    """Return the reference of a ServiceRequest to be done within so many days."""
    body: Json = {
        "meta": basics.profile("us-core-servicerequest"),
        "status": status,
        "intent": "order",
        "category": [basics.concept(category)],
        "code": basics.concept(code),
        "subject": chart.subject,
        "encounter": basics.ref(visit.reference),
        "occurrencePeriod": {
            "start": visit.day.isoformat(),
            "end": (visit.day + timedelta(days=days)).isoformat(),
        },
        "authoredOn": basics.stamp(visit.moment(14)),
        "requester": visit.practitioner,
        "reasonCode": [visit.encounter["type"][0]],
    }
    if reason:
        body["reasonCode"] = [basics.concept(*CONDITIONS[reason])]
        body["reasonReference"] = [basics.ref(chart.problems[reason])]
    return chart.add("ServiceRequest", body, visit)


def procedure(
    chart: Chart,
    visit: Visit,
    code: Code,
    *,
    reason: str | None = None,
    ordered: str | None = None,
    minutes: int = 30,
    device: str | None = None,
    **more: Any,
) -> str:
    """Return the reference of a completed Procedure that took so many minutes (0 = a moment)."""
    body: Json = {"meta": basics.profile("us-core-procedure"), "status": "completed"}
    if ordered:
        body["basedOn"] = [basics.ref(ordered)]
    body |= {"code": basics.concept(code), "subject": chart.subject, "encounter": basics.ref(visit.reference)}
    start = visit.moment(10)
    if minutes:
        body["performedPeriod"] = basics.period(start, start + timedelta(minutes=minutes))
    else:
        body["performedDateTime"] = basics.stamp(start)
    body["performer"] = [{"actor": visit.practitioner, "onBehalfOf": visit.organization}]
    body["location"] = shared("Location", visit.kind.place)
    if reason:
        body["reasonReference"] = [basics.ref(chart.problems[reason])]
    if device:
        body["focalDevice"] = [{"action": basics.concept(IMPLANTED), "manipulated": basics.ref(device)}]
    return chart.add("Procedure", body | more, visit)


def implant(chart: Chart, visit: Visit, kind: Code, name: str, serial: str) -> str:
    """Return the reference of an implantable Device with its UDI.

    Source: GS1 General Specifications, application identifiers 01 (GTIN), 11/17 (dates), 10 (lot), 21 (serial).
    """
    made, expires = visit.day - timedelta(days=140), visit.day + timedelta(days=1800)
    gtin, lot = "00999999000017", f"L{visit.day:%y%j}"
    carrier = f"(01){gtin}(11){made:%y%m%d}(17){expires:%y%m%d}(10){lot}(21){serial}"
    return chart.add(
        "Device",
        {
            "meta": basics.profile("us-core-implantable-device"),
            "udiCarrier": [
                {
                    "deviceIdentifier": gtin,
                    "issuer": "http://hl7.org/fhir/NamingSystem/gs1",
                    "jurisdiction": "http://hl7.org/fhir/NamingSystem/fda-udi",
                    "carrierHRF": carrier,
                    "entryType": "barcode",
                }
            ],
            "status": "active",
            "distinctIdentifier": f"D{serial}",
            "manufacturer": "Tinkerwell Devices",
            "manufactureDate": made.isoformat(),
            "expirationDate": expires.isoformat(),
            "lotNumber": lot,
            "serialNumber": serial,
            "deviceName": [{"name": name, "type": "user-friendly-name"}],
            "type": basics.concept(kind),
            "patient": chart.subject,
        },
        visit,
    )


# Body sites of vaccination: CDC Pink Book 14th ed., chapter 6 (thigh in infants, deltoid later).
_THIGH = hl7("v3-ActSite", "LT", "left thigh")
_DELTOID = hl7("v3-ActSite", "LA", "left arm")
_INTRAMUSCULAR = hl7("v3-RouteOfAdministration", "IM", "Injection, intramuscular")


def immunization(
    chart: Chart, visit: Visit, vaccine: Code, number: int, series: int, refused: bool = False
) -> str:
    """Return the reference of an Immunization, given or refused."""
    body: Json = {
        "meta": basics.profile("us-core-immunization"),
        "status": "not-done" if refused else "completed",
    }
    if refused:
        body["statusReason"] = basics.concept(hl7("v3-ActReason", "PATOBJ", "patient objection"))
    body |= {
        "vaccineCode": basics.concept(vaccine),
        "patient": chart.subject,
        "encounter": basics.ref(visit.reference),
        "occurrenceDateTime": basics.stamp(visit.moment(20)),
        "primarySource": True,
        "location": shared("Location", visit.kind.place),
    }
    if not refused:
        infant = chart.person.age(visit.day) < 2
        body |= {
            "lotNumber": f"LOT{visit.day:%y%m}{number}",
            "site": basics.concept(_THIGH if infant else _DELTOID),
            "route": basics.concept(_INTRAMUSCULAR),
            "doseQuantity": basics.quantity(basics.number(0.5, 1), "mL", "mL"),
            "performer": [
                {
                    "function": basics.concept(hl7("v2-0443", "AP", "Administering Provider")),
                    "actor": shared("Practitioner", "nurse"),
                }
            ],
            "protocolApplied": [{"doseNumberPositiveInt": number, "seriesDosesPositiveInt": series}],
        }
    return chart.add("Immunization", body, visit)
