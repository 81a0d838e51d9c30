"""Consents and facts for tests, in few words."""

from __future__ import annotations

from typing import Any

from fhir_server.consent.evaluate import evaluate, permitted
from fhir_server.consent.facts import Asking, Facts
from fhir_server.consent.parsing import read

Json = dict[str, Any]

ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
CONFIDENTIALITY = "http://terminology.hl7.org/CodeSystem/v3-Confidentiality"
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
REASON = "http://terminology.hl7.org/CodeSystem/v3-ActReason"
SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"
TYPES = "http://hl7.org/fhir/resource-types"
ACTION = "http://terminology.hl7.org/CodeSystem/consentaction"
ANN = "Patient/ann"


def coding(system: str, code: str) -> Json:
    """Return a Coding."""
    return {"system": system, "code": code}


def concept(system: str, code: str) -> Json:
    """Return a CodeableConcept."""
    return {"coding": [coding(system, code)]}


def actor(reference: str, role: str = "PRCP") -> Json:
    """Return an actor of a provision."""
    return {"role": concept(PARTICIPATION, role), "reference": {"reference": reference}}


def consent(
    provision: Json | None = None,
    *,
    base: str = "",
    id_: str = "c",
    when: str = "2026-01-01",
    scope: str = "patient-privacy",
    patient: str = ANN,
    **more: Any,
) -> Json:
    """Return an active Consent."""
    found: Json = {"resourceType": "Consent", "id": id_, "status": "active", "scope": concept(SCOPE, scope)}
    found |= {"category": [concept("http://loinc.org", "59284-0")], "patient": {"reference": patient}}
    found |= {"dateTime": when, **more}
    if base:
        found["policyRule"] = concept(ACT, base)
    if provision is not None:
        found["provision"] = provision
    return found


def sees(asking: Asking, facts: Facts, *consents: Json) -> bool:
    """Whether somebody may see a resource, by consents."""
    return permitted(evaluate(asking, read(consents), facts))
