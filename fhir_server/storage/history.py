"""Read histories: pages of versions of one resource, one type or the whole system, newest first."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection

from fhir_server.storage.binary import Int4s, Int8s
from fhir_server.storage.rows import Row

_NEW = """SELECT r.rid, r.type, r.id, r.version, r.updated, r.live, r.method, r.tail, r.pid, r.owners, r.labels
FROM resource r WHERE r.version > 0"""
_OLD = """SELECT v.rid, v.type, r.id, v.version, v.updated, v.live, v.method, v.tail, v.pid, v.owners, v.labels
FROM resource_version v JOIN resource r USING (rid) WHERE true"""


class Slice(msgspec.Struct, frozen=True):
    """Which versions: of a type, of a resource, of a list of (row, version); within instants; before a position.

    Shape:  `since` inclusive; `during` the half-open range in which a version must have been the current one;
            `after` is the last entry of the page before (updated, rid, version); `seen` is the condition that the
            current version `r` may be seen, `kept` the one that an older version `v` may, with no place for a value
    """

    type: int | None = None
    rid: int | None = None
    versions: tuple[tuple[int, int | None], ...] | None = None
    since: datetime | None = None
    during: tuple[datetime, datetime] | None = None
    after: tuple[datetime, int, int] | None = None
    seen: str = ""
    kept: str = ""


def _conditions(wanted: Slice, alias: str, values: list[Any]) -> str:
    """Return the WHERE terms of `wanted` over the table called `alias`, adding their values."""
    terms: list[str] = []

    def term(sql: str, *given: Any) -> None:
        terms.append(" AND " + sql.format(t=alias))
        values.extend(given)

    if wanted.rid is not None:
        term("{t}.rid = %s", wanted.rid)
    elif wanted.type is not None:
        term("{t}.type = %s", wanted.type)
    if wanted.versions is not None:
        whole = [rid for rid, version in wanted.versions if version is None]
        exact = [(rid, version) for rid, version in wanted.versions if version is not None]
        term(
            "({t}.rid = ANY(%s) OR ({t}.rid, {t}.version) IN (SELECT * FROM unnest(%s, %s)))",
            Int8s(whole),
            Int8s([rid for rid, _ in exact]),
            Int4s([version for _, version in exact]),
        )
    if wanted.since is not None:
        term("{t}.updated >= %s", wanted.since)
    if wanted.during is not None:
        term("{t}.updated < %s", wanted.during[1])
        if alias == "v":
            term(_REPLACED_AFTER, wanted.during[0])
    if wanted.after is not None:
        term("({t}.updated, {t}.rid, {t}.version) < (%s, %s, %s)", *wanted.after)
    for condition in (wanted.seen, wanted.kept if alias == "v" else ""):
        terms += [f" AND ({condition})"] if condition else []
    return "".join(terms)


_REPLACED_AFTER = """COALESCE(
(SELECT n.updated FROM resource_version n WHERE n.rid = {t}.rid AND n.version = {t}.version + 1),
(SELECT n.updated FROM resource n WHERE n.rid = {t}.rid)) > %s"""


async def page(conn: AsyncConnection[Any], wanted: Slice, count: int) -> list[Row]:
    """Return up to `count` versions, newest first."""
    values: list[Any] = []
    halves = []
    for select, alias in ((_NEW, "r"), (_OLD, "v")):
        where = _conditions(wanted, alias, values)
        order = f"ORDER BY {alias}.updated DESC, {alias}.rid DESC, {alias}.version DESC LIMIT %s"
        halves.append(f"({select}{where} {order})")
        values.append(count)
    statement = " UNION ALL ".join(halves) + " ORDER BY updated DESC, rid DESC, version DESC LIMIT %s"
    prepare = False if wanted.seen else None  # a text for each policy
    cursor = await conn.execute(statement.encode(), [*values, count], binary=True, prepare=prepare)
    return [Row(*found) for found in await cursor.fetchall()]


async def total(conn: AsyncConnection[Any], wanted: Slice) -> int:
    """Return how many versions `wanted` holds, its position left aside."""
    whole = msgspec.structs.replace(wanted, after=None)
    values: list[Any] = []
    counts = []
    for select, alias in ((_NEW, "r"), (_OLD, "v")):
        counts.append(
            f"(SELECT count(*) {select[select.index('FROM') :]}{_conditions(whole, alias, values)})"
        )
    prepare = False if wanted.seen else None
    text = ("SELECT " + " + ".join(counts)).encode()
    cursor = await conn.execute(text, values, binary=True, prepare=prepare)
    found = await cursor.fetchone()
    return int(found[0]) if found else 0


_SAFE = """
SELECT date_trunc('milliseconds', LEAST(statement_timestamp(), min(xact_start)))
FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()
AND state <> 'idle'
"""


async def safe_instant(conn: AsyncConnection[Any]) -> datetime:
    """Return the instant from which to ask next: nothing that is still being written can lie before it.

    A version's instant is taken after its transaction began, so whatever this snapshot may miss belongs to a
    transaction that is open now, or is younger than this statement's own start. Asking again from here may repeat a
    version but never skips one.
    Call it before reading the page.
    """
    cursor = await conn.execute(_SAFE, binary=True)
    found = await cursor.fetchone()
    assert found is not None
    moment: datetime = found[0]
    return moment
