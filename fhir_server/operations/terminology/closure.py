"""`$closure`: the subsumption table that a client keeps, brought up to date.

`name` alone begins anew; with `concept` codes are added and the new relations returned; with `version` everything
since then comes again. The answer is a ConceptMap from narrower codes (source) to broader ones (target).
Source: http://hl7.org/fhir/R4/conceptmap-operation-closure.html, http://hl7.org/fhir/R4/terminology-service.html#closure
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import groupby

from fhir_server.concepts import closures, lookup
from fhir_server.concepts.closures import Relation, TooManyError
from fhir_server.concepts.model import Conn, System
from fhir_server.exchange import Request, Result, Session
from fhir_server.operations import Operation, register
from fhir_server.operations.parameters import Call, read_call
from fhir_server.operations.terminology.answers import Json
from fhir_server.operations.terminology.asked import Asked, in_coding, of_kind
from fhir_server.operations.terminology.located import system_of
from resources.codec.json import dump_json
from resources.outcome import FhirError

NAME = "$closure"
KNOWN = frozenset({"name", "concept", "version"})
MOST = 1_000
"""The most codes that one call adds."""


async def closure(session: Session, request: Request) -> Result:
    """Return the ConceptMap with the relations that are new, or all since a version.

    Errors: 400 for a wrong call; 404 for a table that was not begun, a code or a code system that is not here
    """
    call = read_call(request, NAME, KNOWN)
    name = call.text("name")
    if not name:
        raise FhirError(400, "required", f"{NAME} needs a 'name'", "name")
    asked, since = _asked(call), _since(call)
    if asked and since is not None:
        raise FhirError(400, "invalid", f"{NAME} takes 'concept' or 'version', not both", "version")
    async with session.connection() as conn, _transaction(conn):
        if since is None and not asked:
            return _answer(name, await closures.begin(conn, name), [])
        before = await _version(conn, name)
        if asked:
            after = await _add(conn, name, asked)
            return _answer(name, after, await closures.relations(conn, name, before))
        return _answer(name, before, await closures.relations(conn, name, since or 0))


@asynccontextmanager
async def _transaction(conn: Conn) -> AsyncIterator[None]:
    async with conn.transaction():
        yield


def _asked(call: Call) -> list[Asked]:
    listed = [in_coding(of_kind(call, one, "Coding"), "concept") for one in call.all("concept")]
    if len(listed) > MOST:
        raise FhirError(400, "too-costly", f"{NAME} takes at most {MOST} concepts at once", "concept")
    if not all(one.system for one in listed):
        raise FhirError(400, "required", "A concept of a closure table has a system", "concept")
    return listed


def _since(call: Call) -> int | None:
    text = call.text("version")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise FhirError(400, "value", f"'{text[:50]}' is no version of a closure table", "version")
    return int(text)


async def _version(conn: Conn, name: str) -> int:
    found = await closures.version(conn, name)
    if found is None:
        text = f"There is no closure table '{name[:200]}': begin it with the 'name' alone"
        raise FhirError(404, "not-found", text, "name")
    return found


async def _add(conn: Conn, name: str, asked: list[Asked]) -> int:
    found: list[tuple[System, str]] = []
    for (url, version), codes in _by_system(asked):
        system = await system_of(conn, url, version)
        known = await lookup.concepts(conn, system, codes)
        unknown = [code for code in codes if code not in known]
        if unknown:
            text = f"The code system {system.called} has no code '{unknown[0][:200]}'"
            raise FhirError(404, "not-found", text, "concept")
        found += [(system, one.code) for one in known.values()]
    try:
        return await closures.add(conn, name, found)
    except TooManyError:
        text = f"A closure table has at most {closures.MOST_CONCEPTS:,} codes"
        raise FhirError(400, "too-costly", text, "concept") from None


def _by_system(asked: list[Asked]) -> Iterator[tuple[tuple[str, str], list[str]]]:
    ordered = sorted(asked, key=lambda one: (one.system, one.version))
    for key, group in groupby(ordered, key=lambda one: (one.system, one.version)):
        yield key, [one.code for one in group]


def _answer(name: str, version: int, relations: list[Relation]) -> Result:
    groups = [
        {
            "source": system,
            "target": system,
            "element": [_element(narrow, list(found)) for narrow, found in _by_narrow(list(of_system))],
        }
        for system, of_system in groupby(sorted(relations), key=lambda one: one.system)
    ]
    told: Json = {
        "resourceType": "ConceptMap",
        "version": str(version),
        "name": name,
        "status": "active",
        "experimental": True,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        **({"group": groups} if groups else {}),
    }
    return Result(200, dump_json(told))


def _by_narrow(relations: list[Relation]) -> Iterator[tuple[str, Iterator[Relation]]]:
    yield from groupby(relations, key=lambda one: one.narrow)


def _element(narrow: str, found: list[Relation]) -> Json:
    return {"code": narrow, "target": [{"code": one.broad, "equivalence": "subsumes"} for one in found]}


register(
    Operation(
        NAME,
        closure,
        "http://hl7.org/fhir/OperationDefinition/ConceptMap-closure",
        frozenset({"system"}),
        affects_state=True,
    )
)
