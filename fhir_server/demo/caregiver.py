"""The caregiver among the demo people: whom she may act for, and the Consent that says so."""

from __future__ import annotations

from typing import Any

from fhir_server.demo import basics
from fhir_server.demo.generator import lifeline
from fhir_server.demo.tables.codes import Code, Json, loinc

_AMONG = 20
_HL7 = "http://terminology.hl7.org/CodeSystem/"


def caregiver(patients: int, seed: int) -> Json | None:
    """Return the first RelatedPerson of the demo people, None where so few of them have none."""
    for number in range(min(patients, _AMONG)):
        for resource in lifeline(number, seed):
            if resource["resourceType"] == "RelatedPerson":
                return resource
    return None


def agreement(related: Json) -> Json:
    """Return the transaction with the Consent that lets a RelatedPerson act for her patient."""
    about: dict[str, Any] = related["patient"]
    role = basics.concept(Code(_HL7 + "v3-ParticipationType", "IRCP", "information recipient"))
    consent: Json = {
        "resourceType": "Consent",
        "id": f"{related['id']}-acts",
        "status": "active",
        "scope": basics.concept(Code(_HL7 + "consentscope", "patient-privacy", "Privacy Consent")),
        "category": [basics.concept(loinc("59284-0", "Patient Consent"))],
        "patient": about,
        "dateTime": "2025-06-30T09:00:00Z",
        "performer": [about],
        "policyRule": basics.concept(Code(_HL7 + "v3-ActCode", "OPTIN", "opt-in")),
        "provision": {
            "type": "permit",
            "actor": [{"role": role, "reference": {"reference": f"RelatedPerson/{related['id']}"}}],
        },
    }
    return basics.transaction([consent])
