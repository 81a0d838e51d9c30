"""All patients' consents, compiled for one caller: a condition in SQL, and a look at each row.

It says what `evaluate` says; a property test holds the two together.
Source: docs/explanation/consent.md
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec

from fhir_server.consent.evaluate import asked, counts, open_by_default
from fhir_server.consent.expression import (
    OF_DELETIONS,
    OF_VERSIONS,
    Arguments,
    Atom,
    Condition,
    all_of,
    any_of,
    negated,
    text,
    told,
)
from fhir_server.consent.facts import Asking
from fhir_server.consent.labels import NORMAL, by_number, labels, levels, number_of
from fhir_server.consent.rules import UNKNOWN, Criterion, Directive, Effect, Rule, beats, split
from fhir_server.storage.rows import Row, type_number
from fhir_server.storage.veil import Veil

Hashes = tuple[tuple[int, ...], tuple[int, ...]]
"""Hashes under GIN, and posting keys."""


class Codes:
    """How codes are hashed in the index; search says so, which stands above this. Until it has, none can be told."""

    hashes: Callable[[str, str], Hashes] | None = None
    """Takes system and code."""


class Held(msgspec.Struct, frozen=True):
    """A directive as the database knows it: its patient by row number, and what it names by reference."""

    directive: Directive
    pid: int
    rids: Mapping[str, int] = {}


class Group(msgspec.Struct, frozen=True):
    """Patients whose consents say the same to this caller: the condition under which a row of theirs is denied.

    Shape:  `versions` is the same for older versions, `gone` for deletions: what cannot be told there is closed
    """

    pids: tuple[int, ...]
    denied: Condition
    versions: Condition
    gone: Condition

    def text(self, sql: Arguments, row: str, version: bool) -> str:
        """Return the condition as SQL; a deletion has lost its references."""
        if version:
            return text(self.versions, sql, row)
        denied = text(self.denied, sql, row)
        if self.gone == self.denied:
            return denied
        return f"(CASE WHEN {row}.tail IS NULL THEN {text(self.gone, sql, row)} ELSE {denied} END)"


class Compiled:
    """What consents leave to one caller. `until`: when a period begins or ends, 0 where none does."""

    def __init__(
        self, groups: Sequence[Group], *, open_: bool, until: float = 0.0, exempt: Sequence[int] = ()
    ) -> None:
        self.open = open_
        self.veil: Veil | None = None
        self.writing: Compiled | None = None
        self.until = until
        if not open_ and exempt:
            groups = [*groups, Group(tuple(sorted(exempt)), False, False, False)]
        self.groups = [
            one
            for one in groups
            if any(each is not (not open_) for each in (one.denied, one.versions, one.gone))
        ]
        self.everything = open_ and not self.groups
        self._of = {pid: one for one in self.groups for pid in one.pids}

    def where(self, sql: Arguments, row: str, version: bool = False) -> str:
        """Return the condition that a row (of `resource_version`) may be seen; empty where each may be."""
        if self.everything:
            return ""
        places = [sql.bigs(one.pids) for one in self.groups]
        conditions = [one.text(sql, row, version) for one in self.groups]
        pairs = list(zip(places, conditions, strict=True))
        several = (
            f"NOT EXISTS (SELECT FROM unnest({row}.owners) co(pid) WHERE {self._denied(pairs, 'co.pid')})"
        )
        single = f"({self._denied(pairs, f'{row}.pid')}) IS NOT TRUE"
        return f"(CASE WHEN {row}.owners IS NULL THEN {single} ELSE {several} END)"

    def _denied(self, pairs: Sequence[tuple[str, str]], pid: str) -> str:
        """Return the condition that the consents of the patient `pid` deny."""
        if self.open:
            return " OR ".join(f"({pid} = ANY({place}) AND {condition})" for place, condition in pairs)
        cases = "".join(f" WHEN {pid} = ANY({place}) THEN {condition}" for place, condition in pairs)
        return f"{pid} IS NOT NULL AND (CASE{cases} ELSE true END)" if cases else f"{pid} IS NOT NULL"

    def permits(self, row: Row) -> bool | None:
        """Whether a row may be seen; None where its columns do not say."""
        pids = row.owners if row.owners is not None else [] if row.pid is None else [row.pid]
        found = [self._denies(pid, row) for pid in pids]
        return False if True in found else None if None in found else True

    def _denies(self, pid: int, row: Row) -> bool | None:
        group = self._of.get(pid)
        if group is None:
            return not self.open
        return told(group.gone if row.tail is None else group.denied, row)


def compiled(asking: Asking, held: Iterable[Held], own: Mapping[str, int]) -> Compiled:
    """Return what the consents leave to a caller.

    Shape:  `own` are the row numbers of the patients that `asking` names
    """
    by_patient: dict[int, list[Held]] = {}
    for one in held:
        by_patient.setdefault(one.pid, []).append(one)
    named = {rid: patient for patient, rid in own.items()}
    default = open_by_default(asking, "")
    for patient in asking.opened | asking.proxied:
        if patient in own:
            by_patient.setdefault(own[patient], [])
    exempt = [own[patient] for patient in asking.own if patient in own]
    groups: dict[tuple[Condition, ...], list[int]] = {}
    for pid, listed in by_patient.items():
        if pid not in exempt:
            patient = named.get(pid, listed[0].directive.patient if listed else "")
            groups.setdefault(_three(asking, listed, patient), []).append(pid)
    return Compiled(
        [Group(tuple(sorted(pids)), *key) for key, pids in groups.items()],
        open_=default,
        until=changes(asking.now, (one.directive for listed in by_patient.values() for one in listed)),
        exempt=exempt,
    )


def _three(asking: Asking, held: Sequence[Held], patient: str) -> tuple[Condition, ...]:
    """Return the condition under which a current row, an older version and a deletion of a patient's are denied."""
    current = denied(asking, held, patient)
    if not any(
        one.kind in _FORGOTTEN for each in held for rule in each.directive.rules for one in rule.criteria
    ):
        return current, current, current
    return current, *(denied(asking, held, patient, known) for known in (OF_VERSIONS, OF_DELETIONS))


_FORGOTTEN = frozenset({"code", "period", "data"})
"""Kinds of criteria that cannot all be told of older versions and deletions."""


def changes(now: float, directives: Iterable[Directive]) -> float:
    """Return when the next period begins or ends after `now`; 0 where none does."""
    bounds = {end for one in directives for rule in one.rules for end in (rule.start, rule.end)}
    return min((bound for bound in bounds if now < bound < float("inf")), default=0.0)


def denied(
    asking: Asking, held: Sequence[Held], patient: str, known: frozenset[str] | None = None
) -> Condition:
    """Return the condition under which a row of one patient is denied; `known`: the kinds of atoms that can be told."""
    rules = [
        (rule, _condition(rule, asking, patient, one.rids, known))
        for one in held
        for rule in one.directive.rules
        if rule.in_force(asking.now) and counts(rule, asking, patient)
    ]
    permits = [(rule, met) for rule, met in rules if rule.effect == "permit" and met is not False]
    found: list[Condition] = []
    for rule, met in rules:
        if rule.effect == "deny" and met is not False:
            excepted = any_of([other for permit, other in permits if beats(permit, rule)])
            found.append(all_of([met, negated(excepted)]))
    if not open_by_default(asking, patient):
        found.append(negated(any_of([met for _, met in permits])))
    return any_of(found)


def _condition(
    rule: Rule, asking: Asking, patient: str, rids: Mapping[str, int], known: frozenset[str] | None
) -> Condition:
    """Return what a rule asks of a row; what cannot be told denies, and never permits."""
    unknown = rule.effect == "deny"
    found: list[Condition] = []
    for criterion in rule.criteria:
        if criterion.kind in _ABOUT:
            one = any_of(
                [
                    unknown if isinstance(each, Atom) and known and each.kind not in known else each
                    for each in _about(criterion, rule.effect, rids)
                ]
            )
        else:
            met = asked(criterion, asking, rule.effect, patient)
            one = unknown if met is None else met
        found.append(one)
    return all_of(found)


_ABOUT = frozenset({"class", "code", "label", "period", "data"})


def _about(criterion: Criterion, effect: Effect, rids: Mapping[str, int]) -> list[Condition]:
    """Return the alternatives that a criterion on the resource is."""
    if criterion.kind == "period":
        return [Atom("within" if effect == "permit" else "touches", (criterion.lo, criterion.hi))]
    found: list[Condition] = []
    for value in criterion.values:
        if value.startswith(UNKNOWN):
            found.append(effect == "deny")
        elif criterion.kind == "class":
            found.append(Atom("types", (type_number(value),)))
        elif criterion.kind == "label":
            found.append(_label(value, effect))
        elif criterion.kind == "code":
            found.append(_code(value, effect))
        else:
            found.append(_data(value, rids))
    return found


def _label(value: str, effect: Effect) -> Condition:
    number = number_of(*split(value))
    if number in levels():
        reach = [one for one in levels() if (one <= number if effect == "permit" else one >= number)]
        beyond = tuple(one for one in levels() if one not in reach)
        normal = next(one for one in levels() if by_number()[one].code == NORMAL)
        return Atom("labels", tuple(reach)) if normal not in reach else negated(_labelled(beyond))
    if number not in {one.number for one in labels().values() if one.system}:
        return Atom("labels", (number,)) if effect == "deny" else False
    return Atom("labels", (number,))


def _labelled(numbers: tuple[int, ...]) -> Condition:
    return Atom("labels", numbers) if numbers else False


def _code(value: str, effect: Effect) -> Condition:
    if Codes.hashes is None:
        return effect == "deny"
    tokens, posts = Codes.hashes(*split(value))
    return Atom("codes", tokens, posts) if tokens or posts else False


def _data(value: str, rids: Mapping[str, int]) -> Condition:
    meaning, _, reference = value.partition(" ")
    if reference not in rids:
        return False
    kinds: dict[str, Condition] = {
        "instance": Atom("same", (rids[reference],)),
        "dependents": Atom("dependents", (rids[reference],)),
        "related": Atom("related", (rids[reference],)),
    }
    return kinds[meaning]
