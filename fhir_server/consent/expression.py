"""Conditions on rows: what the resource's side of a rule is, as values that become SQL or look at a row.

A condition is TRUE, FALSE, an Atom, or Not, All, Any of conditions; equal ones compare equal, so that patients whose
consents say the same share one text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

from fhir_server.storage.rows import MISSING_DATE, Row

Kind = Literal["types", "labels", "codes", "within", "touches", "same", "dependents", "related"]


class Arguments(Protocol):
    """What a condition puts its values into; each method returns the text that stands for the value."""

    def big(self, value: int) -> str:
        """Return the place of a bigint."""
        ...

    def bigs(self, values: Sequence[int]) -> str:
        """Return the place of a bigint[]."""
        ...


class Atom(msgspec.Struct, frozen=True):
    """One condition on a row.

    Shape:  types and labels: numbers, any of which will do; codes: hashes of tokens (`more`: posting keys); within and
            touches: `numbers` are the two ends of a period; same, dependents, related: one row number
    """

    kind: Kind
    numbers: tuple[int, ...]
    more: tuple[int, ...] = ()


class Not(msgspec.Struct, frozen=True):
    """What is met where `of` is not."""

    of: Condition


class All(msgspec.Struct, frozen=True):
    """What is met where each of `of` is."""

    of: tuple[Condition, ...]


class Any(msgspec.Struct, frozen=True):
    """What is met where one of `of` is."""

    of: tuple[Condition, ...]


Condition = bool | Atom | Not | All | Any

OF_VERSIONS = frozenset({"types", "labels", "same"})
"""Kinds that can be told of an older version, and of a row by itself."""

OF_DELETIONS = OF_VERSIONS | {"codes", "within", "touches"}
"""Kinds that can be told of a deletion, which keeps what it was found by but its references."""


def all_of(parts: Sequence[Condition]) -> Condition:
    """Return the conjunction; True where there are none."""
    if any(one is False for one in parts):
        return False
    left = tuple(dict.fromkeys(one for one in parts if one is not True))
    return True if not left else left[0] if len(left) == 1 else All(left)


def any_of(parts: Sequence[Condition]) -> Condition:
    """Return the disjunction; False where there are none."""
    if any(one is True for one in parts):
        return True
    left = tuple(dict.fromkeys(one for one in parts if one is not False))
    return False if not left else left[0] if len(left) == 1 else Any(left)


def negated(one: Condition) -> Condition:
    """Return what is met where `one` is not."""
    return not one if isinstance(one, bool) else one.of if isinstance(one, Not) else Not(one)


def told(one: Condition, row: Row) -> bool | None:
    """Return whether a row meets a condition; None where its columns do not say."""
    if isinstance(one, bool):
        return one
    if isinstance(one, Not):
        met = told(one.of, row)
        return None if met is None else not met
    if isinstance(one, Atom):
        return _told(one, row)
    decisive = isinstance(one, Any)
    found = [told(part, row) for part in one.of]
    if decisive in found:
        return decisive
    return None if None in found else not decisive


def _told(atom: Atom, row: Row) -> bool | None:
    if atom.kind == "types":
        return row.type in atom.numbers
    if atom.kind == "labels":
        return not set(row.labels or ()).isdisjoint(atom.numbers)
    return row.rid in atom.numbers if atom.kind == "same" else None


def text(one: Condition, sql: Arguments, row: str) -> str:
    """Return a condition on the row with alias `row` as SQL; it is never NULL."""
    if isinstance(one, bool):
        return "true" if one else "false"
    if isinstance(one, Not):
        return f"NOT {text(one.of, sql, row)}"
    if isinstance(one, Atom):
        return _TEXTS[one.kind](one, sql, row)
    word = " OR " if isinstance(one, Any) else " AND "
    return "(" + word.join(text(part, sql, row) for part in one.of) + ")"


def _types(atom: Atom, _sql: Arguments, row: str) -> str:
    return f"({row}.type IN ({', '.join(map(str, atom.numbers))}))"


def _labels(atom: Atom, _sql: Arguments, row: str) -> str:
    return f"COALESCE({row}.labels && '{{{','.join(map(str, atom.numbers))}}}'::integer[], false)"


def _codes(atom: Atom, sql: Arguments, row: str) -> str:
    found = [f"{row}.tokens && {sql.bigs(atom.numbers)}"] if atom.numbers else []
    found += [f"{row}.posts && {sql.bigs(atom.more)}"] if atom.more else []
    return f"({' OR '.join(found)})" if found else "false"


def _within(atom: Atom, sql: Arguments, row: str) -> str:
    lo, hi = (sql.big(number) for number in atom.numbers)
    return f"({row}.d0 >= {lo} AND {row}.d1 <= {hi} AND {row}.d0 <> {sql.big(MISSING_DATE)})"


def _touches(atom: Atom, sql: Arguments, row: str) -> str:
    lo, hi = (sql.big(number) for number in atom.numbers)
    return f"(({row}.d0 <= {hi} AND {row}.d1 >= {lo}) OR {row}.d0 = {sql.big(MISSING_DATE)})"


def _same(atom: Atom, sql: Arguments, row: str) -> str:
    return f"({row}.rid = {sql.big(atom.numbers[0])})"


def _dependents(atom: Atom, sql: Arguments, row: str) -> str:
    """Return the condition that a row is that one, or refers to it."""
    rid = sql.big(atom.numbers[0])
    edge = f"EXISTS (SELECT FROM edge ce WHERE ce.src = {row}.rid AND ce.dst = {rid})"
    owned = f"COALESCE({row}.pid = {rid}, false) OR COALESCE({rid} = ANY({row}.owners), false)"
    return f"({row}.rid = {rid} OR {owned} OR {edge})"


def _related(atom: Atom, sql: Arguments, row: str) -> str:
    """Return the condition that a row is that one, or is referred to by it."""
    rid = sql.big(atom.numbers[0])
    edge = f"EXISTS (SELECT FROM edge ce WHERE ce.src = {rid} AND ce.dst = {row}.rid)"
    owner = f"(cr.pid = {row}.rid OR {row}.rid = ANY(cr.owners))"
    patient = f"EXISTS (SELECT FROM resource cr WHERE cr.rid = {rid} AND {owner})"
    return f"({row}.rid = {rid} OR {edge} OR {patient})"


_TEXTS = {
    "types": _types,
    "labels": _labels,
    "codes": _codes,
    "within": _within,
    "touches": _touches,
    "same": _same,
    "dependents": _dependents,
    "related": _related,
}
