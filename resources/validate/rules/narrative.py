"""The narrative of a resource: recommended, and in the language of the resource.

What a narrative may contain (txt-1) the gate and its explanation look at.
Source: http://hl7.org/fhir/R4/narrative.html, http://hl7.org/fhir/R4/domainresource.html (dom-6)
"""

from __future__ import annotations

from typing import Any

from resources.definitions import definitions
from resources.validate.narrative import is_blank
from resources.validate.rules.hooks import Run
from resources.validate.rules.languages import check_narrative

Json = dict[str, Any]


def check(run: Run, resource: Json, path: str, contained: bool) -> None:
    """Say where the narrative is missing (best practice) or of another language."""
    check_narrative(run, resource, path)
    _check_blank(run, resource, path)
    if contained or not run.options.best_practice or "text" in resource:
        return
    name = resource.get("resourceType")
    if definitions().is_resource(name) and "text" in definitions().type(str(name)).elements:
        run.say("narrative-missing", path)


def _check_blank(run: Run, resource: Json, path: str) -> None:
    """Say that the narrative shows nothing: what only warns at the gate breaks txt-2 here, as R4 has it."""
    text = resource.get("text")
    div = text.get("div") if type(text) is dict else None
    if type(div) is str and is_blank(div):
        run.say("narrative-blank", f"{path}.text.div", severity="error")
