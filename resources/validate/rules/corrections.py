"""What R4 4.0.1 itself has wrong in its definitions, corrected: expressions of invariants, contexts of extensions.

Each entry holds only for the text as published, so that a corrected package is taken as it is.
"""

from __future__ import annotations

from typing import NamedTuple

from resources.profiles.nodes import Constraint

_R4 = "http://hl7.org/fhir/StructureDefinition/"


class Correction(NamedTuple):
    """The expression to use instead of the published one, whose constraints they are, and why."""

    keys: str
    expression: str
    reason: str


CORRECTIONS: dict[str, Correction] = {
    "fullUrl.contains('/_history/').not()": Correction(
        "bdl-8",
        "fullUrl.empty() or fullUrl.contains('/_history/').not()",
        "without a fullUrl it gives nothing, which is not true; R5 begins with `fullUrl.exists() implies`",
    ),
    "probability is decimal implies (probability as decimal) <= 100": Correction(
        "ras-2",
        "probability.ofType(decimal).empty() or probability.ofType(decimal) <= 100",
        "without a probability `is` gives nothing",
    ),
    "name.matches('[A-Z]([A-Za-z0-9_]){0,254}')": Correction(
        "vsd-0, csd-0, cpb-0, sdf-0 … of every resource with a name",
        "name.exists() implies name.matches('^[A-Z]([A-Za-z0-9_]){0,254}$')",
        "a name is optional in most of them; R5 begins with `name.exists() implies`",
    ),
    "max='*' or (max.toInteger() > 0)": Correction(
        "md-1",
        "max.empty() or max = '*' or max.toInteger() > 0",
        "MessageDefinition.focus.max is optional",
    ),
    "(component.exists() and valueString.empty()) or valueString.exists()": Correction(
        "hasComponentifValueStringEmpty of IPS 1.1.0",
        "component.exists() or value.ofType(string).exists()",
        "FHIRPath knows the element as value, whatever JSON calls it",
    ),
    "telecom or endpoint": Correction(
        "pd-1 of US Core 6.1.0",
        "telecom.exists() or endpoint.exists()",
        "`or` takes one value on each side, and a role may have several telecoms",
    ),
}
"""By the published expression."""

CONTEXTS: dict[str, tuple[str, ...]] = {
    _R4 + "structuredefinition-fhir-type": ("ElementDefinition.type",),
    _R4 + "regex": ("ElementDefinition.type",),
    _R4 + "structuredefinition-normative-version": ("DomainResource", "ElementDefinition"),
    _R4 + "valueset-concept-comments": ("CodeSystem.concept",),
}
"""Elements on which R4's own StructureDefinitions have an extension, though its context does not name them."""


def corrected(constraint: Constraint) -> str:
    """Return the expression to evaluate: the published one, unless it is known to be wrong."""
    found = CORRECTIONS.get(constraint.expression)
    return found.expression if found is not None else constraint.expression
