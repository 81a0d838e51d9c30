"""Base validation of R4 resources: structure, formats, choices, required codes, narrative."""

from __future__ import annotations

from typing import Any

from resources.definitions import definitions
from resources.outcome import FhirError
from resources.validate.explain import errors, explain
from resources.validate.gate import accepts

__all__ = ["accepts", "check", "explain"]


def check(resource: dict[str, Any]) -> None:
    """Return nothing for a valid resource.

    Errors: FhirError 400 where the type is missing or unknown, else 422 with every problem found
    """
    if accepts(resource):
        return
    issues = explain(resource)
    if any(errors(issues)):
        known = type(resource) is dict and definitions().is_resource(str(resource.get("resourceType")))
        raise FhirError(422 if known else 400, issues=issues)
