"""How the rows are made: short ways to a resource, and the systems that they use."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

UCUM = "http://unitsofmeasure.org"
CLINICAL = "http://terminology.hl7.org/CodeSystem/condition-clinical"
LOINC = "http://loinc.org"
ACME = "http://acme.example/codes"
ANIMALS = "http://acme.example/CodeSystem/animals"
MRN_TYPE = "http://terminology.hl7.org/CodeSystem/v2-0203"
BASE = "http://server.example/fhir"


def of(type_name: str, id_: str, **elements: Any) -> Json:
    """Return a resource."""
    return {"resourceType": type_name, "id": f"row-{id_}", **elements}


def patient(id_: str, *given: str, **elements: Any) -> Json:
    """Return a Patient."""
    name = {"name": [{"given": list(given)}]} if given else {}
    return of("Patient", id_, **name, **elements)


def observed(id_: str, code: str = "row", **elements: Any) -> Json:
    """Return an Observation."""
    return of(
        "Observation", id_, status="final", code={"coding": [{"system": LOINC, "code": code}]}, **elements
    )


def charge(number: str) -> Json:
    """Return a ChargeItem with a factorOverride, the decimal that R4 searches as a number."""
    code, subject = {"text": "charge"}, {"reference": "Patient/row-eve"}
    return of(
        "ChargeItem",
        f"n{number}",
        status="billable",
        code=code,
        subject=subject,
        factorOverride=float(number),
    )


def measured(id_: str, value: float, unit: str = "mg", **more: Any) -> Json:
    """Return an Observation with a mass in UCUM."""
    return observed(id_, valueQuantity={"value": value, "unit": unit, "system": UCUM, "code": unit, **more})


def concept(code: str, **more: Any) -> Json:
    """Return a CodeableConcept of the code system without case."""
    return {"coding": [{"system": ACME, "code": code, **more}]}


def condition(id_: str, **elements: Any) -> Json:
    """Return a Condition."""
    return of("Condition", id_, subject={"reference": "Patient/row-eve"}, **elements)
