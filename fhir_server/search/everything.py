"""All that belongs to some patients or to an encounter: their compartments, and what the resources in these refer to.

What is referred to and belongs to another patient stays out. Rows come in the order of their numbers, which never
change, so that a page goes on behind the last one whatever is written meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from psycopg import AsyncConnection

from fhir_server.access import current
from fhir_server.search import compartment, plan
from fhir_server.search.run import COLUMNS, WIDTH, run
from fhir_server.search.sql import Sql, all_of, any_of, of_types
from fhir_server.storage.rows import MISSING_DATE, Row, type_number
from resources.definitions import definitions

FEW = 200
"""Owners whose rows are listed for each page; of more, all rows are walked in order and asked for their owner."""

_NO_CARE = frozenset({"Patient", "Provenance", "AuditEvent"})
"""Types whose main date is a birth date, or when something was put on record."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What `$everything` asks for.

    Shape:  `owners` are the row numbers of the patients (or of the encounter), None: all patients; `patients` those
            whose resources may come along; `extra` the rows that are wanted besides, such as the group itself;
            `start` and `end` bound the care dates in microseconds; `types` empty: every one
    """

    compartment: str
    owners: Sequence[int] | None
    patients: Sequence[int] = ()
    extra: Sequence[int] = ()
    types: tuple[str, ...] = ()
    since: datetime | None = None
    start: int | None = None
    end: int | None = None


async def page(conn: AsyncConnection[Any], wanted: Wanted, after: int, limit: int) -> list[tuple[Row, bool]]:
    """Return up to `limit` rows behind the row number `after`, and of each whether it is in the compartment."""
    sql = Sql()
    few = wanted.owners is not None and len(wanted.owners) <= FEW
    text = (_listed if few else _walked)(sql, wanted)
    text += f" AND {all_of(_chosen(sql, wanted, after))} ORDER BY r.rid LIMIT {limit}"
    rows = [(Row(*found[:WIDTH]), found[WIDTH]) for found in await run(conn, text, sql.args)]
    current.note(row for row, _ in rows)
    return rows


def _chosen(sql: Sql, wanted: Wanted, after: int) -> list[str]:
    """Return the conditions on every row of the page."""
    seen = plan.visible("", "r", sql)
    conditions = [f"r.rid > {sql.big(after)}", plan.LIVE, *([seen] if seen else [])]
    if wanted.types:
        conditions.append(of_types("r", wanted.types).replace("r.type", "r.type + 0"))
    if wanted.since is not None:
        conditions.append(f"r.updated >= {sql.cast(wanted.since.isoformat(), 'timestamptz')}")
    return conditions


def _listed(sql: Sql, wanted: Wanted) -> str:
    """Return the statement on the rows of few owners: all of their numbers first."""
    types = _types(wanted.compartment)
    owners, patients = sql.bigs(wanted.owners or ()), sql.bigs(wanted.patients)
    rids = compartment.listing(f"SELECT unnest({owners})", types, wanted.compartment)
    if wanted.extra:
        rids += f" UNION ALL SELECT unnest({sql.bigs(wanted.extra)})"
    conditions = [*_care(sql, wanted, "m")] + [one for one in (plan.visible("", "m", sql),) if one]
    if conditions:
        rids = f"SELECT m.rid FROM resource m WHERE m.rid = ANY(ARRAY({rids})) AND {all_of(conditions)}"
    pointed = "SELECT e.dst FROM edge e WHERE e.src = ANY(ARRAY(SELECT rid FROM m))"
    if wanted.compartment != "Patient":
        pointed += " UNION SELECT o.pid FROM resource o WHERE o.rid = ANY(ARRAY(SELECT rid FROM m))"
    own = "r.rid IN (SELECT rid FROM m)"
    return (
        f"WITH m(rid) AS MATERIALIZED ({rids}) SELECT {COLUMNS}, {own} FROM resource r"
        f" WHERE r.rid = ANY(ARRAY(SELECT rid FROM m UNION {pointed}))"
        f" AND ({own} OR r.pid IS NULL OR r.pid = ANY({patients}))"
    )


def _walked(sql: Sql, wanted: Wanted) -> str:
    """Return the statement on the rows of many owners: all rows in order, each asked whether it belongs to one."""
    owned = f"SELECT unnest({sql.bigs(wanted.owners)})" if wanted.owners is not None else ""
    extra = f"SELECT unnest({sql.bigs(wanted.extra)})" if wanted.extra else ""
    own = _member(sql, wanted, "r", owned, extra)
    alike = f"r.pid IS NULL OR {_patient('r.pid', owned)}"
    seen = plan.visible("", "m", sql)
    source = all_of(["m.live", *([seen] if seen else []), _member(sql, wanted, "m", owned, extra)])
    pointed = _any(f"edge e JOIN resource m ON m.rid = e.src WHERE e.dst = r.rid AND {source}")
    return f"SELECT {COLUMNS}, {own} FROM resource r WHERE ({own} OR (({alike}) AND {pointed}))"


def _member(sql: Sql, wanted: Wanted, row: str, owned: str, extra: str) -> str:
    """Return the condition that a row is in the compartment of an owner."""
    types = _types(wanted.compartment)
    carried, edges, _ = compartment.members(wanted.compartment, types)
    numbers = ", ".join(map(str, edges))
    named = f"x.src = {row}.rid AND x.param IN ({numbers}) AND {_patient('x.dst', owned)}"
    clauses = [
        f"({of_types(row, carried)} AND {_patient(f'{row}.pid', owned)})",
        _any(f"edge x WHERE {named}"),
    ]
    if extra:
        clauses.append(f"{row}.rid IN ({extra})")
    return all_of([any_of(clauses), *_care(sql, wanted, row)])


def _patient(column: str, owned: str) -> str:
    """Return the condition that a row number is one of the patients: of those listed, or any that is there."""
    if owned:
        return f"{column} IN ({owned})"
    seen = plan.visible("Patient", "o")
    within = f"o.rid = {column} AND o.type = {type_number('Patient')} AND o.tail IS NOT NULL"
    return _any(f"resource o WHERE {within}{' AND ' + seen if seen else ''}")


def _any(rows: str) -> str:
    """Return the condition that there are `rows`, in words for which the planner never reads all of them first."""
    return f"((SELECT true FROM {rows} LIMIT 1) IS NOT NULL)"


def _care(sql: Sql, wanted: Wanted, row: str) -> list[str]:
    """Return the condition that a row's care lies within the asked-for time; what has no such date always does."""
    if wanted.start is None and wanted.end is None:
        return []
    bounds = [f"{row}.d1 >= {sql.big(wanted.start)}"] if wanted.start is not None else []
    bounds += [f"{row}.d0 <= {sql.big(wanted.end)}"] if wanted.end is not None else []
    exempt = of_types(row, sorted(_NO_CARE))
    return [f"({row}.d0 = {MISSING_DATE} OR {exempt} OR ({all_of(bounds)}))"]


def _types(name: str) -> tuple[str, ...]:
    return tuple(sorted({name, *definitions().compartment(name)}))
