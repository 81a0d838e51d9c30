"""Small resources for the tests of the language."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

Json = dict[str, Any]


def patient(**members: Any) -> Json:
    """Return a Patient with two names, an extension on its birth date, and whatever is given."""
    return {
        "resourceType": "Patient",
        "id": "p1",
        "active": True,
        "name": [
            {"use": "official", "family": "Chalmers", "given": ["Peter", "James"]},
            {"use": "usual", "given": ["Jim"]},
        ],
        "birthDate": "1974-12-25",
        "_birthDate": {"extension": [{"url": "http://x/time", "valueDateTime": "1974-12-25T14:35:45-05:00"}]},
        "deceasedBoolean": False,
    } | members


def observation(**members: Any) -> Json:
    """Return an Observation of 185 [lb_av] with two components, and whatever is given."""
    return {
        "resourceType": "Observation",
        "id": "o1",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
        "subject": {"reference": "Patient/p1"},
        "valueQuantity": {
            "value": Decimal(185),
            "unit": "lbs",
            "system": "http://unitsofmeasure.org",
            "code": "[lb_av]",
        },
        "component": [
            {"code": {"text": "a"}, "valueQuantity": {"value": Decimal("1.50")}},
            {"code": {"text": "b"}, "valueString": "high"},
        ],
    } | members
