"""Resources for tests of profiles: valid by the base rules, as small as can be."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]


def coded(code: str, system: str = "http://example.com/codes") -> Json:
    """Return a CodeableConcept of one coding."""
    return {"coding": [{"system": system, "code": code}]}


def observation(**more: Any) -> Json:
    """Return an Observation."""
    return {"resourceType": "Observation", "status": "final", "code": coded("a")} | more


def patient(**more: Any) -> Json:
    """Return a Patient."""
    return {"resourceType": "Patient"} | more


def quantity(value: float, unit: str = "mg") -> Json:
    """Return a Quantity in UCUM."""
    return {"value": value, "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}


def component(code: str, **more: Any) -> Json:
    """Return an Observation.component."""
    return {"code": coded(code)} | more
