"""`CodeSystem/$lookup`: everything that is known of a code.

Without `property` all properties come, parents, children and names included. What code systems that are made by rules
(units, languages, media types) say of a code is its form alone.
Source: http://hl7.org/fhir/R4/codesystem-operation-lookup.html
"""

from __future__ import annotations

from collections.abc import Iterator

from fhir_server.concepts import lookup as concepts
from fhir_server.concepts.memory import remembering
from fhir_server.concepts.model import Concept, Conn
from fhir_server.exchange import Request, Result, Session
from fhir_server.operations import Operation, register
from fhir_server.operations.parameters import Call, read_call
from fhir_server.operations.terminology.answers import Json, group, parameters, property_value, texts, value
from fhir_server.operations.terminology.asked import Asked, code_of, language, refuse_past
from fhir_server.operations.terminology.located import system_of
from fhir_server.operations.terminology.naming import designation, display
from resources.outcome import FhirError
from terminology.grammars import GRAMMARS
from terminology.records import Designation, PropertyValue

NAME = "$lookup"
KNOWN = frozenset({"code", "system", "version", "coding", "date", "displayLanguage", "property"})
HIERARCHY = ("parent", "child")


async def lookup(session: Session, request: Request) -> Result:
    """Return the Parameters with name, version, display, designations and properties.

    Errors: 400 for a wrong call; 404 for a code system that is not loaded, or a code that it does not have
    """
    call = read_call(request, NAME, KNOWN)
    refuse_past(call)
    asked = _asked(call)
    wanted = frozenset(_wanted(call))
    if asked.system in GRAMMARS:
        return _made_by_rule(asked)
    async with session.connection() as conn, remembering(conn):
        system = await system_of(conn, asked.system, asked.version)
        found = await concepts.concept(conn, system, asked.code)
        if found is None:
            text = f"The code system {system.called} has no code '{asked.code[:200]}'"
            lacks = "" if system.complete else f"; it is not complete here (content: {system.content})"
            raise FhirError(404, "not-found", text + lacks, asked.where)
        return await _described(conn, found, wanted, language(call))


def _asked(call: Call) -> Asked:
    found = code_of(
        call, "code", "coding", system=call.text("system") or "", version=call.text("version") or ""
    )
    if found is None or not found.system:
        raise FhirError(400, "required", f"{NAME} needs 'code' and 'system', or a 'coding' with both", "code")
    return found


def _wanted(call: Call) -> Iterator[str]:
    for one in call.all("property"):
        if not isinstance(one.value, str):
            raise FhirError(400, "value", f"{NAME} takes a code as 'property'", "property")
        yield one.value


def _made_by_rule(asked: Asked) -> Result:
    """Return what is known of a code of a system that is made by rules; raises FhirError 404."""
    problem = GRAMMARS[asked.system](asked.code)
    if problem:
        raise FhirError(404, "not-found", f"The code system {asked.system}: {problem}", asked.where)
    return parameters([value("name", "string", asked.system), value("display", "string", asked.code)])


async def _described(conn: Conn, one: Concept, wanted: frozenset[str], tongue: str) -> Result:
    names = await concepts.designations(conn, one)
    parts = [
        value("name", "string", one.system.name or one.system.url),
        *texts("version", "string", one.system.version),
        value("display", "string", display(one.display, names, [tongue] if tongue else []) or one.code),
    ]
    parts += [
        group(
            "designation",
            [value(name, _DESIGNATION[name], said) for name, said in designation(each).items()],
        )
        for each in names
        if _shown(each, wanted)
    ]
    return parameters([*parts, *await _properties(conn, one, wanted)])


_DESIGNATION = {"language": "code", "use": "Coding", "value": "string"}


def _shown(one: Designation, wanted: frozenset[str]) -> bool:
    """Whether a designation was asked for: by `designation`, by `lang.X`, or by asking for nothing in particular."""
    languages = [name[5:] for name in wanted if name.startswith("lang.")]
    return not wanted or "designation" in wanted or bool(concepts.best_name(one, languages))


async def _properties(conn: Conn, one: Concept, wanted: frozenset[str]) -> list[Json]:
    """Return the properties that were asked for, all where none was."""
    held = await concepts.properties(conn, one)
    own = [found for found in held if found.name not in HIERARCHY]
    told = [_property(found) for found in own if not wanted or found.name in wanted]
    told += [_said("url", "uri", one.system.url)] if "url" in wanted else []
    if one.definition and (not wanted or "definition" in wanted):
        told.append(_said("definition", "string", one.definition))
    if "inactive" not in {found.name for found in own} and (not one.active or "inactive" in wanted):
        told.append(_said("inactive", "boolean", not one.active))
    for name, ask in zip(HIERARCHY, (concepts.parents, concepts.children), strict=True):
        if not wanted or name in wanted:
            told += [_said(name, "code", near.code, near.display) for near in await ask(conn, one)]
    return told


def _property(found: PropertyValue) -> Json:
    text = found.display if found.kind != "Coding" else ""
    parts = [value("code", "code", found.name), property_value("value", found)]
    return group("property", [*parts, *texts("description", "string", text)])


def _said(name: str, kind: str, content: object, description: str = "") -> Json:
    parts = [value("code", "code", name), value("value", kind, content)]
    return group("property", [*parts, *texts("description", "string", description)])


register(
    Operation(
        NAME,
        lookup,
        "http://hl7.org/fhir/OperationDefinition/CodeSystem-lookup",
        frozenset({"type"}),
        frozenset({"CodeSystem"}),
    )
)
