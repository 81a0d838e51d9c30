"""May this resource be seen, by the rules of all consents? The plain evaluator: one resource, rule by rule.

It is what `compiled` must agree with, and what `$explain-access` tells.
Source: docs/explanation/consent.md, docs/decisions/0051-which-consent-counts.md
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import msgspec

from fhir_server.consent.facts import MISSING, Asking, Facts
from fhir_server.consent.labels import NORMAL, by_number, labels, levels, number_of
from fhir_server.consent.purposes import EMERGENCY, default, widened
from fhir_server.consent.rules import UNKNOWN, Criterion, Directive, Effect, Rule, beats, split

Met = bool | None
"""Whether a criterion is met; None: nobody can tell."""

READS = frozenset({"access", "use", "disclose"})
WRITES = frozenset({"collect", "correct"})
OPENS = frozenset({"access", "disclose", "correct"})
"""Actions that allow a read where they are permitted: `correct` is "access and correct"; `use` lets no data out."""


class Step(msgspec.Struct, frozen=True):
    """What one rule says of one resource: whether it applies, and why it does not where it does not."""

    rule: Rule
    applies: Met
    why: str = ""
    beaten_by: Rule | None = None


class Verdict(msgspec.Struct, frozen=True):
    """Whether one patient's consents let a resource be seen.

    Shape:  `by` is what decided: own record, rule or default; `steps` are all rules that are in force
    """

    patient: str
    permitted: bool
    by: Literal["own", "rule", "default"]
    rule: Rule | None = None
    steps: tuple[Step, ...] = ()


def evaluate(asking: Asking, directives: Sequence[Directive], facts: Facts) -> tuple[Verdict, ...]:
    """Return the verdict of each patient that a resource is about; it may be seen if all permit it.

    Shape:  none for a resource that is about nobody: consents do not speak of it
    """
    return tuple(_of_patient(asking, directives, facts, patient) for patient in facts.patients)


def permitted(verdicts: Sequence[Verdict]) -> bool:
    """Whether every patient permits."""
    return all(one.permitted for one in verdicts)


def _of_patient(asking: Asking, directives: Sequence[Directive], facts: Facts, patient: str) -> Verdict:
    if patient in asking.own:
        return Verdict(patient, True, "own")
    rules = [
        rule
        for one in directives
        if one.patient == patient
        for rule in one.rules
        if rule.in_force(asking.now) and counts(rule, asking, patient)
    ]
    looked = [(rule, *applies(rule, asking, facts, patient)) for rule in rules]
    permits = [rule for rule, met, _ in looked if rule.effect == "permit" and met is True]
    steps = tuple(_step(rule, met, why, permits) for rule, met, why in looked)
    for step in steps:
        if step.rule.effect == "deny" and step.applies is not False and step.beaten_by is None:
            return Verdict(patient, False, "rule", step.rule, steps)
    if permits:
        return Verdict(patient, True, "rule", permits[0], steps)
    return Verdict(patient, open_by_default(asking, patient), "default", None, steps)


def _step(rule: Rule, met: Met, why: str, permits: Sequence[Rule]) -> Step:
    if rule.effect == "permit" or met is False:
        return Step(rule, met, why)
    return Step(rule, met, why, next((one for one in permits if beats(one, rule)), None))


def open_by_default(asking: Asking, patient: str) -> bool:
    """Whether what no rule speaks of may be seen."""
    if patient in asking.opened or patient in asking.proxied:
        return patient in asking.opened
    return default(asking.purpose, asking.default)


def counts(rule: Rule, asking: Asking, patient: str) -> bool:
    """Whether a rule counts at all: in an emergency only those that are meant for one do."""
    if patient not in asking.opened:
        return True
    named = {purpose for one in rule.criteria if one.kind == "purpose" for purpose in one.values}
    return bool(named & EMERGENCY)


def applies(rule: Rule, asking: Asking, facts: Facts, patient: str) -> tuple[Met, str]:
    """Return whether a rule is about this resource and this caller, and what decided that."""
    unknown = ""
    for criterion in rule.criteria:
        met = asked(criterion, asking, rule.effect, patient)
        if criterion.kind in ("class", "code", "label", "period", "data"):
            met = about(criterion, facts, rule.effect)
        if met is False:
            return False, f"{criterion.kind} is another"
        if met is None:
            unknown = unknown or f"whether its {criterion.kind} is met cannot be told"
    return (None, unknown) if unknown else (True, "")


def asked(criterion: Criterion, asking: Asking, effect: Effect, patient: str) -> Met:
    """Return whether what a criterion says of the caller is so; None also where it speaks of the resource."""
    if criterion.kind == "actor":
        return any(value in asking.actors for value in criterion.values) or _open_end(criterion)
    if criterion.kind == "purpose":
        purpose = "BTG" if patient in asking.opened else asking.purpose
        met = bool(widened(purpose) & set(criterion.values)) if purpose else None
        return met or (_open_end(criterion) if met is False else None)
    if criterion.kind == "action":
        return bool(_actions(asking.action, effect) & set(criterion.values)) or _open_end(criterion)
    return None


def _actions(action: str, effect: Effect) -> frozenset[str]:
    if action == "write":
        return WRITES
    return READS if effect == "deny" else OPENS


def _open_end(criterion: Criterion) -> Met:
    return None if any(value.startswith(UNKNOWN) for value in criterion.values) else False


def about(criterion: Criterion, facts: Facts, effect: Effect) -> Met:
    """Return whether what a criterion says of the resource is so."""
    values = criterion.values
    if criterion.kind == "class":
        return facts.type in values or _open_end(criterion)
    if criterion.kind == "code":
        return bool(facts.codes.intersection(values)) or _open_end(criterion)
    if criterion.kind == "label":
        return any(_labelled(value, facts.labels, effect) for value in values)
    if criterion.kind == "period":
        return _dated(criterion, facts, effect)
    if criterion.kind == "data":
        return any(_named(value, facts) for value in values) or _open_end(criterion)
    return None


def _labelled(value: str, having: frozenset[int], effect: Effect) -> bool:
    """Whether a resource with these labels is one that a label in a rule means.

    A confidentiality is a high-water mark: a permit reaches up to it, a denial from it on. What this server does not
    know may be any label with which a resource came that it does not know either; no permit is about that.
    """
    number = number_of(*split(value))
    if number in levels():
        normal = next(one for one in levels() if by_number()[one].code == NORMAL)
        level = max(having.intersection(levels()), default=normal)
        return level <= number if effect == "permit" else level >= number
    if number not in {one.number for one in labels().values() if one.system}:
        return effect == "deny" and number in having
    return number in having


def _dated(criterion: Criterion, facts: Facts, effect: Effect) -> Met:
    if facts.lo == MISSING:
        return None
    if effect == "permit":
        return criterion.lo <= facts.lo and facts.hi <= criterion.hi
    return facts.lo <= criterion.hi and facts.hi >= criterion.lo


def _named(value: str, facts: Facts) -> bool:
    meaning, _, reference = value.partition(" ")
    if facts.reference == reference:
        return True
    if meaning == "dependents":
        return reference in facts.refers
    return meaning == "related" and reference in facts.mentioned
