"""A validation on stage: what rules say is kept, what they ask is answered from small tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from resources.outcome import Issue, Severity
from resources.profiles.nodes import Structure
from resources.validate.asks import PENDING, Coded, Pending, Target, Verdict
from resources.validate.messages import issue
from resources.validate.options import Options
from resources.validate.rules.scopes import Scope

Json = dict[str, Any]
UNKNOWN = Verdict(None, "unknown-system", "the code system is not loaded")


class Asks:
    """Answers: codes by (value set, code), targets by reference; `pending` makes every answer come later."""

    def __init__(
        self, codes: Mapping[tuple[str, str], Verdict], targets: Mapping[str, Target], pending: bool
    ) -> None:
        self.codes, self.targets, self.pending = codes, targets, pending
        self.asked: list[object] = []

    def structure(self, canonical: str, /) -> Structure | Pending | None:
        self.asked.append(canonical)
        return PENDING if self.pending else None

    def coded(self, question: Coded, /) -> Verdict | Pending:
        self.asked.append(question)
        return PENDING if self.pending else self.codes.get((question.valueset, question.code), UNKNOWN)

    def target(self, reference: str, /) -> Target | Pending | None:
        self.asked.append(reference)
        return PENDING if self.pending else self.targets.get(reference)


class Stage:
    """What a rule is given."""

    def __init__(
        self,
        codes: Mapping[tuple[str, str], Verdict] | None = None,
        targets: Mapping[str, Target] | None = None,
        references: Literal["none", "type", "exists"] = "type",
        pending: bool = False,
        best_practice: bool = False,
    ) -> None:
        self.asks = Asks(codes or {}, targets or {}, pending)
        self.options = Options(references=references, best_practice=best_practice)
        self.issues: list[Issue] = []

    def say(
        self, message_id: str, path: str, /, *, severity: Severity | None = None, **facts: object
    ) -> None:
        self.issues.append(issue(message_id, path, severity, **facts))

    @property
    def said(self) -> list[tuple[str, str]]:
        """What was said: (message id, expression)."""
        return [(one.id, one.expression[0]) for one in self.issues]


def scope_of(resource: Json) -> Scope:
    """Return the scope of an outermost resource."""
    return Scope(resource, resource["resourceType"])
