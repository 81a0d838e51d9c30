"""What a value set is made of: leaves, each codes of one code system, with conditions; and the gaps that nobody fills.

Source: http://hl7.org/fhir/R4/valueset.html#compositions
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from fhir_server.concepts.model import System
from fhir_server.search.sql import Sql
from terminology.grammars import Grammar
from terminology.records import Designation

Clause = Callable[[Sql, str], str]
"""A condition on a row of concepts: takes the statement's arguments and the row's alias."""

ACTIVE: Clause = lambda _sql, a: f"{a}.active"  # noqa: E731 - a constant of the type that all filters have
REPEATED: Clause = lambda _sql, _a: "true"  # noqa: E731
"""What is besides places that may come more than once."""


class Places(Protocol):
    """Writes the statement for the places of concepts, in its column `n`."""

    def __call__(self, sql: Sql, first: int | None = None, /) -> str:
        """Return the statement."""
        ...


class Placed:
    """A condition which can also say the places of all concepts that meet it: cheaper to list, dearer to ask once.

    Shape:  `places` is a statement; it may leave out what comes after the `first` places; `besides` is what the
            condition asks of a row that places do not tell
    """

    __slots__ = ("besides", "condition", "places")

    def __init__(self, condition: Clause, places: Places, besides: tuple[Clause, ...] = ()) -> None:
        self.condition = condition
        self.places = places
        self.besides = besides

    def __call__(self, sql: Sql, alias: str) -> str:
        """Return the condition on a row."""
        return self.condition(sql, alias)


@dataclass(frozen=True, slots=True)
class Listed:
    """A code that a value set lists, with the names that it gives."""

    code: str
    display: str = ""
    designations: tuple[Designation, ...] = ()
    abstract: bool = False
    inactive: bool = False


class Gap(NamedTuple):
    """Codes that cannot be told; `url` is the code system that they are of, None where it may be any."""

    url: str | None
    reason: str


@dataclass(slots=True)
class Leaf:
    """Codes of one code system.

    Shape:  `system` None where it is not loaded, then they are `listed` or made by a `grammar`; `listed` None means
            all of the system's; `version` is the one that the value set names; `repeated` are those conditions which
            only leave out what a leaf before has; `counts` is how many codes there are, as far as that was asked
    """

    url: str
    version: str
    system: System | None
    listed: tuple[Listed, ...] | None = None
    grammar: Grammar | None = None
    where: list[Clause] = field(default_factory=list)
    repeated: list[Clause] = field(default_factory=list)
    counts: dict[Hashable, int] = field(default_factory=dict)
    few: bool | None = None
    _by_code: dict[str, Listed] = field(default_factory=dict)
    _by_fold: dict[str, list[int]] = field(default_factory=dict)

    def said(self, code: str) -> Listed | None:
        """Return what the value set itself says of a code that it lists."""
        if self.listed and not self._by_code:
            self._by_code = {one.code: one for one in self.listed}
        return self._by_code.get(code)

    @property
    def number(self) -> int:
        """Its code system's number in the tables, 0 where it has none."""
        return self.system.id if self.system is not None else 0

    @property
    def own(self) -> list[Clause]:
        """Its conditions, as if no leaf came before it."""
        return [clause for clause in self.where if not any(clause is one for one in self.repeated)]

    def copy(self) -> Leaf:
        """Return a leaf of the same codes that another value set can narrow."""
        return Leaf(self.url, self.version, self.system, self.listed, self.grammar, self.own)

    def takes(self, other: Leaf) -> bool:
        """Take in what a leaf lists that comes right after this one, and return whether that could be done."""
        if self.listed is None or other.listed is None or self.where or other.where:
            return False
        if (self.url, self.version, self.number) != (other.url, other.version, other.number):
            return False
        known = {self.fold(one.code) for one in self.listed}
        self.listed += tuple(one for one in other.listed if self.fold(one.code) not in known)
        return True

    def fold(self, code: str) -> str:
        """Return `code` as rows of this leaf are compared."""
        return self.system.fold(code) if self.system is not None else code

    def _chosen(self, listed: Sequence[Listed], codes: Sequence[str] | None, part: slice) -> Sequence[int]:
        """Return the places of listed codes, of `codes` alone where they are given."""
        if codes is None:
            return range(len(listed))[part]
        if not self._by_fold:
            for place, one in enumerate(listed):
                self._by_fold.setdefault(self.fold(one.code), []).append(place)
        folds = {self.fold(code) for code in codes}
        return sorted(place for fold in folds for place in self._by_fold.get(fold, ()))

    def source(
        self, sql: Sql, alias: str, codes: Sequence[str] | None = None, part: slice = slice(None)
    ) -> str:
        """Return the rows of this leaf as a table expression, of `codes` alone, or a `part` of what it lists.

        Shape:  columns ord, code, fold, n, active, abstract, display, definition, words
        """
        if self.listed is None:
            chosen = f" AND c.fold = ANY({sql.texts([self.fold(code) for code in codes])})" if codes else ""
            return (
                "(SELECT c.n AS ord, c.code, c.fold, c.n, c.active, c.abstract, c.display, c.definition, c.words"
                f" FROM concept c WHERE c.system = {sql.big(self.number)}{chosen}) {alias}"
            )
        shown = [(place, self.listed[place]) for place in self._chosen(self.listed, codes, part)]
        columns = (
            sql.bigs([place for place, _ in shown]),
            sql.texts([one.code for _, one in shown]),
            sql.texts([self.fold(one.code) for _, one in shown]),
            sql.texts([one.display for _, one in shown]),
        )
        return (
            "(SELECT u.ord, u.code, u.fold, c.n, coalesce(c.active, true) AS active,"
            " coalesce(c.abstract, false) AS abstract, coalesce(nullif(u.display, ''), c.display, '') AS display,"
            " coalesce(c.definition, '') AS definition, coalesce(c.words, to_tsvector('simple', u.display)) AS words"
            f" FROM unnest({', '.join(columns)}) AS u(ord, code, fold, display) LEFT JOIN LATERAL"
            " (SELECT * FROM concept k WHERE k.fold = u.fold AND k.system"
            f" = {sql.big(self.number)} ORDER BY k.code <> u.code LIMIT 1) c ON true) {alias}"
        )

    def conditions(self, sql: Sql, alias: str) -> list[str]:
        """Return its conditions on a row."""
        return [clause(sql, alias) for clause in self.where]

    @property
    def placed(self) -> Placed | None:
        """The condition whose places are best listed from, None where there is none."""
        if self.listed is not None:
            return None
        return next((clause for clause in self.where if isinstance(clause, Placed)), None)

    def listing(self, sql: Sql, alias: str) -> tuple[str, list[str]]:
        """Return `source` and `conditions` for a list in order, from the places of one condition where one has them."""
        lead = self.placed
        source = self.source(sql, alias)
        if lead is None:
            return source, self.conditions(sql, alias)
        others = [*lead.besides, *(clause for clause in self.where if clause is not lead)]
        rest = [clause(sql, alias) for clause in others]
        return source, [f"{alias}.n = ANY(ARRAY({lead.places(sql)}))", *rest]


def within(leaves: Sequence[Leaf], of: Leaf) -> Clause | bool:
    """Return whether a row of the leaf `of` is among `leaves`: a condition, or what is certain."""
    tests = [_same(leaf, of) for leaf in leaves if leaf.url == of.url]
    if any(test is True for test in tests):
        return True
    clauses = [test for test in tests if not isinstance(test, bool)]
    if not clauses:
        return False
    return lambda sql, alias: f"coalesce({' OR '.join(f'({one(sql, alias)})' for one in clauses)}, false)"


def _same(leaf: Leaf, of: Leaf) -> Clause | bool:
    """Return whether a row of `of` is one of `leaf`, a leaf of the same url."""
    if leaf.grammar is not None:
        return _made(leaf, leaf.grammar, of)
    if leaf.number == of.number:
        return _here(leaf)
    own = leaf.own
    if leaf.listed is not None and not own:
        return _listing(leaf)
    return lambda sql, a: (
        f"EXISTS (SELECT FROM {leaf.source(sql, a + 'v')} WHERE {a}v.fold = {a}.fold"
        + "".join(f" AND {one(sql, a + 'v')}" for one in own)
        + ")"
    )


def _made(leaf: Leaf, grammar: Grammar, of: Leaf) -> Clause | bool:
    """Return whether a row of `of` is one of `leaf`, whose codes are made by rules."""
    passed = [one.code for one in of.listed or () if not grammar(one.code)]
    by_rule: list[Clause] = (
        [] if of.grammar is not None else [lambda sql, a: f"{a}.code = ANY({sql.texts(passed)})"]
    )
    parts = [*by_rule, *leaf.own]
    if not parts:
        return True
    return lambda sql, alias: " AND ".join(f"({one(sql, alias)})" for one in parts)


def _here(leaf: Leaf) -> Clause | bool:
    parts = [*([_listing(leaf)] if leaf.listed is not None else []), *leaf.own]
    if not parts:
        return True
    return lambda sql, alias: " AND ".join(f"({one(sql, alias)})" for one in parts)


def _listing(leaf: Leaf) -> Clause:
    folds = [leaf.fold(one.code) for one in leaf.listed or ()]
    return lambda sql, alias: f"{alias}.fold = ANY({sql.texts(folds)})"


def negated(test: Clause | bool) -> Clause | bool:
    """Return the opposite of a test."""
    if isinstance(test, bool):
        return not test
    return lambda sql, alias: f"NOT ({test(sql, alias)})"
