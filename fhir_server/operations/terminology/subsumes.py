"""`CodeSystem/$subsumes`: how two codes of a code system stand to each other in its hierarchy.

Source: http://hl7.org/fhir/R4/codesystem-operation-subsumes.html
"""

from __future__ import annotations

from fhir_server.concepts import lookup
from fhir_server.concepts.memory import remembering
from fhir_server.concepts.model import UnknownError
from fhir_server.exchange import Request, Result, Session
from fhir_server.operations import Operation, register
from fhir_server.operations.parameters import Call, read_call
from fhir_server.operations.terminology.answers import not_loaded, parameters, value
from fhir_server.operations.terminology.asked import Asked, code_of
from fhir_server.operations.terminology.located import canonical_of_instance, system_of
from resources.outcome import FhirError

NAME = "$subsumes"
KNOWN = frozenset({"codeA", "codeB", "system", "version", "codingA", "codingB"})


async def subsumes(session: Session, request: Request) -> Result:
    """Return `equivalent`, `subsumes` (A is broader), `subsumed-by` or `not-subsumed`.

    Errors: 400 for a wrong call, 404 for an unknown code or code system, 422 where there is no subsumption
    """
    call = read_call(request, NAME, KNOWN)
    async with session.connection() as conn, remembering(conn):
        own = await canonical_of_instance(conn, request)
        asked = [_asked(call, letter, own) for letter in "AB"]
        url, version = _same_system(asked, own)
        system = await system_of(conn, url, version)
        try:
            outcome = await lookup.subsumes(conn, system, asked[0].code, asked[1].code)
        except UnknownError as problem:
            raise not_loaded(*problem.reasons) from None
    return parameters([value("outcome", "code", outcome)])


def _asked(call: Call, letter: str, own: tuple[str, str] | None) -> Asked:
    url, version = own or (call.text("system") or "", call.text("version") or "")
    found = code_of(call, f"code{letter}", f"coding{letter}", system=url, version=version)
    if found is None:
        text = f"{NAME} needs 'code{letter}' with 'system', or 'coding{letter}'"
        raise FhirError(400, "required", text, f"code{letter}")
    return found


def _same_system(asked: list[Asked], own: tuple[str, str] | None) -> tuple[str, str]:
    """Return the one code system that both codes are of; raises FhirError 400."""
    systems = {one.system for one in asked} | ({own[0]} if own else set())
    if "" in systems:
        raise FhirError(400, "required", f"{NAME} needs the code system of both codes", "system")
    if len(systems) > 1:
        text = f"{NAME} compares codes of one code system, not of {' and '.join(sorted(systems))}"
        raise FhirError(400, "invalid", text[:500])
    versions = {one.version for one in asked if one.version} | ({own[1]} if own and own[1] else set())
    if len(versions) > 1:
        raise FhirError(400, "invalid", f"{NAME} compares codes of one version of a code system", "version")
    return systems.pop(), versions.pop() if versions else ""


register(
    Operation(
        NAME,
        subsumes,
        "http://hl7.org/fhir/OperationDefinition/CodeSystem-subsumes",
        frozenset({"type", "instance"}),
        frozenset({"CodeSystem"}),
    )
)
