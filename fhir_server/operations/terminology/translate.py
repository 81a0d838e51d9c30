"""`ConceptMap/$translate`: what a code is in another code system, in both directions.

A call that names no map asks all that are between the code systems. A map that is known and says nothing of the code
answers `result` false; a map that is not here is a 404.
Source: http://hl7.org/fhir/R4/conceptmap-operation-translate.html
"""

from __future__ import annotations

from collections.abc import Iterator

from fhir_server.concepts import maps
from fhir_server.concepts.maps import ConceptMap
from fhir_server.concepts.model import Conn, UnknownError
from fhir_server.concepts.translating import Code, Found, Match, Wanted, translate
from fhir_server.exchange import Request, Result, Session
from fhir_server.operations import Operation, register
from fhir_server.operations.parameters import Call, Given, read_call
from fhir_server.operations.terminology.answers import Json, group, not_loaded, parameters, texts, value
from fhir_server.operations.terminology.asked import Asked, codes_of, structure
from fhir_server.routing import route
from resources.outcome import FhirError

NAME = "$translate"
KNOWN = frozenset(
    {
        *("url", "conceptMap", "conceptMapVersion", "code", "system", "version", "source", "coding"),
        *("codeableConcept", "target", "targetsystem", "dependency", "reverse"),
    }
)
MOST_DEPENDENCIES = 100


async def translated(session: Session, request: Request) -> Result:
    """Return the Parameters with `result`, `message` and every `match`.

    Errors: 400 for a wrong call; 404 where no map is known, or one goes on in one that is not
    """
    call = read_call(request, NAME, KNOWN)
    asked = _asked(call)
    wanted = _wanted(call)
    found = Found()
    async with session.connection() as conn:
        for one in asked:
            known = await _maps(conn, call, request, one, wanted)
            try:
                more = await translate(conn, known, Code(one.system, one.code, one.version), wanted)
            except UnknownError as problem:
                raise not_loaded(*problem.reasons) from None
            found.matches += more.matches
            found.hints += more.hints
    return _answer(found, asked)


def _asked(call: Call) -> list[Asked]:
    code = call.text("code")
    system, version = call.text("system") or "", call.text("version") or ""
    asked = codes_of(call, Asked(system, code, version) if code is not None else None)
    if not all(one.system for one in asked):
        raise FhirError(400, "required", f"{NAME} needs the system of the code", "system")
    return asked


def _wanted(call: Call) -> Wanted:
    return Wanted(
        call.text("targetsystem") or "",
        call.text("source") or "",
        call.text("target") or "",
        call.flag("reverse"),
        frozenset(_dependencies(call)),
    )


def _dependencies(call: Call) -> Iterator[tuple[str, str, str]]:
    listed = call.all("dependency")
    if len(listed) > MOST_DEPENDENCIES:
        raise FhirError(
            400, "too-costly", f"{NAME} takes at most {MOST_DEPENDENCIES} dependencies", "dependency"
        )
    for one in listed:
        element = _part(one, "element")
        concept = _part(one, "concept")
        if not isinstance(element, str) or not isinstance(concept, dict):
            text = "A 'dependency' has an 'element' (uri) and a 'concept' (CodeableConcept)"
            raise FhirError(400, "value", text, "dependency")
        for coding in concept.get("coding", ()):
            yield element, coding.get("system", ""), coding.get("code", "")
        if "text" in concept:
            yield element, "", concept["text"]


def _part(one: Given, name: str) -> object:
    return next((part.value for part in one.parts if part.name == name), None)


async def _maps(conn: Conn, call: Call, request: Request, one: Asked, wanted: Wanted) -> list[ConceptMap]:
    """Return the maps to ask: the one that is named, else all between the code systems.

    Errors: 400 where more than one is named, 404 where there is none
    """
    id_ = route(request.method, request.path).id
    named = [name for name in ("url", "conceptMap") if call.all(name)]
    if len(named) + bool(id_) > 1:
        text = f"{NAME} takes one of 'url' and 'conceptMap', and none on an instance"
        raise FhirError(400, "invalid", text, *named)
    sent = structure(call, "conceptMap", "ConceptMap")
    if sent is not None:
        return [maps.given(sent)]
    if id_:
        stored = await maps.by_id(conn, id_)
        if stored is None:
            raise FhirError(404, "not-found", f"ConceptMap/{id_} is not known here")
        return [stored]
    url = call.text("url")
    if url is not None:
        version = call.text("conceptMapVersion") or ""
        canonical = f"{url}|{version}" if version and "|" not in url else url
        known = await maps.by_canonical(conn, canonical)
        if known is None:
            raise not_loaded(f"the concept map {canonical} is not loaded here")
        return [known]
    sides = (wanted.system, one.system) if wanted.reverse else (one.system, wanted.system)
    found = await maps.between(conn, *sides)
    if not found:
        ends = f"from {sides[0] or 'any code system'} to {sides[1] or 'any other'}"
        raise not_loaded(f"no concept map {ends} is loaded here")
    return found


def _answer(found: Found, asked: list[Asked]) -> Result:
    comments = [f"{one.coding['code']}: {one.comment}" for one in found.matches if one.coding and one.comment]
    hints = list(dict.fromkeys([*found.hints, *comments]))
    if not found.matched:
        hints.insert(0, f"No translation of {', '.join(one.called for one in asked)[:500]} is known")
    parts = [value("result", "boolean", found.matched), *texts("message", "string", "; ".join(hints)[:2_000])]
    return parameters([*parts, *(_match(one) for one in found.matches)])


def _match(one: Match) -> Json:
    parts = [value("equivalence", "code", one.equivalence)]
    parts += [value("concept", "Coding", one.coding)] if one.coding else []
    parts += [_product(product) for product in one.products]
    return group("match", [*parts, *texts("source", "uri", one.source)])


def _product(product: Json) -> Json:
    names = (("system", "system"), ("code", "value"), ("display", "display"))
    coding = {name: product[key] for name, key in names if key in product}
    return group(
        "product", [value("element", "uri", product["property"]), value("concept", "Coding", coding)]
    )


register(
    Operation(
        NAME,
        translated,
        "http://hl7.org/fhir/OperationDefinition/ConceptMap-translate",
        frozenset({"type", "instance"}),
        frozenset({"ConceptMap"}),
    )
)
