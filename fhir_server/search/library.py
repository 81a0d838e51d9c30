"""Value sets and code systems where this server has them: stored here, else among R4's own.

Answers are kept as long as no ValueSet and no CodeSystem is written (one row of the table `epoch` says so), so that a
change holds at the next search, in every process. Inside a transaction nothing is kept: it may yet be undone.
Of several versions of a url the one named counts; without a name an active one before a draft before a retired one,
then the greatest version, then the last written.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from psycopg import AsyncConnection, AsyncRawCursor

from fhir_server.exchange import Session
from fhir_server.search import plan
from fhir_server.search.codeset import Answer, Answers, CodeSet, Key
from fhir_server.search.context import Context
from fhir_server.search.hashing import is_case_sensitive
from fhir_server.search.params import uri
from fhir_server.search.registry import registry
from fhir_server.search.run import COLUMNS
from fhir_server.search.sql import Sql, all_of
from fhir_server.search.stored import document
from fhir_server.storage import epochs
from fhir_server.storage.rows import Row, type_number
from fhir_server.storage.store import Store
from resources.codec.json import parse_json
from resources.definitions.vocabulary import published
from resources.outcome import FhirError
from terminology.codesystems import CodeSystem, UnsupportedError
from terminology.valuesets import IncompleteError, expand, needs

Json = dict[str, Any]
T = TypeVar("T")

MOST_NESTED = 500
"""The most value sets that one value set may be made of."""
MOST_KEPT = 500_000
"""The most codes that a process remembers of expansions, and the most concepts of code systems."""

Epoch = tuple[int, str]
"""A number that every write of a ValueSet or CodeSystem raises, and what the caller may see of them."""

LARGE = 1_000_000
"""Bytes of JSON from which on a resource is read beside the event loop, and so are the sets made of it."""

_RANK = {"active": 2, "retired": 0}


@dataclass(slots=True)
class _Kept:
    """What a process remembers of one epoch."""

    epoch: Epoch = (-1, "")
    answers: dict[Key, Answer] = field(default_factory=dict)
    systems: dict[tuple[str, str], CodeSystem | None] = field(default_factory=dict)
    size: int = 0

    def make_room(self, size: int) -> None:
        """Count `size` more; begin anew where that is too much."""
        self.size += size
        if self.size > MOST_KEPT:
            self.answers, self.systems, self.size = {}, {}, size


_KEPT: WeakKeyDictionary[Store, _Kept] = WeakKeyDictionary()


async def answer(session: Session, asked: Answers, key: Key) -> Answer:
    """Return the codes that `key` asks for, or the error that says why they cannot be told."""
    async with session.connection() as conn:
        if asked.epoch is None:
            asked.epoch = await _epoch(conn)
        kept = _kept(session, asked.epoch)
        found = kept.answers.get(key)
        if found is None:
            try:
                found = await _QUESTIONS[key[0]](_Library(conn, kept), key)
            except FhirError as problem:
                found = problem
            kept.make_room(len(found.codes) if isinstance(found, CodeSet) else 1)
            kept.answers[key] = found
    return found


async def _epoch(conn: AsyncConnection[Any]) -> Epoch:
    seen = plan.visible("ValueSet", "r") + plan.visible("CodeSystem", "r")
    return await epochs.current(conn, "terminology"), seen


def _kept(session: Session, epoch: Epoch) -> _Kept:
    """Return what is remembered of an epoch; a transaction, whose own writes end it last, begins with nothing."""
    if session.conn is not None:
        return _Kept(epoch)
    kept = _KEPT.setdefault(session.store, _Kept())
    if kept.epoch != epoch:
        kept = _KEPT[session.store] = _Kept(epoch)
    return kept


class _Library:
    """Value sets and code systems, fetched ahead of an expansion, which itself does not wait."""

    def __init__(self, conn: AsyncConnection[Any], kept: _Kept) -> None:
        self._conn = conn
        self._kept = kept
        self._valuesets: dict[str, Json | None] = {}
        self._systems: dict[tuple[str, str], CodeSystem | None] = {}

    @property
    def size(self) -> int:
        """How much JSON its code systems come from, roughly."""
        return sum(len(system.concepts) * 100 for system in self._systems.values() if system)

    def valueset(self, canonical: str) -> Json | None:
        """Return a value set that was fetched."""
        return self._valuesets[canonical]

    def codesystem(self, url: str, version: str) -> CodeSystem | None:
        """Return a code system that was fetched."""
        return self._systems[url, version]

    async def fetch_all(self, root: Json) -> None:
        """Fetch everything that a value set is made of; raises FhirError 400 too-costly."""
        waiting = [root]
        while waiting:
            others, systems = needs(waiting.pop())
            for canonical in sorted(others - self._valuesets.keys()):
                url, _, version = canonical.partition("|")
                found = self._valuesets[canonical] = await self.newest("ValueSet", url, version)
                waiting += [found] if found else []
            for url, version in sorted(systems):
                await self.fetch_system(url, version)
            if len(self._valuesets) > MOST_NESTED:
                text = f"The value set is made of more than {MOST_NESTED} others"
                raise FhirError(400, "too-costly", text)

    async def fetch_system(self, url: str, version: str = "") -> CodeSystem | None:
        """Return a code system, fetched if it is not known yet."""
        if (url, version) not in self._kept.systems:
            found = await self.newest("CodeSystem", url, version)
            size = len(found["concept"]) * 100 if found and "concept" in found else 0
            system = await _beside(size, lambda: CodeSystem(found)) if found else None
            self._kept.make_room(len(system.concepts) if system else 1)
            self._kept.systems[url, version] = system
        system = self._systems[url, version] = self._kept.systems[url, version]
        return system

    async def newest(self, type_name: str, url: str, version: str) -> Json | None:
        """Return the resource of a url: stored here, of that version if one is given, else R4's own."""
        param = registry(type_name).params["url"]
        hashes = uri.hashes(param, url)
        rows = await self._rows(type_name, lambda sql: f"r.tokens && {sql.bigs(hashes)}")
        found = [(await _parsed(row), row) for row in rows]
        fitting = [
            (preference(json, row), json)
            for json, row in found
            if json.get("url") == url and version in ("", json.get("version", ""))
        ]
        if not fitting:
            return published(type_name, url, version)
        return max(fitting, key=lambda one: one[0])[1]

    async def by_id(self, id_: str) -> Json | None:
        """Return the ValueSet of an id, None where there is none."""
        rows = await self._rows("ValueSet", lambda sql: f"r.id = {sql.text(id_)}")
        return await _parsed(rows[0]) if rows else None

    async def _rows(self, type_name: str, condition: Callable[[Sql], str]) -> list[Row]:
        sql = Sql()
        chosen = [condition(sql), f"r.type = {type_number(type_name)}", plan.LIVE]
        seen = plan.visible(type_name, "r")
        text = f"SELECT {COLUMNS} FROM resource r WHERE {all_of([*chosen, seen] if seen else chosen)}"
        return [Row(*row) for row in await self.run(text, sql)]

    async def run(self, text: str, sql: Sql) -> list[Any]:
        """Return the rows of a statement."""
        cursor = AsyncRawCursor(self._conn)
        await cursor.execute(text, sql.args, binary=True)
        return await cursor.fetchall()


async def _parsed(row: Row) -> Json:
    json: Json = await _beside(len(row.tail or b""), lambda: parse_json(row.json()))
    return json


async def _beside(size: int, work: Callable[[], T]) -> T:
    """Return what `work` returns; in a thread where it is long."""
    return await asyncio.to_thread(work) if size > LARGE else work()


def preference(json: Json, row: Row) -> tuple[Any, ...]:
    """Return what orders the versions of a url: the greatest is taken."""
    parts = re.findall(r"\d+|[^\d.]+", json.get("version", ""))
    natural = [(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts]
    return _RANK.get(json.get("status", ""), 1), natural, row.updated, row.rid


async def _in(library: _Library, key: Key) -> CodeSet:
    """Return the codes of a value set."""
    address = key[1]
    found = await _addressed(library, address)
    if found is None:
        raise FhirError(400, "not-supported", f"The value set '{address[:200]}' is not known here")
    await library.fetch_all(found)
    try:
        codes = await _beside(library.size, lambda: expand(found, library))
    except IncompleteError as problem:
        text = f"The value set '{address[:200]}' cannot be listed completely: {'; '.join(problem.reasons)}"
        raise FhirError(400, "not-supported", text[:2_000]) from None
    if len(codes) > Context.codes_max:
        text = (
            f"The value set '{address[:200]}' has {len(codes):,} codes; a search takes {Context.codes_max:,}"
        )
        raise FhirError(400, "too-costly", text)
    return CodeSet.of(codes)


_LOCAL = re.compile(r"ValueSet/([A-Za-z0-9.\-]{1,64})\Z")


async def _addressed(library: _Library, address: str) -> Json | None:
    """Return the value set of a canonical, else of a reference to one stored here."""
    url, _, version = address.partition("|")
    own = next((base for base in Context.bases if url.startswith(base)), "")
    local = _LOCAL.match(url, len(own))
    found = await library.newest("ValueSet", url, version) if own or not local else None
    if found is None and local is not None:
        stored = await library.by_id(local[1])
        fits = stored is not None and version in ("", stored.get("version", ""))
        return stored if fits else None
    return found


async def _related(library: _Library, key: Key) -> CodeSet:
    """Return the codes above or below a code, itself among them."""
    direction, url, code = key
    system = await library.fetch_system(url)
    if system is None:
        raise FhirError(400, "not-supported", f"The code system '{url[:200]}' is not known here")
    if not system.complete:
        text = f"The code system '{url[:200]}' is not complete here (content: {system.content or 'not said'})"
        raise FhirError(400, "not-supported", text)
    try:
        found = system.below(code) if direction == "below" else system.above(code)
    except UnsupportedError as problem:
        raise FhirError(400, "not-supported", f"':{direction}' of {url}|{code}: {problem}"[:2_000]) from None
    if len(found) > Context.codes_max:
        text = f"{len(found):,} codes are {direction} '{code}' of {url}; a search takes {Context.codes_max:,}"
        raise FhirError(400, "too-costly", text)
    return CodeSet.of((url, one) for one in found)


async def _case(library: _Library, _key: Key) -> CodeSet:
    """Return the stored code systems that are case-sensitive beyond those whose codes are hashed as such."""
    seen = plan.visible("CodeSystem", "r")
    text = (
        f"SELECT d.json ->> 'url' FROM (SELECT {document('r')} AS json FROM resource r"
        f" WHERE r.type = {type_number('CodeSystem')} AND r.live{' AND ' + seen if seen else ''}"
        " AND position('\"caseSensitive\":true'::bytea in r.tail) > 0 OFFSET 0) d"
        " WHERE d.json ->> 'caseSensitive' = 'true'"
    )
    rows = await library.run(text, Sql())
    return CodeSet.of(("", url) for (url,) in rows if url and not is_case_sensitive(url))


_QUESTIONS = {"in": _in, "below": _related, "above": _related, "case": _case}
