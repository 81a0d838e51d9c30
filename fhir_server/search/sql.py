"""The pieces that statements are made of: collected arguments, and what one search criterion means in SQL."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from psycopg.types.numeric import Int8

from fhir_server.storage.binary import Int8s, Texts
from fhir_server.storage.rows import type_number
from resources.outcome import FhirError

MOST_ARGUMENTS = 65_535
"""How many arguments a statement can have: PostgreSQL counts them in 16 bits."""


class Sql:
    """The arguments of one statement, in order; text that uses them says `$1`, `$2` …

    The text of a statement depends on the shape of a search alone, so that the database prepares each shape once:
    numbers of types and parameters are written out, everything a client sent is an argument.
    """

    __slots__ = ("args",)

    def __init__(self) -> None:
        self.args: list[Any] = []

    def _add(self, value: Any) -> str:
        if len(self.args) == MOST_ARGUMENTS:
            raise FhirError(400, "too-costly", "The search asks for too many values at once")
        self.args.append(value)
        return f"${len(self.args)}"

    def big(self, value: int) -> str:
        """Return the place of a bigint."""
        return self._add(Int8(value))

    def text(self, value: str) -> str:
        """Return the place of a text."""
        return self._add(value) + "::text"

    def cast(self, value: str, type_name: str) -> str:
        """Return the place of a value sent as text and read as `type_name`."""
        return f"{self._add(value)}::{type_name}"

    def bigs(self, values: Sequence[int]) -> str:
        """Return the place of a bigint[]."""
        return self._add(Int8s(values))

    def texts(self, values: Sequence[str]) -> str:
        """Return the place of a text[]."""
        return self._add(Texts(values))


Clause = Callable[[Sql], str]
RowClause = Callable[[Sql, str], str]
"""Takes the alias of a `resource` row and returns a condition on it."""

Ranges = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Patients:
    """The patients that rows must belong to: an expression for one row number (`one`) or for an array of them."""

    clause: Clause
    one: bool


@dataclass(frozen=True, slots=True)
class Test:
    """What one criterion means.

    Shape:  `where` filters a row that something else found; the rest says how the criterion can itself find rows,
            cheapest `rank` first: `rids` lists row numbers, `tokens` are looked up under GIN (any of them),
            `postings` are ranges of posting keys (any of them), `patients` restrict by `pid`;
            `needles` are texts of which one occurs in what is stored of every true match;
            `newest` says that matches lie at the late end of the main date (True) or at the early one (False),
            `recent` the same of the last update;
            `probe` lists what is counted to know whether the test finds few rows, where that is not `rids`;
            `bounds` takes the column of a row's first moment and returns conditions on it that every match meets;
            `parts` are the tests that a conjunction is made of: whoever looks for a leading one looks at these;
            `words` is the tsquery that says how well a row answers, empty where that is no question of degree
    """

    where: RowClause
    rank: int = 100
    rids: Clause | None = None
    tokens: tuple[int, ...] = ()
    postings: Ranges = ()
    patients: Patients | None = None
    needles: Collection[str] = ()
    newest: bool | None = None
    recent: bool | None = None
    probe: Clause | None = None
    bounds: Callable[[Sql, str], list[str]] | None = None
    parts: tuple[Test, ...] = ()
    words: str = ""


SEVERAL_KEYS = 45
"""Rank of a test on several posting keys: alternatives, or a code without its system."""

NEVER = "false"


def never() -> Test:
    """Return the test that no row passes."""
    return Test(lambda _sql, _row: NEVER, 0, lambda _sql: "SELECT NULL::bigint WHERE false")


def negated(test: Test) -> Test:
    """Return the test that exactly the rows pass which fail `test`; it can only filter."""
    return Test(lambda sql, row: f"(CASE WHEN {test.where(sql, row)} THEN NULL ELSE true END) IS NOT NULL")


def unweighed(condition: str) -> str:
    """Return `condition` in words by which the planner expects nearly every row to pass.

    A generic plan takes `$1 = ANY(tokens)` for one row in twenty; it would rather read and sort a whole type than
    walk its order until the page is full. How rare a token is decides which text is sent, not the planner.
    """
    return f"(CASE WHEN {condition} THEN true END) IS NOT NULL"


def conjunction(tests: Sequence[Test]) -> Test:
    """Return the test that rows pass which pass all of `tests` (not empty); each of them can still lead."""
    if len(tests) == 1:
        return tests[0]
    return Test(
        lambda sql, row: all_of([f"({test.where(sql, row)})" for test in tests]), parts=tuple(flat(tests))
    )


def flat(tests: Sequence[Test]) -> list[Test]:
    """Return `tests` with the parts of conjunctions in their place."""
    return [part for test in tests for part in (test.parts or (test,))]


def of_types(row: str, types: Sequence[str]) -> str:
    """Return the condition that a row is of one of `types`."""
    numbers = ", ".join(str(type_number(name)) for name in types)
    return f"{row}.type = {numbers}" if len(types) == 1 else f"{row}.type IN ({numbers})" if types else NEVER


def any_of(conditions: Sequence[str]) -> str:
    """Return the disjunction of `conditions`; false where there are none."""
    if not conditions:
        return NEVER
    return conditions[0] if len(conditions) == 1 else "(" + " OR ".join(conditions) + ")"


def all_of(conditions: Sequence[str]) -> str:
    """Return the conjunction of `conditions`; true where there are none."""
    return " AND ".join(conditions) or "true"
