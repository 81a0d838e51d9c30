"""Invariants: each expression compiled once, and evaluated with its element as the focus.

Source: http://hl7.org/fhir/R4/conformance-rules.html#constraints, fhirpath.html#variables
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from decimal import DecimalException
from time import monotonic
from typing import Any

from resources.fhirpath import compile as compile_expression
from resources.fhirpath.environment import Closure, Environment
from resources.fhirpath.model import kind_of
from resources.fhirpath.values import Items, Node
from resources.outcome import FhirError
from resources.profiles.nodes import Constraint
from resources.validate.rules.corrections import corrected
from resources.validate.rules.run import LIMITS, Frame, PendingError, Run

Check = Callable[[Run, Frame, Any, Any, str], None]
"""A rule of one element: called with the run, its resource's frame, value, `_` sibling and path."""

PROVED: dict[str, str] = {
    "ele-1": "the gate: no empty object, nothing with an id only",
    "ext-1": "the gate: a value or extensions, never both",
    "dom-2": "the gate: contained resources contain none",
    "dom-3": "rules/contained.py: contained-unreferenced",
    "dom-4": "rules/contained.py: contained-meta",
    "dom-5": "rules/contained.py: contained-security",
    "dom-6": "rules/narrative.py: narrative-missing (best practice)",
    "txt-1": "the gate: narrative-forbidden",
    "txt-2": "rules/narrative.py: narrative-blank",
    "ref-1": "rules/references.py: contained-unresolved",
    "bdl-7": "rules/bundles.py: bundle-fullurl-duplicate",
    "que-2": "rules/questionnaires.py: questionnaire-linkid-duplicate",
}
"""R4's own invariants that are proved elsewhere, and where: not evaluated again."""

_R4 = "http://hl7.org/fhir/StructureDefinition/"


class Invariant:
    """One constraint ready to be evaluated; `closure` None where its expression cannot be compiled (`problem`)."""

    __slots__ = ("best_practice", "closure", "human", "key", "problem", "severity", "uses_context")

    def __init__(self, constraint: Constraint) -> None:
        self.key = constraint.key
        self.severity = constraint.severity
        self.human = constraint.human
        self.best_practice = constraint.best_practice
        self.closure: Closure | None = None
        self.problem = ""
        text = corrected(constraint)
        self.uses_context = "%context" in text
        try:
            self.closure = compile_expression(text, lenient=True).closure
        except FhirError as error:
            self.problem = error.issues[0].text


def is_proved(constraint: Constraint, base: bool) -> bool:
    """Whether an invariant need not be evaluated: such without expression, and R4's own that are proved elsewhere.

    Shape:  `base`: it stands in the tree of an R4 type; in a profile's, only its source says that it is R4's
    """
    ours = base or constraint.source.startswith(_R4)
    return not constraint.expression or (ours and constraint.key in PROVED)


def invariants(constraints: Iterable[Constraint], code: str, base: bool = False) -> Check | None:
    """Return the check of the constraints of an element of type `code`; None where there is nothing to evaluate."""
    found = tuple(Invariant(each) for each in constraints if not is_proved(each, base))
    if not found:
        return None
    kind = kind_of(code)

    def check(run: Run, frame: Frame, value: Any, extra: Any, path: str) -> None:
        if run.above and path in run.above:
            return
        _evaluate(run, frame, found, Node(value, kind, extra), path)

    return check


def _evaluate(run: Run, frame: Frame, found: tuple[Invariant, ...], node: Node, path: str) -> None:
    env = frame.env
    began = monotonic()
    env.steps, env.deadline = LIMITS.steps, began + run.seconds
    try:
        _evaluate_each(run, env, found, node, path)
    finally:
        run.seconds -= monotonic() - began


def _evaluate_each(run: Run, env: Environment, found: tuple[Invariant, ...], node: Node, path: str) -> None:
    focus = [node]
    for each in found:
        if each.best_practice and not run.options.best_practice:
            continue
        if each.closure is None:
            run.say("invariant-not-evaluated", path, key=each.key, why=each.problem)
            continue
        if each.uses_context:
            env.variables = {**env.variables, "context": node}
        try:
            items = each.closure(env, focus)
        except PendingError:
            run.waiting = True
            continue
        except FhirError as error:
            run.say("invariant-not-evaluated", path, key=each.key, why=error.issues[0].text)
            continue
        except _SHAPE as error:
            run.say("invariant-not-evaluated", path, key=each.key, why=type(error).__name__)
            continue
        if not is_true(items) and (items or not run.misshapen):
            run.say("invariant-failed", path, severity=each.severity, key=each.key, human=each.human)


_SHAPE = (
    DecimalException,
    TypeError,
    AttributeError,
    LookupError,
    ValueError,
    OverflowError,
)


def is_true(items: Items) -> bool:
    """Whether a collection counts as true: nothing does not, a boolean as it is, anything else does."""
    if not items:
        return False
    first = items[0]
    if type(first) is Node and first.kind.system == "Boolean":
        return first.value is True
    return first is not False
