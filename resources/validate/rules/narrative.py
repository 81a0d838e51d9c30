"""The narrative of a resource: recommended, and in the language of the resource.

What a narrative may contain (txt-1, txt-2) the gate and its explanation look at.
Source: http://hl7.org/fhir/R4/narrative.html, http://hl7.org/fhir/R4/domainresource.html (dom-6)
"""

from __future__ import annotations

from typing import Any

from resources.definitions import definitions
from resources.validate.rules.hooks import Run
from resources.validate.rules.languages import check_narrative

Json = dict[str, Any]


def check(run: Run, resource: Json, path: str, contained: bool) -> None:
    """Say where the narrative is missing (best practice) or of another language."""
    check_narrative(run, resource, path)
    if contained or not run.options.best_practice or "text" in resource:
        return
    name = resource.get("resourceType")
    if definitions().is_resource(name) and "text" in definitions().type(str(name)).elements:
        run.say("narrative-missing", path)
