"""Invariants of R4 whose published expression does not say what the text beside it does, corrected.

Source: R4 4.0.1 as published, against the same invariant in R4B 4.3.0 and R5 5.0.0
"""

from __future__ import annotations

from typing import NamedTuple

from resources.profiles.nodes import Constraint


class Correction(NamedTuple):
    """The published expression, the one to use, and why."""

    published: str
    expression: str
    reason: str


CORRECTIONS: dict[str, Correction] = {}
"""By key."""


def corrected(constraint: Constraint) -> str:
    """Return the expression to evaluate: the published one, unless it is known to be wrong."""
    found = CORRECTIONS.get(constraint.key)
    if found is not None and found.published == constraint.expression:
        return found.expression
    return constraint.expression
