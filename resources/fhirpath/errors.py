"""How an expression is refused: always a FhirError that names the place."""

from __future__ import annotations

from resources.outcome import FhirError, Issue


def syntax_error(expression: str, position: int, problem: str) -> FhirError:
    """Return the 400 'invalid' for an expression that cannot be read."""
    before = expression[:position]
    line = before.count("\n") + 1
    column = position - (before.rfind("\n") + 1) + 1
    text = f"FHIRPath: {problem} at position {position + 1} of {_shown(expression)}"
    return FhirError(400, issues=[Issue("invalid", text, line=line, column=column)])


def evaluation_error(problem: str, expression: str = "") -> FhirError:
    """Return the 400 'invalid' for an expression that cannot be evaluated on this input."""
    where = f" in {_shown(expression)}" if expression else ""
    return FhirError(400, "invalid", f"FHIRPath: {problem}{where}")


def too_costly(what: str) -> FhirError:
    """Return the 400 'too-costly' for an expression beyond the limits."""
    return FhirError(400, "too-costly", f"FHIRPath: {what}")


def _shown(expression: str) -> str:
    return repr(expression if len(expression) <= 200 else expression[:200] + "…")
