"""What a Consent says, as a list of rules: each an effect and the criteria on the way down to it.

The precedence of rules is here and nowhere else (`beats`, `within`).
Source: http://hl7.org/fhir/R4/consent.html; what it leaves open: docs/explanation/consent.md
"""

from __future__ import annotations

from typing import Literal

import msgspec

from fhir_server.consent.labels import implied, labels, levels, number_of
from fhir_server.consent.purposes import widened

Effect = Literal["permit", "deny"]
Kind = Literal["actor", "purpose", "action", "class", "code", "label", "period", "data", "unsupported"]

GROUPS = frozenset({"Organization", "CareTeam", "Group", "HealthcareService"})
"""Actors that several people belong to."""


UNKNOWN = "?"


class Criterion(msgspec.Struct, frozen=True, order=True):
    """One thing that a rule restricts itself to: any of `values` will do.

    Shape:  actor 'Practitioner/1'; purpose 'HRESCH' or 'system|code'; action a code; class a resource type; code and
            label 'system|code'; data 'instance Observation/1'; unsupported: the reason; period: `lo` and `hi`, the
            microseconds since 1970 that data must lie between; a value that starts with UNKNOWN is one of which nobody
            can tell whether it is met
    """

    kind: Kind
    values: tuple[str, ...] = ()
    lo: int = 0
    hi: int = 0


class Rule(msgspec.Struct, frozen=True):
    """One rule of a Consent.

    Shape:  `path` is where it stands ('Consent.provision.provision[1]'); `when` orders Consents by age;
            it is in force from `start` until before `end`
    Units:  seconds since 1970 UTC; `when` microseconds
    """

    effect: Effect
    consent: str
    path: str
    when: int
    criteria: tuple[Criterion, ...] = ()
    start: float = float("-inf")
    end: float = float("inf")

    def in_force(self, now: float) -> bool:
        """Whether it holds at an instant."""
        return self.start <= now < self.end


class Directive(msgspec.Struct, frozen=True):
    """A Consent that says who may see what, read.

    Shape:  `patient` is a reference, empty where it names none that this server can know; `problems` are what it says
            that cannot be kept exactly, each with its place
    """

    consent: str
    patient: str
    rules: tuple[Rule, ...] = ()
    problems: tuple[tuple[str, str], ...] = ()


def beats(permit: Rule, deny: Rule) -> bool:
    """Whether `permit` is an exception to `deny`, where both apply.

    It is, if it stands below it in one Consent, or if it speaks of nothing that `deny` does not speak of and is newer,
    or of the same age and narrower.
    """
    if permit.consent == deny.consent and permit.path.startswith(deny.path + "."):
        return True
    if not within(permit, deny):
        return False
    return permit.when > deny.when or (permit.when == deny.when and not within(deny, permit))


def within(inner: Rule, outer: Rule) -> bool:
    """Whether all that `outer` restricts itself to, `inner` restricts itself to at least as much."""
    return all(any(_narrower(one, wide) for one in inner.criteria) for wide in outer.criteria)


def _narrower(one: Criterion, wide: Criterion) -> bool:
    if one.kind != wide.kind or one.kind == "unsupported":
        return False
    if one.kind == "period":
        return wide.lo <= one.lo and one.hi <= wide.hi
    if one.kind == "actor" and any(is_group(actor) for actor in wide.values):
        return all(actor in wide.values or _is_person(actor) for actor in one.values)
    if one.kind == "purpose":
        return all(widened(purpose) & set(wide.values) for purpose in one.values)
    if one.kind == "label":
        return all(any(_at_least(label, other) for other in wide.values) for label in one.values)
    return set(one.values) <= set(wide.values)


def is_group(actor: str) -> bool:
    """Whether an actor is one that several people belong to."""
    return actor.partition("/")[0] in GROUPS


def _is_person(actor: str) -> bool:
    return not is_group(actor) and not actor.startswith(UNKNOWN)


def _at_least(label: str, other: str) -> bool:
    """Whether a label is `other`, a part of it, or a confidentiality as high."""
    if label == other:
        return True
    one, two = number_of(*split(label)), number_of(*split(other))
    if one in levels() and two in levels():
        return one >= two
    return {one, two} <= {row.number for row in labels().values() if row.system} and two in implied(one)


def split(value: str) -> tuple[str, str]:
    """Return the system and the code of 'system|code'."""
    system, _, code = value.rpartition("|")
    return system, code
