"""What R4 4.0.1 itself has wrong in its definitions, corrected: expressions of invariants, contexts of extensions.

Each entry holds only for the text as published, so that a corrected package is taken as it is.
"""

from __future__ import annotations

from typing import NamedTuple

from resources.profiles.nodes import Constraint

_R4 = "http://hl7.org/fhir/StructureDefinition/"


class Correction(NamedTuple):
    """The published expression, the one to use, and why."""

    published: str
    expression: str
    reason: str


CORRECTIONS: dict[str, Correction] = {
    "bdl-8": Correction(
        "fullUrl.contains('/_history/').not()",
        "fullUrl.empty() or fullUrl.contains('/_history/').not()",
        "without a fullUrl it gives nothing, which is not true; R5 begins with `fullUrl.exists() implies`",
    ),
    "ras-2": Correction(
        "probability is decimal implies (probability as decimal) <= 100",
        "probability.ofType(decimal).empty() or probability.ofType(decimal) <= 100",
        "without a probability `is` gives nothing",
    ),
    "pd-1": Correction(
        "telecom or endpoint",
        "telecom.exists() or endpoint.exists()",
        "US Core 6.1.0: `or` takes one value on each side, and a role may have several telecoms",
    ),
}
"""By key."""

CONTEXTS: dict[str, tuple[str, ...]] = {
    _R4 + "structuredefinition-fhir-type": ("ElementDefinition.type",),
    _R4 + "regex": ("ElementDefinition.type",),
    _R4 + "structuredefinition-normative-version": ("CodeSystem", "OperationDefinition", "ValueSet"),
}
"""Elements on which R4's own StructureDefinitions have an extension, though its context does not name them."""


def corrected(constraint: Constraint) -> str:
    """Return the expression to evaluate: the published one, unless it is known to be wrong."""
    found = CORRECTIONS.get(constraint.key)
    if found is not None and found.published == constraint.expression:
        return found.expression
    return constraint.expression
