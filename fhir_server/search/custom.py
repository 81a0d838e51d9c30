"""Stored SearchParameters in force: read from the database, checked on writing, weighed in each search.

A process keeps what it has read until the epoch of search ends (`storage/epochs.py`). It looks whether that is so twice
a second, before it calls a parameter unknown, and whenever a search uses a stored parameter.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, ClassVar, Protocol, TypeVar

from psycopg import AsyncConnection

from fhir_server.exchange import Session
from fhir_server.search.definition import added, bases, definition, problems, sound
from fhir_server.search.param import Param, taking
from fhir_server.search.registry import Epoch, install, registry
from fhir_server.storage import epochs, identities, parameters
from fhir_server.storage.epochs import SEVERAL
from resources.codec.json import parse_json
from resources.definitions import SearchParam, definitions
from resources.outcome import FhirError, Issue

Json = dict[str, Any]
_log = logging.getLogger("fhir_server.search")

TYPE = "SearchParameter"
MAX_PER_TYPE = 200
"""The most stored parameters of one resource type: each costs every write of the type some time."""
RETRY_S = 10


Row = tuple[int, str, SearchParam | None]
"""Version, id and definition (None where that is not active) of a stored SearchParameter."""


class Stored:
    """What this process has read: by row number, {number of a parameter: percent} of what is not indexed yet, and
    the percentage of an upgrade (None: all resources have the index rows of this version and time zone)."""

    rows: ClassVar[dict[int, Row]] = {}
    pending: ClassVar[dict[int, int]] = {}
    upgrade: ClassVar[int | None] = None


async def refresh(conn: AsyncConnection[Any]) -> bool:
    """Read what has changed and return whether stored parameters did."""
    epoch = await epochs.current(conn, "search")
    changed = epoch != Epoch.value
    if changed:
        identities.forget_all()
        await _read(conn)
    if changed or Stored.pending or Stored.upgrade is not None:
        await _read_progress(conn)
    return changed


async def before_writing(session: Session, types: Iterable[str]) -> None:
    """Read what has changed before a SearchParameter is checked; for other types there is nothing to do."""
    if TYPE in types:
        async with session.connection() as conn:
            await refresh(conn)


def forget() -> None:
    """Serve the official parameters alone, as a process that has read nothing yet."""
    Stored.rows, Stored.pending, Stored.upgrade = {}, {}, None
    install(0, {})


async def _read(conn: AsyncConnection[Any]) -> None:
    epoch, found = await parameters.active(conn, {rid: row[0] for rid, row in Stored.rows.items()})
    rows: dict[int, Row] = {}
    for rid, version, id_, body in found:
        kept = Stored.rows.get(rid)
        own = kept[2] if kept is not None and body is None else _defined(body)
        rows[rid] = version, id_, own
    Stored.rows = rows
    install(epoch, _by_type(rows))


def _defined(body: bytes | None) -> SearchParam | None:
    return definition(parse_json(body)) if body else None


def _by_type(rows: dict[int, Row]) -> dict[str, tuple[SearchParam, ...]]:
    """Return what is served, by type: of two definitions of one code the older; none that cannot be served."""
    served: dict[str, dict[str, SearchParam]] = {}
    for _, id_, own in rows.values():
        if own is not None and sound(own):
            for name in added(own):
                served.setdefault(name, {}).setdefault(own.code, own)
        elif own is not None:
            _log.warning("a stored search parameter cannot be served", extra={"resource": f"{TYPE}/{id_}"})
    return {name: tuple(by_code.values()) for name, by_code in served.items()}


def _find(url: str, known: dict[str, SearchParam]) -> SearchParam | None:
    plain = url.partition("|")[0]
    return known.get(plain) or official(plain)


def official(url: str) -> SearchParam | None:
    """Return R4's own search parameter with an address."""
    return next((one for one in definitions().package.search if one.url == url), None)


def stored() -> list[tuple[int, Param]]:
    """Return (row number of its SearchParameter, parameter) of all that need index rows of their own.

    Shape:  SEVERAL instead of a row number for a composite of stored parameters, which changes with each of them
    """
    sources = {
        (name, own.code): SEVERAL if _depends(own) else rid
        for rid, (_, _, own) in reversed(Stored.rows.items())
        if own is not None
        for name in added(own)
    }
    return [
        (sources[name, param.code], param)
        for name in sorted({name for name, _ in sources})
        for param in registry(name).params.values()
        if param.custom and param.place != "refused" and (param.stored or param.narrowed)
    ]


def _depends(own: SearchParam) -> bool:
    return any(official(url.partition("|")[0]) is None for url, _ in own.components)


async def _read_progress(conn: AsyncConnection[Any]) -> None:
    Stored.upgrade = await parameters.upgrading(conn)
    ready, progress = await parameters.progress(conn)
    Stored.pending = {param.id: progress.get(param.id, 0) for _, param in stored() if param.id not in ready}


def check(resource: Json) -> None:
    """Refuse a SearchParameter that could not be served.

    Errors: 422 with every reason
    """
    if resource["resourceType"] != TYPE:
        return
    own = definition(resource)
    if own is None:
        return
    known = {one.url: one for _, _, one in Stored.rows.values() if one is not None}
    found = [*problems(own, lambda url: _find(url, known)), *_clashes(own, resource.get("id", ""))]
    if found:
        raise FhirError(422, issues=list(dict.fromkeys(found)))


def _clashes(own: SearchParam, id_: str) -> Iterable[Issue]:
    others = [(name, one) for _, name, one in Stored.rows.values() if one is not None and name != id_]
    types = set(added(own))
    for name, one in others:
        shared = types & set(added(one))
        if one.code == own.code and shared:
            text = f"{TYPE}/{name} defines '{own.code}' for {', '.join(sorted(shared)[:5])} already"
            yield Issue("duplicate", text, (f"{TYPE}.code",))
    for name in types:
        if sum(name in bases(one) for _, one in others) >= MAX_PER_TYPE:
            text = (
                f"{name} has {MAX_PER_TYPE} stored search parameters already, the most that one type may have"
            )
            yield Issue("too-costly", text, (f"{TYPE}.base",))


def same(before: Json | None, after: Json | None) -> bool:
    """Whether two versions of a SearchParameter (None: there is none) have the same effect."""
    return _effect(before) == _effect(after)


def _effect(resource: Json | None) -> SearchParam | None:
    own = definition(resource) if resource is not None else None
    return own if own is not None and added(own) else None


class HasIssues(Protocol):
    """A search that was read, with what is to be said about it."""

    issues: list[Issue]


T = TypeVar("T", bound=HasIssues)


async def read(session: Session, parse: Callable[[], T], *, strict: bool) -> T:
    """Return what `parse` makes of a search, with a warning for each parameter in it that is not indexed yet.

    Shape:  `parse` runs again where stored parameters have changed since they were read
    Errors: whatever `parse` raises; 503 transient with `strict`, since a decision would rest on a part of the data
    """
    with taking() as taken:
        found, error = _attempt(parse)
    if taken or found is None or found.issues:
        async with session.connection() as conn:
            changed = await refresh(conn)
        if changed:
            with taking() as taken:
                found, error = _attempt(parse)
    if found is None:
        assert error is not None
        raise error
    found.issues += [*_unfinished(taken, strict), *_upgrading()]
    return found


def _attempt(parse: Callable[[], T]) -> tuple[T | None, FhirError | None]:
    try:
        return parse(), None
    except FhirError as error:
        return None, error


def _unfinished(taken: dict[int, Param], strict: bool) -> list[Issue]:
    found = [(param, Stored.pending[param.id]) for param in taken.values() if param.id in Stored.pending]
    if found and strict:
        texts = [f"'{param.code}' of {param.type} ({percent} %)" for param, percent in found]
        text = f"Search parameters are not indexed completely: {', '.join(texts)}. Repeat the request when they are"
        raise FhirError(503, "transient", text, headers={"Retry-After": str(RETRY_S)})
    return [
        Issue(
            "incomplete",
            f"The search parameter '{param.code}' of {param.type} is not indexed completely ({percent} % done):"
            " not all resources that were stored before it are considered",
            (),
            "warning",
        )
        for param, percent in found
    ]


def _upgrading() -> list[Issue]:
    """Return a warning while older resources lack some of the rows that searches look at."""
    if Stored.upgrade is None:
        return []
    text = (
        f"After an upgrade, or for another time zone, resources are indexed anew ({Stored.upgrade} % done): what"
        " is new is not found in all of them"
    )
    return [Issue("incomplete", text, (), "warning")]
