"""The codes that searches ask for: those of a value set, those above or below a code.

A set of at most `Context.codes_max` codes is listed. Of a greater one, or one whose codes are made by rules, those are
taken that resources use (the dictionary `coding`), so that its size does not matter.
Source: http://hl7.org/fhir/R4/search.html#modifiers (`:in :not-in :above :below`)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any

from psycopg import AsyncConnection

from fhir_server.concepts import catalog, implicit, sets
from fhir_server.concepts.memory import remembering
from fhir_server.concepts.model import Json, UnknownError
from fhir_server.search import library, plan
from fhir_server.search.codeset import CodeSet, Key, PassingError
from fhir_server.search.context import Context
from fhir_server.search.params.implied import IMPLIED_SYSTEM
from fhir_server.search.run import COLUMNS, run
from fhir_server.search.sql import Sql, all_of
from fhir_server.storage.rows import Row, type_number
from resources.codec.json import parse_json
from resources.definitions import definitions
from resources.outcome import FhirError

Conn = AsyncConnection[Any]

AT_ONCE = 2_000
"""Codes that are asked about in one statement."""

_LOCAL = re.compile(r"ValueSet/([A-Za-z0-9.\-]{1,64})\Z")
_FILTER = {"below": "is-a", "above": "generalizes"}


def connect() -> None:
    """Let searches ask here, process-wide."""
    library.register("in", _in)
    for direction in _FILTER:
        library.register(direction, _related)


async def _in(conn: Conn, key: Key) -> CodeSet:
    """Return the codes of a value set."""
    address = key[1]
    async with remembering(conn):
        found = await _addressed(conn, address)
        if found is None:
            raise FhirError(400, "not-supported", f"The value set '{address[:200]}' is not known here")
        return await _codes(conn, await sets.compiled(conn, found), f"The value set '{address[:200]}'")


async def _related(conn: Conn, key: Key) -> CodeSet:
    """Return the codes above or below a code, itself among them."""
    direction, url, code = key
    chosen = {"property": "concept", "op": _FILTER[direction], "value": code}
    made = {"compose": {"include": [{"system": url, "filter": [chosen]}]}}
    return await _codes(conn, await sets.compiled(conn, made), f"':{direction}' of {url}|{code}"[:200])


async def _addressed(conn: Conn, address: str) -> Json | None:
    """Return the value set of a canonical, else of a reference to one stored here."""
    url, _, version = address.partition("|")
    own = next((base for base in Context.bases if url.startswith(base)), "")
    local = _LOCAL.match(url, len(own))
    found = None
    if own or not local:
        found = await catalog.valueset(conn, address) or await implicit.valueset(conn, address)
    if found is None and local is not None:
        stored = await _by_id(conn, local[1])
        fits = stored is not None and version in ("", stored.get("version", ""))
        return stored if fits else None
    return found


async def _by_id(conn: Conn, id_: str) -> Json | None:
    sql = Sql()
    seen = plan.known("ValueSet", "r")
    chosen = [
        f"r.id = {sql.text(id_)}",
        f"r.type = {type_number('ValueSet')}",
        plan.LIVE,
        *([seen] if seen else []),
    ]
    rows = await run(conn, f"SELECT {COLUMNS} FROM resource r WHERE {all_of(chosen)}", sql.args)
    return parse_json(Row(*rows[0]).json()) if rows else None


async def _codes(conn: Conn, valueset: sets.Compiled, called: str) -> CodeSet:
    """Return the codes of a value set.

    Errors: 400 not-supported, naming everything that is missing; 400 too-costly
    """
    try:
        valueset.require()
    except UnknownError as problem:
        text = f"{called} cannot be listed completely: {problem}"
        raise FhirError(400, "not-supported", text[:2_000]) from None
    endless = any(leaf.grammar is not None for leaf in valueset.leaves)
    if endless or await sets.total(conn, valueset) > Context.codes_max:
        return await _used(conn, valueset, called)
    entries, _ = await sets.page(conn, valueset, 0, Context.codes_max)
    return CodeSet.of((entry.leaf.url, entry.code) for entry in entries)


async def _used(conn: Conn, valueset: sets.Compiled, called: str) -> CodeSet:
    """Return those codes of a value set that resources use, or that an element of type `code` may have."""
    await _require_dictionary(conn)
    found: set[tuple[str, str]] = set()
    for url in dict.fromkeys(leaf.url for leaf in valueset.leaves):
        for some in _batches(await _in_use(conn, url)):
            verdicts = await sets.contains(conn, valueset, some, url)
            found.update((url, code) for code, one in verdicts.items() if one.member)
        if len(found) > Context.codes_max:
            text = f"{called} has more than {Context.codes_max:,} codes that are in use, which is what a search takes"
            raise PassingError(400, "too-costly", text)
    return CodeSet.of(found, passing=True)


async def _require_dictionary(conn: Conn) -> None:
    """Raise 503 while resources that an older version stored are not all in the dictionary yet."""
    rows = await run(
        conn,
        "SELECT FROM reindex_job WHERE why = 'upgrade' AND state IN ('queued', 'running') LIMIT 1",
        (),
    )
    if rows:
        text = "Large value sets cannot be searched by until all resources have been indexed anew after the upgrade"
        raise PassingError(503, "transient", text, headers={"Retry-After": "60"})


async def _in_use(conn: Conn, url: str) -> list[str]:
    """Return the codes of a code system that resources use; those of elements that imply it are among them."""
    sql = Sql()
    systems = [url, *([""] if url in IMPLIED_SYSTEM.values() else [])]
    rows = await run(conn, f"SELECT code FROM coding WHERE system = ANY({sql.texts(systems)})", sql.args)
    return sorted({*(code for (code,) in rows), *_of_elements().get(url, ())})


@cache
def _of_elements() -> dict[str, set[str]]:
    """Return the codes that elements of type `code` can have, by the code system that they imply."""
    found: dict[str, set[str]] = {}
    for url in definitions().package.valuesets:
        for system, code in definitions().valueset_codes(url) or ():
            found.setdefault(system, set()).add(code)
    return found


def _batches(codes: Sequence[str]) -> Iterator[Sequence[str]]:
    starts: Iterable[int] = range(0, len(codes), AT_ONCE)
    return (codes[start : start + AT_ONCE] for start in starts)
