"""`ValueSet/$expand`: the codes of a value set, a page or all of them, and what they were made from.

Where R4 leaves a choice: an expansion is flat unless `excludeNested` is false; then it is whole, and paging is ignored.
Without `count` it is whole too, up to MOST codes. `total`, which R4 does not demand, is left out where the codes of a
large code system would have to be asked one by one for it (a value set that is not stored, or a common word); `count=0`
always tells it. What is not loaded is a 404 that names everything missing.
Source: http://hl7.org/fhir/R4/valueset-operation-expand.html
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from fhir_server.concepts import memory, sets
from fhir_server.concepts.memory import remembering
from fhir_server.concepts.model import Conn, UnknownError
from fhir_server.concepts.sets import Compiled, Narrowed, Versions
from fhir_server.exchange import Request, Result, Session
from fhir_server.operations import Operation, register
from fhir_server.operations.parameters import Call, read_call
from fhir_server.operations.terminology.answers import Json, not_loaded, value
from fhir_server.operations.terminology.asked import language, refuse_past
from fhir_server.operations.terminology.contents import Shown, contents, nested
from fhir_server.operations.terminology.located import valueset_of
from resources.codec.json import dump_json
from resources.outcome import FhirError

NAME = "$expand"
MOST = 10_000
"""The most codes of one answer."""

_SAID = {
    "filter": "string",
    "date": "dateTime",
    "offset": "integer",
    "count": "integer",
    "includeDesignations": "boolean",
    "designation": "string",
    "includeDefinition": "boolean",
    "activeOnly": "boolean",
    "excludeNested": "boolean",
    "excludeNotForUI": "boolean",
    "excludePostCoordinated": "boolean",
    "displayLanguage": "code",
    "exclude-system": "uri",
    "system-version": "uri",
    "check-system-version": "uri",
    "force-system-version": "uri",
    "property": "string",
}
"""Parameters that shape an expansion, and the type that it says them with."""

KNOWN = frozenset({*_SAID, "url", "valueSet", "valueSetVersion", "context", "contextDirection"})


async def expand(session: Session, request: Request) -> Result:
    """Return the value set with its expansion.

    Errors: 400 for a wrong call, or more codes than one answer may have (too-costly); 404 where the value set, or
            anything that it is made of, is not loaded; 422 where its codes cannot be listed
    """
    call = read_call(request, NAME, KNOWN)
    refuse_past(call)
    versions, narrowed = _versions(call), _narrowed(call)
    async with session.connection() as conn, remembering(conn):
        resource = await valueset_of(conn, call, request)
        compiled = await sets.compiled(conn, resource, versions)
        _listable(compiled)
        try:
            expansion = await _expansion(conn, call, resource, compiled, narrowed)
        except UnknownError as problem:
            raise not_loaded(*problem.reasons) from None
    return Result(200, dump_json(_definition(resource, call) | {"expansion": expansion}))


def _definition(resource: Json, call: Call) -> Json:
    """Return what comes of the value set itself: with `includeDefinition` all of it."""
    dropped = (
        {"expansion"} if call.flag("includeDefinition") else {"expansion", "compose", "text", "contained"}
    )
    kept = {name: child for name, child in resource.items() if name not in dropped}
    return {"resourceType": "ValueSet", "status": "active"} | kept


def _versions(call: Call) -> Versions:
    excluded = frozenset(_text(one.value, "exclude-system") for one in call.all("exclude-system"))
    default, checked, forced = (
        dict(_pair(one.value, name) for one in call.all(name))
        for name in ("system-version", "check-system-version", "force-system-version")
    )
    return Versions(default=default, forced=forced, checked=checked, excluded=excluded)


def _pair(canonical: object, name: str) -> tuple[str, str]:
    url, _, version = _text(canonical, name).partition("|")
    if not url or not version:
        raise FhirError(400, "value", f"'{name}' is a code system and its version: system|version", name)
    return url, version


def _text(content: object, name: str) -> str:
    if not isinstance(content, str):
        raise FhirError(400, "value", f"{NAME} takes a text as '{name}'", name)
    return content


def _narrowed(call: Call) -> Narrowed:
    return Narrowed(call.text("filter") or "", call.flag("activeOnly"), call.flag("excludeNotForUI"))


def _listable(compiled: Compiled) -> None:
    """Refuse a value set with codes that are made by rules."""
    endless = sorted({leaf.url for leaf in compiled.leaves if leaf.grammar is not None})
    if endless:
        text = f"The codes of {', '.join(endless)} cannot be listed: they are made by rules, without end"
        raise FhirError(422, "too-costly", text)


async def _expansion(conn: Conn, call: Call, resource: Json, compiled: Compiled, narrowed: Narrowed) -> Json:
    offset, count = call.whole("offset") or 0, call.whole("count")
    nests = call.one("excludeNested") is not None and not call.flag("excludeNested")
    if nests and count != 0:
        offset, count = 0, None
    if count is not None and count > MOST:
        raise FhirError(400, "too-costly", f"One answer has at most {MOST:,} codes; ask for pages", "count")
    counted = count == 0 or (memory.remembered(resource) and not narrowed.text)
    paged = sets.page if counted else sets.page_soon
    entries, total = await paged(conn, compiled, offset, MOST + 1 if count is None else count, narrowed)
    if count is None and len(entries) > MOST:
        has = f"{total:,}" if total is not None else f"more than {MOST:,}"
        text = f"The value set has {has} codes, one answer at most {MOST:,}; ask for pages by 'count'"
        raise FhirError(400, "too-costly", text, "count")
    listed = await contents(conn, entries, _shown(call, compiled))
    if nests:
        listed = await nested(conn, entries, listed)
    return {
        "identifier": f"urn:uuid:{uuid.uuid4()}",
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds"),
        **({} if total is None else {"total": total}),
        **({"offset": offset} if call.all("offset") or call.all("count") else {}),
        "parameter": _echoed(call, compiled),
        **({"contains": listed} if listed else {}),
    }


def _shown(call: Call, compiled: Compiled) -> Shown:
    asked = [_text(one.value, "designation") for one in call.all("designation")]
    wanted = tuple((left, right) if mark else ("", left) for left, mark, right in _tokens(asked))
    included = call.flag("includeDesignations") or (bool(asked) and not call.all("includeDesignations"))
    properties = tuple(_text(one.value, "property") for one in call.all("property"))
    versions = {(leaf.url, leaf.version) for leaf in compiled.leaves}
    several = len(versions) > len({url for url, _ in versions})
    return Shown(language(call), wanted if included else None, properties, several)


def _tokens(texts: list[str]) -> list[tuple[str, str, str]]:
    return [text.partition("|") for text in texts]


def _echoed(call: Call, compiled: Compiled) -> list[Json]:
    """Return the parameters of an expansion: those of the call, and what it was made from."""
    said = [
        value(one.name, _SAID[one.name], _typed(one.value, _SAID[one.name]))
        for one in call.given
        if one.name in _SAID
    ]
    said += [value("used-codesystem", "uri", canonical) for canonical in compiled.systems]
    said += [value("version", "uri", canonical) for canonical in compiled.systems if "|" in canonical]
    return said + [value("used-valueset", "uri", canonical) for canonical in compiled.valuesets]


def _typed(content: object, kind: str) -> object:
    """Return a value, which came by query as text, as its type has it."""
    if kind == "boolean":
        return content in (True, "true")
    return int(str(content)) if kind == "integer" else content


register(
    Operation(
        NAME,
        expand,
        "http://hl7.org/fhir/OperationDefinition/ValueSet-expand",
        frozenset({"type", "instance"}),
        frozenset({"ValueSet"}),
    )
)
