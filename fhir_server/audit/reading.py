"""Read the trail: entries by what auditors ask for, newest first, page by page."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from psycopg import AsyncConnection

from fhir_server.audit.entry import Entry, unpacked
from fhir_server.audit.event import Names
from fhir_server.storage import read
from fhir_server.storage.binary import Int2s, Int8s, Texts
from fhir_server.storage.rows import type_number
from resources.codec.json import parse_json

ID = re.compile(r"(\d{1,18})-(\d{1,18})")
"""The id of an AuditEvent: its chain, and its place there."""

Bounds = tuple[int | None, int | None]
Place = tuple[int, int, int]


class Wanted(msgspec.Struct, kw_only=True):
    """Which entries.

    Shape:  `during` are ranges of instants, all of which hold (microseconds, first included, last excluded);
            of the rest any one of a list will do, None asks for nothing; `patients` are (row number, id);
            `statuses` are ranges of HTTP statuses; `after` is the place (at, chain, n) of the last entry before
    """

    during: list[Bounds] = []
    agents: list[str] | None = None
    patients: list[tuple[int, str]] | None = None
    entities: list[tuple[str, str]] | None = None
    kinds: list[str] | None = None
    interactions: list[str] | None = None
    statuses: list[tuple[int, int]] | None = None
    ids: list[tuple[int, int]] | None = None
    oldest_first: bool = False
    after: Place | None = None


class Kept(msgspec.Struct, frozen=True):
    """An entry at its place in the trail."""

    chain: int
    n: int
    entry: Entry

    @property
    def id(self) -> str:
        """The id of its AuditEvent."""
        return f"{self.chain}-{self.n}"

    @property
    def place(self) -> Place:
        """Where it lies in the order of time."""
        return self.entry.at, self.chain, self.n


async def page(conn: AsyncConnection[Any], wanted: Wanted, count: int) -> list[Kept]:
    """Return up to `count` entries."""
    conditions, values = _conditions(wanted)
    way = "ASC" if wanted.oldest_first else "DESC"
    if wanted.after is not None:
        conditions.append(f"(at, chain, n) {'>' if wanted.oldest_first else '<'} (%s, %s, %s)")
        values += wanted.after
    cursor = await conn.execute(
        f"SELECT chain, n, record FROM audit_entry WHERE {' AND '.join(conditions) or 'true'}"
        f" ORDER BY at {way}, chain {way}, n {way} LIMIT %s".encode(),
        [*values, count],
        binary=True,
    )
    return [Kept(chain, n, unpacked(record)) for chain, n, record in await cursor.fetchall()]


async def total(conn: AsyncConnection[Any], wanted: Wanted) -> int:
    """Return how many entries there are."""
    conditions, values = _conditions(wanted)
    cursor = await conn.execute(
        f"SELECT count(*) FROM audit_entry WHERE {' AND '.join(conditions) or 'true'}".encode(), values
    )
    found = await cursor.fetchone()
    return int(found[0]) if found else 0


def _conditions(wanted: Wanted) -> tuple[list[str], list[Any]]:
    conditions: list[str] = []
    values: list[Any] = []

    def add(condition: str, *given: Any) -> None:
        conditions.append(condition)
        values.extend(given)

    for first, end in wanted.during:
        if first is not None:
            add("at >= %s", first)
        if end is not None:
            add("at < %s", end)
    for column, texts in (
        ("agent", wanted.agents),
        ("kind", wanted.kinds),
        ("interaction", wanted.interactions),
    ):
        if texts is not None:
            add(f"{column} = ANY(%s)", Texts(texts))
    if wanted.patients is not None:
        own = Texts([f"Patient/{id_}" for _, id_ in wanted.patients])
        add(
            "(patients && %s OR agent = ANY(%s))",
            Int8s([rid for rid, _ in wanted.patients]),
            own,
        )
    if wanted.entities is not None:
        types = Int2s([type_number(name) for name, _ in wanted.entities])
        add(
            "(type, id) IN (SELECT * FROM unnest(%s, %s)) AND id IS NOT NULL",
            types,
            Texts([id_ for _, id_ in wanted.entities]),
        )
    if wanted.statuses is not None:
        add(
            "(" + " OR ".join(["status BETWEEN %s AND %s"] * len(wanted.statuses)) + ")",
            *_flat(wanted.statuses),
        )
    if wanted.ids is not None:
        columns = Int8s([chain for chain, _ in wanted.ids]), Int8s([n for _, n in wanted.ids])
        add("(chain, n) IN (SELECT * FROM unnest(%s, %s))", *columns)
    return conditions, values


def _flat(pairs: Sequence[tuple[int, int]]) -> list[int]:
    return [number for pair in pairs for number in pair]


async def one(conn: AsyncConnection[Any], id_: str) -> Kept | None:
    """Return the entry whose AuditEvent has an id, None where there is none."""
    place = ID.fullmatch(id_)
    if place is None:
        return None
    found = await page(conn, Wanted(ids=[(int(place[1]), int(place[2]))]), 1)
    return found[0] if found else None


async def names(conn: AsyncConnection[Any], entries: Iterable[Kept], *, people: bool = False) -> Names:
    """Return what the numbers of entries are called, with `people` also how the persons are called."""
    listed = [kept.entry for kept in entries]
    rids = sorted({rid for entry in listed for rid in entry.patients})
    cursor = await conn.execute(
        "SELECT rid, id FROM resource WHERE rid = ANY(%s) AND type = %s AND version > 0",
        (Int8s(rids), type_number("Patient")),
        binary=True,
    )
    patients = dict(await cursor.fetchall())
    keys = {tuple(entry.user.split("/")) for entry in listed if "/" in entry.user} if people else set()
    rows = await read.several(conn, [(kind, id_) for kind, id_ in keys]) if keys else {}
    called = {
        f"{kind}/{id_}": _called(parse_json(row.json())) for (kind, id_), row in rows.items() if row.live
    }
    return Names(patients, called)


def _called(person: dict[str, Any]) -> str:
    """Return a person's name as one line, '' where there is none."""
    found = person.get("name")
    listed = found if isinstance(found, list) else []
    for name in sorted(listed, key=lambda one: one.get("use") != "official"):
        parts = [*name.get("prefix", ()), *name.get("given", ()), name.get("family", "")]
        text = name.get("text") or " ".join(part for part in parts if part)
        if text:
            return str(text)
    return ""
