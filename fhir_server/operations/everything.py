"""`$everything` of a patient, of all patients, of an encounter, of the patients in a group.

Source: http://hl7.org/fhir/R4/patient-operation-everything.html, http://hl7.org/fhir/R4/encounter-operation-everything.html,
http://hl7.org/fhir/R4/group-operation-everything.html
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from psycopg import AsyncConnection

from fhir_server.access import seen
from fhir_server.exchange import Pairs, Request, Result, Session
from fhir_server.operations import Operation, register
from fhir_server.operations.parameters import NOT_OURS, Call, read_call
from fhir_server.search import everything
from fhir_server.search.bundle import searchset
from fhir_server.search.context import Context
from fhir_server.search.cursor import Cursor, decode, encode, search_text
from fhir_server.search.everything import Wanted
from fhir_server.search.order import Place
from fhir_server.search.page import Page, url
from fhir_server.search.params.date import span
from fhir_server.storage import read
from fhir_server.storage.rows import Row
from resources.codec.json import parse_json
from resources.definitions import definitions
from resources.outcome import FhirError
from resources.references import parse_reference

NAME = "$everything"
CURSOR = "_cursor"
_KNOWN = {
    "Patient": frozenset({"start", "end", "_since", "_type", "_count", CURSOR}),
    "Group": frozenset({"start", "end", "_since", "_type", "_count", CURSOR}),
    "Encounter": frozenset({"_since", "_type", "_count", CURSOR}),
}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


async def answer(session: Session, request: Request) -> Result:
    """Return a page of the searchset: matches are in the compartment, includes are what these refer to.

    Shape:  pages of `_count`, at most (and without it) `page_size_max` resources; `total` where one page holds all
    Errors: 400 for unknown parameters and values, 404 or 410 where there is no such resource
    """
    type_name, *rest = request.segments
    call = read_call(request, NAME, _KNOWN[type_name])
    count = min(call.whole("_count", 1) or Context.page_size_max, Context.page_size_max)
    pairs = _pairs(request, call)
    path = "/".join(request.segments)
    search = search_text(path, pairs)
    cursor = call.text(CURSOR)
    after = decode(cursor, search).place.rid if cursor else 0
    async with session.connection() as conn:
        wanted = await _wanted(conn, type_name, rest[0] if len(rest) > 1 else "", call)
        found = await everything.page(conn, wanted, after, count + 1)
    shown = found[:count]
    own = [*pairs, (CURSOR, cursor)] if cursor else pairs
    links = [("self", url(request.base, path, own)), ("first", url(request.base, path, pairs))]
    if len(found) > count:
        following = encode(Cursor("rid", Place((), shown[-1][0].rid), False), search)
        links.append(("next", url(request.base, path, [*pairs, (CURSOR, following)])))
    matches = [row for row, inside in shown if inside]
    included = [row for row, inside in shown if not inside]
    total = len(matches) if not cursor and len(found) <= count else None
    return Result(200, searchset(Page(matches, included, total, links), request.base), kind="bundle")


def _pairs(request: Request, call: Call) -> list[tuple[str, str]]:
    """Return the parameters as links repeat them, those of a body too."""
    given = [(one.name, str(one.value)) for one in call.given if one.name != CURSOR]
    shaping: Pairs = [(name, value) for name, value in request.query if name in NOT_OURS and value]
    return [*given, *shaping]


async def _wanted(conn: AsyncConnection[Any], type_name: str, id_: str, call: Call) -> Wanted:
    """Return what the call asks for; raises FhirError."""
    limits: dict[str, Any] = {
        "types": _types(call),
        "since": _moment(call, "_since"),
        "start": _bound(call, "start", 0),
        "end": _bound(call, "end", 1),
    }
    if not id_:
        return Wanted("Patient", None, **limits)
    row = read.there(await seen.current(conn, type_name, id_), f"{type_name}/{id_}")
    if type_name == "Group":
        patients = await _patients(conn, row)
        return Wanted("Patient", patients, patients, extra=[row.rid], **limits)
    if type_name == "Patient":
        return Wanted("Patient", [row.rid], [row.rid], **limits)
    old = await read.old(conn, type_name, id_)
    patients = [old.pid] if old is not None and old.pid is not None else []
    return Wanted(type_name, [row.rid], patients, **limits)


async def _patients(conn: AsyncConnection[Any], group: Row) -> list[int]:
    """Return the row numbers of the patients who are in a group now: its active members."""
    members = parse_json(group.json()).get("member", ())
    texts = [m.get("entity", {}).get("reference", "") for m in members if not m.get("inactive")]
    named = [parse_reference(text) for text in texts]
    keys = {(one.type or "", one.id or "") for one in named if one.local and one.type == "Patient"}
    rows = await seen.several(conn, sorted(keys)) if keys else {}
    return sorted(row.rid for row in rows.values() if row.live)


def _types(call: Call) -> tuple[str, ...]:
    names = [name.strip() for one in call.all("_type") for name in str(one.value).split(",")]
    wrong = next((name for name in names if not definitions().is_resource(name)), None)
    if wrong is not None:
        raise FhirError(400, "value", f"'{wrong[:60]}' in _type is not a resource type of R4", "_type")
    return tuple(dict.fromkeys(names))


def _bound(call: Call, name: str, end: int) -> int | None:
    text = call.text(name)
    if text is None:
        return None
    try:
        return span(text)[end]
    except (ValueError, OverflowError):
        raise FhirError(400, "value", f"'{text[:60]}' is no date for '{name}'", name) from None


def _moment(call: Call, name: str) -> datetime | None:
    first = _bound(call, name, 0)
    return None if first is None else _EPOCH + timedelta(microseconds=first)


for _type, _levels in (
    ("Patient", {"type", "instance"}),
    ("Encounter", {"instance"}),
    ("Group", {"instance"}),
):
    _url = f"http://hl7.org/fhir/OperationDefinition/{_type}-everything"
    register(Operation(NAME, answer, _url, frozenset(_levels), frozenset({_type})))
