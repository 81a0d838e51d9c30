"""AuditEvent: the audit trail, for those who may look into it. It is read and searched; nobody changes it.

A client's own AuditEvents are created as R4 has it, and become entries of the same trail.
Source: http://hl7.org/fhir/R4/auditevent.html#search; docs/decisions (the trail is the only store of AuditEvents)
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from psycopg import AsyncConnection

from fhir_server.audit import reading
from fhir_server.audit.event import DCM, SUBTYPES, TYPES, kinds, rendered
from fhir_server.audit.reading import Wanted
from fhir_server.changes.prepare import parse
from fhir_server.exchange import Handler, Pairs, Request, Result, Session
from fhir_server.operations.audit_pages import RENDERING, TYPE, answered
from fhir_server.search.params.date import span
from fhir_server.storage import read
from resources.codec.json import dump_json
from resources.definitions import definitions
from resources.outcome import FhirError
from resources.validate.base import check

_PREFIXES = ("eq", "ge", "gt", "le", "lt", "sa", "eb")
_OUTCOMES = {"0": (100, 399), "4": (400, 499), "8": (500, 599)}


def guarding(interaction: str, handler: Handler) -> Handler:
    """Return a handler that answers from the trail what is asked of AuditEvents, where there is a trail."""
    own = _OWN.get(interaction)

    async def answer(session: Session, request: Request) -> Result:
        if TYPE not in request.path or not session.server.settings.audited or _asked_of(request) != TYPE:
            return await handler(session, request)
        if own is None:
            raise FhirError(
                405, "not-supported", "The audit trail cannot be changed", headers={"Allow": "GET, POST"}
            )
        return await own(session, request)

    return answer


def _asked_of(request: Request) -> str:
    """Return the type that a path asks for: of a compartment the type within."""
    parts = request.segments
    return parts[2] if len(parts) > 2 and parts[2] == TYPE else parts[0]


async def _read(session: Session, request: Request) -> Result:
    parts = request.segments
    async with session.connection() as conn:
        kept = await reading.one(conn, parts[1]) if len(parts) < 4 or parts[3] == "1" else None
        if kept is None:
            raise FhirError(404, "not-found", f"{request.path} is not known here")
        names = await reading.names(conn, [kept], people=True)
    return Result(200, dump_json(rendered(kept.entry, kept.id, request.base, names)), version=1)


async def _search(session: Session, request: Request) -> Result:
    async with session.connection() as conn:
        pairs = [pair for pair in request.query if pair[0] not in ("_cursor", *RENDERING)]
        if len(request.segments) > 2 and request.segments[2] == TYPE:
            pairs.append(
                ("patient" if request.segments[0] == "Patient" else "agent", "/".join(request.segments[:2]))
            )
        return await answered(session, conn, request, await _wanted(conn, pairs))


async def _wanted(conn: AsyncConnection[Any], pairs: Pairs) -> Wanted:
    """Return what search parameters ask for; raises FhirError 400 for those that the trail does not have."""
    wanted = Wanted()
    for name, value in pairs:
        if name == "_count":
            continue
        if name == "patient":
            wanted.patients = _both(wanted.patients, await _patients(conn, value))
        elif name in _PARAMETERS:
            _PARAMETERS[name](wanted, value)
        else:
            known = ", ".join(["patient", *_PARAMETERS])
            text = f"The audit trail cannot be searched by '{name[:80]}'; it can by {known}"
            raise FhirError(400, "not-supported", text)
    return wanted


async def _patients(conn: AsyncConnection[Any], value: str) -> list[tuple[int, str]]:
    ids = [one.strip().removeprefix("Patient/") for one in value.split(",")]
    rows = await read.several(conn, [("Patient", id_) for id_ in ids])
    return [(rows["Patient", id_].rid if ("Patient", id_) in rows else -1, id_) for id_ in ids]


def _date(wanted: Wanted, value: str) -> None:
    if "," in value:
        raise FhirError(
            400, "not-supported", "The audit trail takes one value of 'date' at a time; repeat it for a range"
        )
    prefix = value[:2] if value[:2] in _PREFIXES else "eq"
    try:
        first, last = span(value.removeprefix(prefix) if value[:2] == prefix else value)
    except (ValueError, OverflowError):
        raise FhirError(400, "value", f"'{value[:60]}' is no date") from None
    bounds = {
        "eq": (first, last + 1),
        "ge": (first, None),
        "gt": (last + 1, None),
        "sa": (last + 1, None),
        "le": (None, last + 1),
        "lt": (None, first),
        "eb": (None, first),
    }
    wanted.during.append(bounds[prefix])


def _agent(wanted: Wanted, value: str) -> None:
    wanted.agents = _both(wanted.agents, [one.strip() for one in value.split(",")])


def _entity(wanted: Wanted, value: str) -> None:
    found = []
    for one in value.split(","):
        kind, _, id_ = one.strip().partition("/")
        if not id_:
            raise FhirError(
                400, "value", f"'entity' takes references such as Observation/1, not '{one[:80]}'"
            )
        found.append((_known(kind), id_))
    wanted.entities = _both(wanted.entities, found)


def _known(kind: str) -> str:
    if not definitions().is_resource(kind):
        raise FhirError(400, "value", f"There is no R4 resource type called '{kind[:64]}'")
    return kind


def _type(wanted: Wanted, value: str) -> None:
    rows = kinds().kinds
    found: list[str] = []
    for system, code in map(_coded, value.split(",")):
        found += ["rest", "posted"] if code == "rest" and system in ("", TYPES) else []
        found += [name for name, row in rows.items() if row["type"] == code and system in ("", DCM)]
    wanted.kinds = _both(wanted.kinds, found)


def _subtype(wanted: Wanted, value: str) -> None:
    found: list[str] = []
    of_kinds: list[str] = []
    for system, code in map(_coded, value.split(",")):
        if system in ("", SUBTYPES):
            row = kinds().interactions
            found += [name for name in row if row[name].get("subtype", name) == code]
        if system in ("", DCM):
            of_kinds += [name for name, row in kinds().kinds.items() if row["subtype"] == code]
    if of_kinds:
        wanted.kinds = _both(wanted.kinds, of_kinds)
    else:
        wanted.interactions = _both(wanted.interactions, found)


def _action(wanted: Wanted, value: str) -> None:
    asked = set(value.split(","))
    wanted.interactions = _both(
        wanted.interactions,
        [name for name, row in kinds().interactions.items() if row["action"] in asked],
    )
    wanted.kinds = _both(wanted.kinds, ["rest"])


def _outcome(wanted: Wanted, value: str) -> None:
    codes = [code for _, code in map(_coded, value.split(","))]
    ranges = [_OUTCOMES[code] for code in codes if code in _OUTCOMES]
    wanted.statuses = _both(wanted.statuses, ranges or [(0, 0)])


def _id(wanted: Wanted, value: str) -> None:
    places = [reading.ID.fullmatch(one.strip()) for one in value.split(",")]
    wanted.ids = _both(wanted.ids, [(int(one[1]), int(one[2])) for one in places if one])


def _sort(wanted: Wanted, value: str) -> None:
    if value not in ("date", "-date", "_lastUpdated", "-_lastUpdated"):
        raise FhirError(400, "not-supported", "The audit trail is sorted by date or -date")
    wanted.oldest_first = not value.startswith("-")


def _coded(value: str) -> tuple[str, str]:
    system, bar, code = value.strip().rpartition("|")
    return (system, code) if bar else ("", code)


def _both(before: list[Any] | None, now: list[Any]) -> list[Any]:
    """Return what a repeated parameter leaves: what each of its values allows."""
    return now if before is None else [one for one in before if one in now]


_PARAMETERS: dict[str, Callable[[Wanted, str], None]] = {
    "date": _date,
    "_lastUpdated": _date,
    "agent": _agent,
    "entity": _entity,
    "type": _type,
    "subtype": _subtype,
    "action": _action,
    "outcome": _outcome,
    "_id": _id,
    "_sort": _sort,
}


async def _create(session: Session, request: Request) -> Result:
    resource = parse(request.body, TYPE, request.resource)
    check(resource)
    content = dump_json({name: value for name, value in resource.items() if name != "id"}).decode()
    await session.server.trail.note("posted", request.grant, content=content, request=request.id, status=201)
    return Result(201)


_OWN: dict[str, Handler] = {
    "read": _read,
    "vread": _read,
    "search-type": _search,
    "search-compartment": _search,
    "create": _create,
}
