"""Validation in full: the structure first, then every rule of R4 and of the profiles.

Source: http://hl7.org/fhir/R4/validation.html
"""

from __future__ import annotations

from typing import Any

from resources.definitions import definitions
from resources.outcome import Issue
from resources.validate.asks import Asks
from resources.validate.explain import MAX_ISSUES, explain
from resources.validate.gate import accepts
from resources.validate.messages import issue
from resources.validate.options import Options
from resources.validate.rules.profiles import check_asked, conforms
from resources.validate.rules.run import FullError, Run
from resources.validate.rules.walk import enter

__all__ = ["Options", "validate"]

Json = dict[str, Any]
_SHAPELESS = frozenset(
    {
        "resource-not-object",
        "resource-type-missing",
        "resource-type-unknown",
        "object-expected",
        "object-empty",
        "companion-shape",
        "array-expected",
        "array-empty",
        "array-lengths",
        "array-null",
        "null-alone",
        "choice-multiple",
        "value-format",
        "reference-format",
        "extension-value-or-children",
        "object-only-id",
        "companion-without-value",
        "companion-forbidden",
        "contained-nested",
        "element-unknown",
    }
)
"""Structural problems after which the element cannot be read by rules."""

DEFAULT = Options()


def validate(resource: Json, asks: Asks, options: Options = DEFAULT) -> list[Issue]:
    """Return every problem of `resource`, structural ones first: at most `MAX_ISSUES` errors and as many others.

    Shape:  while `asks` has questions pending, the list is not complete: fetch their answers and validate again
    """
    structural = [] if accepts(resource) else explain(resource)
    if len(structural) >= MAX_ISSUES or not _is_resource(resource):
        return structural
    run = Run(asks, options, resource, conforms)
    for told in structural:
        if told.id != "narrative-blank":  # the rules say it too, more strictly
            run.repeat(told)
    run.misshapen = bool(structural)
    run.broken = frozenset(p for told in structural if told.id in _SHAPELESS for p in told.expression)
    run.above = frozenset(above for path in run.broken for above in _above(path))
    try:
        enter(run, resource, "", None, False, "")
        check_asked(run, run.frames[id(resource)])
    except FullError:
        pass
    run.join()
    if run.limited:
        run.issues.append(issue("issues-limit", "", limit=MAX_ISSUES))
    return run.issues


def _is_resource(resource: object) -> bool:
    return type(resource) is dict and definitions().is_resource(str(resource.get("resourceType")))


def _above(path: str) -> list[str]:
    """Return the paths of everything around an element: 'A', 'A.b', 'A.b[0]' of 'A.b[0].c'."""
    found = []
    for at, character in enumerate(path):
        if character in ".[":
            found.append(path[:at])
    return found
