"""From tests to a statement: which index the rows come from, what filters them, in which order.

The text decides the plan, since a prepared statement's generic plan cannot see values:

    few rows by key     _id, identifier, a foreign address              unique index, GIN
    patient + posting   posting (pid, h, d0, rid), in order of date
    patient             resource (pid, type, d0, rid), in order of date
    references, names   row numbers first, as one array, then the rows by primary key
    posting             posting (h, d0, rid), in order of date; of several keys each in order, merged
    rare tokens         GIN; dates and numbers: row numbers first
    the main date       resource (type, d0, rid) from the end where the matches lie
    the last update     resource (type, updated, rid) from the end where the matches lie
    anything else       the type's rows in order, filtered; of several types one after the other

Every other criterion filters the row (its own arrays, or an index by row number).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from fhir_server.access import current
from fhir_server.search.frequency import FREQUENCIES
from fhir_server.search.param import Param, Part
from fhir_server.search.sql import (
    SEVERAL_KEYS,
    Patients,
    Sql,
    Test,
    all_of,
    any_of,
    flat,
    never,
    of_types,
)
from fhir_server.storage.rows import type_number
from resources.definitions import definitions

BY_ID = 0
"""Rank of `_id`: at most one row each, by the unique index."""
FEW = 15
"""Up to this rank a test finds few rows, and is where they come from."""
_ARRAYS, _LAST = 30, 60

LIVE = "r.tail IS NOT NULL"
"""What `r.live` says, in words that no partial index promises: a look-up by key must not be ANDed with a whole type."""

_BY_DATE = ("d0", "d0-", "pid")
"""Orders of sources that an index reads by date."""

PAGE_GUESS = 1_000

MANY_KEYS = 16
"""From so many posting keys on, those of one patient are looked up, not compared with each row's."""

Order = Literal["", "free", "type"]
Types = str | tuple[str, ...]
"""The resource type that rows must be of, or several, of which each will do."""


@dataclass(slots=True)
class Source:
    """Where rows come from.

    Shape:  `order` is the order that costs nothing: d0 (date, row), d0- (the same from the end), pid (patient, date,
            row) or rid; of several types: type (type, row) or patient (patient, type, date, row);
            `rid_order` is what to sort by where row numbers must be sorted but no index is to be walked for them;
            `u` and `u-` are the order of the last update; `walked` says that all rows of the types are there, so
            that an index may give any other order, too;
            `keys` lists posting keys k(h): each is read in order of date for itself, and the results are merged
    """

    tables: str
    conditions: list[str]
    rid: str = "r.rid"
    d0: str = "r.d0"
    pid: str = "r.pid"
    order: str = "rid"
    rid_order: str = "r.rid"
    keys: str = ""
    walked: bool = False


def visible(type_name: str, row: str, sql: Sql | None = None) -> str:
    """Return the condition that the caller may see a row of a type (empty: of any); empty where each may be seen.

    Every hop of a search asks here: matches, chains, `_has`, includes, totals. Without `sql` values are written out.
    """
    seen = current.policy().where(sql, type_name, row)
    return f"({seen})" if seen else ""


def known(_type_name: str, _row: str) -> str:
    """Return the condition that this server may go by a definition: by each, whoever asks.

    Profiles, code systems, value sets and maps are about no patient; what a token may read of them, it may ask for.
    """
    return ""


def source(
    sql: Sql,
    types: Types,
    tests: Sequence[Test],
    *,
    row: bool = True,
    dated: bool = False,
    order: Order = "",
) -> Source:
    """Return where the rows of `types` that pass `tests` come from.

    Shape:  without `row` only their numbers matter; `dated` says that they are wanted in order of date, `order` that
            they are in the one that costs nothing (free) or in one that starts with the type
    """
    tests = flat(tests)
    found, used = _chosen(sql, types, tests, dated=dated, order=order)
    if found.order in _BY_DATE:
        found.conditions += [bound for test in tests if test.bounds for bound in test.bounds(sql, found.d0)]
    rest = [test.where(sql, "r") for test in tests if test not in used]
    seen = visible(_only(types), "r", sql)
    rest += [seen] if seen else []
    if found.rid == "p.rid" and ((row and not found.keys) or rest):
        found.tables = "posting p JOIN resource r ON r.rid = p.rid"
        rest.append(LIVE)
    found.conditions += rest
    return found


def _chosen(
    sql: Sql, types: Types, tests: Sequence[Test], *, dated: bool, order: Order
) -> tuple[Source, Sequence[Test]]:
    """Return where the rows come from, and the tests that they pass by coming from there."""
    best = min((test for test in tests if _leads(test)), key=lambda test: test.rank, default=None)
    if best is not None and best.rank <= FEW:
        return _by_rank(sql, types, best), [best]
    post = next((test for test in tests if len(test.postings) == 1 and _exact(test)), None)
    owned = next((test for test in tests if test.patients), None)
    if owned is not None:
        return _within_patients(sql, types, tests, owned, post)
    rarer = next((test for test in tests if _rarer(test, post)), None)
    if rarer is not None:
        return _by_rank(sql, types, rarer), [rarer]
    if post is not None and (best is None or best.rank > _ARRAYS):
        return _by_posting(sql, post, None), [post]
    if best is None:
        return _by_type(types, tests, order), []
    if dated and best.postings and best.rank == SEVERAL_KEYS:
        return _by_keys(sql, best), [best]
    return _by_rank(sql, types, best), [best]


def _within_patients(
    sql: Sql, types: Types, tests: Sequence[Test], owned: Test, post: Test | None
) -> tuple[Source, Sequence[Test]]:
    """Return where the rows of patients come from, and the tests that they pass by coming from there."""
    patients = owned.patients
    assert patients is not None
    if post is not None:
        return _by_posting(sql, post, patients), [owned, post]
    several = next((test for test in tests if _many_of_one(test, patients)), None)
    if several is not None:
        return _by_patient_and_keys(sql, types, several, patients), [owned, several]
    return _by_patient(sql, types, patients), [owned]


def _exact(test: Test) -> bool:
    """Whether each posting of a test is one key, not a range of them."""
    return all(lo == hi for lo, hi in test.postings)


def lead(test: Test) -> int | None:
    """Return the rank at which a test finds rows by itself, None where it can only filter."""
    parts = flat([test])
    ranks = [part.rank for part in parts if _leads(part)]
    ranks += [_ARRAYS for part in parts if part.patients or part.postings]
    return min(ranks, default=None)


def _leads(test: Test) -> bool:
    """Whether a test can be where the rows come from."""
    if test.rank == BY_ID:
        return True
    if test.tokens:
        return test.rank <= FEW or not FREQUENCIES.common(test.tokens, PAGE_GUESS, guess=test.rank >= 50)
    return test.rids is not None and test.rank <= _LAST


def _rarer(test: Test, post: Test | None) -> bool:
    """Whether tokens are known to be in far fewer rows than a posting."""
    if post is None or not test.tokens:
        return False
    return FREQUENCIES.rarer(test.tokens, post.postings[0][0])


def _only(types: Types) -> str:
    """Return the one type of `types`, empty where there are several."""
    return types if isinstance(types, str) else types[0] if len(types) == 1 else ""


def _listed(types: Types) -> tuple[str, ...]:
    return (types,) if isinstance(types, str) else types


def _typed(types: Types) -> list[str]:
    """Return the condition on a row's type; none where every type will do."""
    listed = _listed(types)
    return [] if len(listed) == len(definitions().resource_types) else [of_types("r", listed)]


def _by_type(types: Types, tests: Sequence[Test], order: Order) -> Source:
    found = Source("resource r", [*_typed(types), "r.live"], walked=True)
    dated = next((("d0-" if t.newest else "d0") for t in tests if t.newest is not None), "")
    updated = next((("u-" if t.recent else "u") for t in tests if t.recent is not None), "")
    found.order = (_only(types) and dated) or updated or "type"
    if updated:
        found.conditions.append("r.version > 0")
    by_type = order == "type" or (order == "free" and found.order in ("type", "u", "u-"))
    if by_type and _only(types):
        # not `=`, which would take the type out of the order and let the planner walk the rows of all types; not a
        # range, from which no later page could start where the one before it ended
        found.conditions[0] = f"r.type = ANY('{{{type_number(_only(types))}}}')"
    return found


def _by_rank(sql: Sql, types: Types, test: Test) -> Source:
    if test.rank == BY_ID and test.rids is None:
        return Source("resource r", [of_types("r", _listed(types)), LIVE, test.where(sql, "r")])
    if test.tokens:
        return Source("resource r", [f"r.tokens && {sql.bigs(test.tokens)}", LIVE], rid_order="r.rid + 0")
    assert test.rids is not None
    return Source("resource r", [f"r.rid = ANY(ARRAY({test.rids(sql)}))", *_typed_by_key(types), LIVE])


def _typed_by_key(types: Types) -> list[str]:
    """Return `_typed` in words by which no index that starts with the type is walked."""
    return [f"r.type + 0{one.removeprefix('r.type')}" for one in _typed(types)]


def _by_posting(sql: Sql, test: Test, patients: Patients | None) -> Source:
    conditions = [f"p.h = {sql.big(test.postings[0][0])}"]
    order = "d0"
    if patients is not None:
        conditions.insert(0, _of_patients(sql, "p.pid", patients))
        order = "d0" if patients.one else "pid"
    return Source("posting p", conditions, "p.rid", "p.d0", "p.pid", order, "p.rid")


def _many_of_one(test: Test, patients: Patients) -> bool:
    """Whether a test asks for so many posting keys of one patient that the index should find them, not a filter."""
    return patients.one and len(test.postings) >= MANY_KEYS and _exact(test)


def _by_patient_and_keys(sql: Sql, types: Types, test: Test, patients: Patients) -> Source:
    keys = sql.bigs([lo for lo, _ in test.postings])
    of_one = f"{_of_patients(sql, 'p.pid', patients)} AND p.h = ANY({keys})"
    rids = f"r.rid = ANY(ARRAY(SELECT p.rid FROM posting p WHERE {of_one}))"
    return Source("resource r", [rids, *_typed_by_key(types), LIVE])


def _by_keys(sql: Sql, test: Test) -> Source:
    if _exact(test):
        keys = f"WITH k(h) AS (SELECT unnest({sql.bigs([lo for lo, _ in test.postings])}))"
        return Source("posting p", ["p.h = k.h"], "p.rid", "p.d0", "p.pid", "d0", "p.rid", keys)
    lows, highs = ([pair[end] for pair in test.postings] for end in (0, 1))
    after = "SELECT x.h FROM posting x WHERE x.h {} AND x.h <= {} ORDER BY x.h LIMIT 1"
    keys = (
        f"WITH RECURSIVE k(h, hi) AS (SELECT ({after.format('>= b.lo', 'b.hi')}), b.hi"
        f" FROM unnest({sql.bigs(lows)}, {sql.bigs(highs)}) AS b(lo, hi)"
        f" UNION ALL SELECT ({after.format('> k.h', 'k.hi')}), k.hi FROM k WHERE k.h IS NOT NULL)"
    )
    return Source("posting p", ["p.h = k.h"], "p.rid", "p.d0", "p.pid", "d0", "p.rid", keys)


def _by_patient(sql: Sql, types: Types, patients: Patients) -> Source:
    conditions = [_of_patients(sql, "r.pid", patients), *_typed(types), "r.live"]
    if not _only(types):
        return Source("resource r", conditions, order="patient")
    return Source("resource r", conditions, order="d0" if patients.one else "pid")


def _of_patients(sql: Sql, column: str, patients: Patients) -> str:
    listed = patients.clause(sql)
    return f"{column} = ({listed})" if patients.one else f"{column} = ANY(ARRAY({listed}))"


def listing(sql: Sql, types: Types, tests: Sequence[Test]) -> str:
    """Return the statement that lists the row numbers of the rows of `types` that pass `tests`."""
    found = source(sql, types, tests, row=False)
    return f"SELECT {found.rid} FROM {found.tables} WHERE {all_of(found.conditions)}"


def referred(param: Param, types: Types, inner: Test) -> Test:
    """Return the test that rows of `types` pass to which a row that passes `inner` refers through `param`."""
    wanted = set(_listed(types)) & set(param.targets or _listed(types))
    parts = [part for part in param.parts if not part.resolves or part.resolves in wanted]
    if not wanted or not parts:
        return never()

    def rids(sql: Sql) -> str:
        found = []
        for part in parts:
            if part.patient and "Patient" in wanted:
                rows = source(sql, param.type, [inner], row=False)
                pid = (
                    f"{rows.pid} + 0"  # no column of an index in order of patients, which would be read whole
                )
                known = [*rows.conditions, f"{pid} IS NOT NULL"]
                found.append(f"SELECT {pid} FROM {rows.tables} WHERE {all_of(known)}")
            if not part.patient or wanted != {"Patient"}:
                rows_listed = listing(sql, param.type, [inner])
                found.append(
                    f"SELECT e.dst FROM edge e{_pointed(types, part, wanted)}"
                    f" WHERE e.param = {part.id} AND e.src = ANY(ARRAY({rows_listed}))"
                )
        return " UNION ALL ".join(found)

    def where(sql: Sql, row: str) -> str:
        clauses = []
        for part in parts:
            if part.patient and "Patient" in wanted:
                clauses.append(_carrying(sql, param.type, inner, row))
            if not part.patient or wanted != {"Patient"}:
                clauses.append(_pointing(sql, param.type, inner, part, row))
        typed = "" if _only(types) else f"{of_types(row, sorted(wanted))} AND "
        return f"({typed}{any_of(clauses)})"

    return Test(where, 28, rids, probe=lambda sql: listing(sql, param.type, [inner]))


def _carrying(sql: Sql, type_name: str, inner: Test, row: str) -> str:
    """Return the condition that a patient's row has one of a type of its own that passes `inner`."""
    own = Test(lambda _sql, _row: "true", patients=Patients(lambda _sql: "o.rid", True))
    rows = source(sql, type_name, [own, inner], row=False)
    return _one_of(f"{rows.tables} WHERE {all_of([*rows.conditions, f'{rows.pid} = o.rid'])}", row)


def _pointing(sql: Sql, type_name: str, inner: Test, part: Part, row: str) -> str:
    """Return the condition that one of a type that passes `inner` points to a row."""
    seen = visible(type_name, "t", sql)
    conditions = [of_types("t", [type_name]).replace("t.type", "t.type + 0"), "t.tail IS NOT NULL"]
    conditions += [inner.where(sql, "t"), *([seen] if seen else [])]
    edges = f"edge e JOIN resource t ON t.rid = e.src WHERE e.dst = o.rid AND e.param = {part.id}"
    return _one_of(f"{edges} AND {all_of(conditions)}", row)


def _one_of(rows: str, row: str) -> str:
    """Return the condition that there are `rows`, which call the row in question `o`.

    It is asked for each row: whoever reads few has no need of all that would answer.
    """
    return (
        f"((SELECT true FROM (SELECT {row}.rid) o(rid), LATERAL (SELECT FROM {rows} LIMIT 1) x) IS NOT NULL)"
    )


def _pointed(types: Types, part: Part, wanted: Collection[str]) -> str:
    """Return the join that holds edges to those of several types that the parameter can name."""
    if _only(types):
        return ""
    kept = sorted({part.resolves} if part.resolves else wanted)
    return f" JOIN resource t ON t.rid = e.dst AND {of_types('t', kept)}"


def count(sql: Sql, types: Types, tests: Sequence[Test], limit: int | None = None) -> str:
    """Return the statement that counts the rows that pass `tests`, up to `limit` where one is given."""
    found = source(sql, types, tests, row=False)
    body = f"FROM {found.tables} WHERE {all_of(found.conditions)}"
    return (
        f"SELECT count(*) {body}"
        if limit is None
        else f"SELECT count(*) FROM (SELECT {body} LIMIT {limit}) x"
    )


__all__ = ["BY_ID", "LIVE", "Source", "any_of", "count", "known", "listing", "referred", "source", "visible"]
