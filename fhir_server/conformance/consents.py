"""What a Consent says that cannot be kept exactly: told to whoever writes it, as warnings.

It is stored as it is, and what cannot be kept is taken for closed: docs/explanation/consent.md.
Source: http://hl7.org/fhir/R4/consent.html
"""

from __future__ import annotations

from typing import Any

from fhir_server.consent.parsing import directive
from resources.outcome import FhirError, Issue
from resources.validate.base import check


def warnings(resource: dict[str, Any]) -> list[Issue]:
    """Return what to say of a Consent; nothing of other resources, and of one that the gate refuses anyway."""
    if resource.get("resourceType") != "Consent":
        return []
    try:
        check(resource)
    except FhirError:
        return []
    found = directive(resource)
    return [
        Issue(
            "not-supported",
            f"{text}. Until this is said otherwise, it is treated as closed",
            (place,),
            "warning",
        )
        for place, text in (found.problems if found is not None else ())
    ]
