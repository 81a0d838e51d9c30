"""Errors as values: one issue class, one exception, one rendering as OperationOutcome."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import msgspec

STRUCTURE = "http://hl7.org/fhir/StructureDefinition/"
"""Where R4's own extensions are."""

Severity = Literal["fatal", "error", "warning", "information"]


class Issue(msgspec.Struct, frozen=True):
    """One OperationOutcome.issue.

    Shape:  `code` is an R4 issue-type code, `expression` FHIRPath locations, `text` what a person reads;
            `line` and `column` are 1-based and only known for text; `id` names the rule (message id), for ever
    Source: http://hl7.org/fhir/R4/operationoutcome.html
    """

    code: str
    text: str
    expression: Sequence[str] = ()
    severity: Severity = "error"
    line: int | None = None
    column: int | None = None
    id: str = ""


class FhirError(Exception):
    """What a client did wrong (or what we cannot do): an HTTP status and the issues that say why.

    Shape:  `headers` are extra response headers (Retry-After, Allow, …)
    """

    def __init__(
        self,
        status: int,
        code: str = "invalid",
        text: str = "",
        *expression: str,
        issues: Iterable[Issue] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        self.status = status
        self.issues: list[Issue] = list(issues) if issues is not None else [Issue(code, text, expression)]
        self.headers = headers or {}
        super().__init__(f"{status} " + "; ".join(issue.text for issue in self.issues[:5]))

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self.status, self.issues, self.headers)


def _rebuild(status: int, issues: list[Issue], headers: dict[str, str]) -> FhirError:
    return FhirError(status, issues=issues, headers=headers)


def operation_outcome(issues: Iterable[Issue]) -> dict[str, Any]:
    """Return the OperationOutcome resource that lists `issues` (at least one)."""
    return {"resourceType": "OperationOutcome", "issue": [_rendered(issue) for issue in issues] or [_ALL_OK]}


_ALL_OK = {"severity": "information", "code": "informational", "diagnostics": "All OK"}


def _rendered(issue: Issue) -> dict[str, Any]:
    where = f" (line {issue.line}, column {issue.column})" if issue.line is not None else ""
    rendered: dict[str, Any] = {
        "severity": issue.severity,
        "code": issue.code,
        "diagnostics": issue.text + where,
    }
    if issue.expression:
        rendered["expression"] = list(issue.expression)
    if extensions := list(_extensions(issue)):
        rendered["extension"] = extensions
    return rendered


def _extensions(issue: Issue) -> Iterator[dict[str, Any]]:
    """Yield what R4 has no element for: the message id, line and column."""
    if issue.id:
        yield {"url": STRUCTURE + "operationoutcome-message-id", "valueString": issue.id}
    if issue.line is not None:
        yield {"url": STRUCTURE + "operationoutcome-issue-line", "valueInteger": issue.line}
    if issue.column is not None:
        yield {"url": STRUCTURE + "operationoutcome-issue-col", "valueInteger": issue.column}
