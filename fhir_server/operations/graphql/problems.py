"""How a GraphQL document is refused: FhirErrors that know line and column, rendered as GraphQL errors.

Source: http://hl7.org/fhir/R4/graphql.html#errors, https://spec.graphql.org/October2021/#sec-Errors
"""

from __future__ import annotations

from typing import Any

from graphql.language import Node, get_location

from resources.outcome import FhirError, Issue, operation_outcome


def refused(node: Node | None, text: str, code: str = "invalid", status: int = 400) -> FhirError:
    """Return the error that says `text` of the place where `node` stands."""
    line, column = place(node)
    return FhirError(status, issues=[Issue(code, text, line=line, column=column)])


def at(node: Node | None, error: FhirError) -> FhirError:
    """Return `error` with the place of `node` in those of its issues that have none."""
    line, column = place(node)
    issues = [
        Issue(one.code, one.text, one.expression, one.severity, one.line or line, one.column or column)
        for one in error.issues
    ]
    return FhirError(error.status, issues=issues, headers=error.headers)


def place(node: Node | None) -> tuple[int | None, int | None]:
    """Return (line, column) of `node`, from 1; (None, None) where it is not known."""
    if node is None or node.loc is None:
        return None, None
    found = get_location(node.loc.source, node.loc.start)
    return found.line, found.column


def rendered(error: FhirError) -> list[dict[str, Any]]:
    """Return the members of `errors`, one for each issue, each with its own OperationOutcome."""
    return [_error(issue) for issue in error.issues]


def _error(issue: Issue) -> dict[str, Any]:
    found: dict[str, Any] = {"message": issue.text}
    if issue.line is not None:
        found["locations"] = [{"line": issue.line, "column": issue.column or 1}]
    found["extensions"] = {"resource": operation_outcome([issue])}
    return found
