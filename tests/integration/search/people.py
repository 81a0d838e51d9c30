"""The resources that the search tests are about."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]
LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
MRN = "urn:example:mrn"


def patient(id_: str, family: str, *given: str, **more: Any) -> Json:
    """Return a Patient."""
    name = {"family": family, **({"given": list(given)} if given else {})}
    return {"resourceType": "Patient", "id": id_, "name": [name], **more}


def observation(id_: str, subject: str | None, code: str, when: str | None = None, **more: Any) -> Json:
    """Return an Observation with a LOINC code."""
    made: Json = {
        "resourceType": "Observation",
        "id": id_,
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": code}]},
    }
    if subject:
        made["subject"] = {"reference": subject}
    if when:
        made["effectiveDateTime"] = when
    return {**made, **more}


def quantity(value: Any, code: str, system: str = UCUM) -> Json:
    """Return a Quantity."""
    return {"value": value, "unit": code, "system": system, "code": code}
