"""`CodeSystem/$find-matches`: codes that have given properties.

Complete matches have all of them. Where there are none, codes that have all but one come, with what does not match.
A caller that is human (`exact` false) also gets codes whose names have the words of the texts given, with a comment.
Source: http://hl7.org/fhir/R4/codesystem-operation-find-matches.html
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from fhir_server.concepts import sets
from fhir_server.concepts.memory import remembering
from fhir_server.concepts.model import Conn, System, UnknownError
from fhir_server.concepts.sets import Entry, Narrowed
from fhir_server.exchange import Request, Result, Session
from fhir_server.operations import Operation, register
from fhir_server.operations.parameters import Call, Given, read_call
from fhir_server.operations.terminology.answers import Json, group, parameters, texts, value
from fhir_server.operations.terminology.located import canonical_of_instance, system_of
from resources.outcome import FhirError

NAME = "$find-matches"
KNOWN = frozenset({"system", "version", "property", "exact", "compositional"})
MOST = 100
"""The most matches of one answer."""
MOST_PROPERTIES = 10


async def find_matches(session: Session, request: Request) -> Result:
    """Return the Parameters with every `match`.

    Errors: 400 for a wrong call or a property that the code system does not have; 404 where it is not loaded
    """
    call = read_call(request, NAME, KNOWN)
    wanted = _properties(call)
    exact = call.flag("exact")
    async with session.connection() as conn, remembering(conn):
        system = await _system(conn, call, request)
        found = [_match(one) for one in await _having(conn, system, wanted)]
        if not found:
            found = await _partial(conn, system, wanted)
        if not found and not exact:
            found = await _possible(conn, system, wanted)
    return parameters(found[:MOST])


async def _system(conn: Conn, call: Call, request: Request) -> System:
    own = await canonical_of_instance(conn, request)
    url = call.text("system")
    if (own is None) == (url is None):
        raise FhirError(400, "required", f"{NAME} needs a 'system', and none on an instance", "system")
    return await system_of(conn, *(own or (url or "", call.text("version") or "")))


def _properties(call: Call) -> list[tuple[str, str, Given]]:
    """Return (code, value as text, as given) of each property; raises FhirError 400."""
    listed = call.all("property")
    if not 0 < len(listed) <= MOST_PROPERTIES:
        raise FhirError(400, "required", f"{NAME} takes 1 to {MOST_PROPERTIES} properties", "property")
    found = []
    for one in listed:
        parts = {part.name: part for part in one.parts}
        if "subproperty" in parts:
            raise FhirError(400, "not-supported", f"{NAME} takes no 'subproperty'", "property")
        if not {"code", "value"} <= parts.keys():
            raise FhirError(400, "required", "A 'property' has a 'code' and a 'value'", "property")
        found.append((str(parts["code"].value), _text(parts["value"].value), parts["value"]))
    return found


def _text(content: object) -> str:
    if isinstance(content, dict):
        return str(content.get("code", ""))
    return str(content).lower() if isinstance(content, bool) else str(content)


async def _having(
    conn: Conn, system: System, wanted: Iterable[tuple[str, str, Given]], narrowed: Narrowed = sets.ALL
) -> list[Entry]:
    """Return the codes that have all of some properties."""
    filters = [{"property": code, "op": "=", "value": text} for code, text, _ in wanted]
    rule: Json = {"system": system.url, **({"version": system.version} if system.version else {})}
    valueset = {"compose": {"include": [rule | ({"filter": filters} if filters else {})]}}
    try:
        entries, _ = await sets.page(conn, await sets.compiled(conn, valueset), 0, MOST, narrowed)
    except UnknownError as problem:
        raise FhirError(400, "not-supported", str(problem)[:2_000], "property") from None
    return entries


async def _partial(conn: Conn, system: System, wanted: Sequence[tuple[str, str, Given]]) -> list[Json]:
    """Return matches with all properties but one."""
    found: dict[str, Json] = {}
    for lacking in wanted if len(wanted) > 1 else ():
        rest = [one for one in wanted if one is not lacking]
        for entry in await _having(conn, system, rest):
            found.setdefault(entry.code, _match(entry, [_unmatched(lacking)]))
    return list(found.values())


async def _possible(conn: Conn, system: System, wanted: Sequence[tuple[str, str, Given]]) -> list[Json]:
    """Return matches by the words of the texts given."""
    words = " ".join(text for _, text, given in wanted if given.type in ("string", "markdown"))
    if not words:
        return []
    entries = await _having(conn, system, (), Narrowed(words))
    return [_match(entry, comment="The words of its names match, not its properties") for entry in entries]


def _unmatched(one: tuple[str, str, Given]) -> Json:
    code, _, given = one
    return group("unmatched", [value("code", "code", code), value("value", given.type, given.value)])


def _match(entry: Entry, unmatched: Sequence[Json] = (), comment: str = "") -> Json:
    said = {"system": entry.leaf.url, "code": entry.code, "display": entry.display}
    coding = {name: text for name, text in said.items() if text}
    parts = [value("code", "Coding", coding), *unmatched, *texts("comment", "string", comment)]
    return group("match", parts)


register(
    Operation(
        NAME,
        find_matches,
        "http://hl7.org/fhir/OperationDefinition/CodeSystem-find-matches",
        frozenset({"type", "instance"}),
        frozenset({"CodeSystem"}),
    )
)
