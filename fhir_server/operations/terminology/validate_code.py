"""`CodeSystem/$validate-code` and `ValueSet/$validate-code`: is a code there, and is it what it says?

What is not loaded is a 404 that names it, never a result that says no.
Source: http://hl7.org/fhir/R4/codesystem-operation-validate-code.html, valueset-operation-validate-code.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from fhir_server.concepts import check
from fhir_server.concepts.memory import remembering
from fhir_server.concepts.model import Conn
from fhir_server.exchange import Request, Result, Session
from fhir_server.operations import Operation, register
from fhir_server.operations.parameters import Call, read_call
from fhir_server.operations.terminology.answers import Json
from fhir_server.operations.terminology.asked import Asked, codes_of, language, refuse_past, structure
from fhir_server.operations.terminology.judging import Judged, answer, judged
from fhir_server.operations.terminology.located import canonical_of_instance, valueset_of
from resources.outcome import FhirError
from resources.validate.asks import Coded, Verdict
from terminology.codesystems import CodeSystem
from terminology.grammars import Grammar
from terminology.valuesets import name
from terminology.verdicts import verdict

NAME = "$validate-code"
_SHARED = ("url", "code", "display", "coding", "codeableConcept", "date", "abstract", "displayLanguage")
OF_SYSTEM = frozenset({*_SHARED, "codeSystem", "version"})
OF_VALUESET = frozenset(
    {*_SHARED, "context", "contextDirection", "valueSet", "valueSetVersion", "system", "systemVersion"}
)


async def in_system(session: Session, request: Request) -> Result:
    """Return whether a code is in a code system.

    Errors: 400 for a wrong call; 404 where the code system is not loaded
    """
    call = read_call(request, NAME, OF_SYSTEM)
    refuse_past(call)
    sent = structure(call, "codeSystem", "CodeSystem")
    async with session.connection() as conn, remembering(conn):
        url, version = await _system(conn, call, request, sent)
        asked = _of_one_system(call, url, version)
        questions = [Coded("", one.system, one.code, one.version, one.display) for one in asked]
        if sent is not None:
            verdicts = await asyncio.to_thread(_sent, sent, questions)
        else:
            verdicts = await check.coded(conn, [q._replace(system=url) for q in questions])
        names = None if sent is not None else conn
        return answer(await _all_judged(names, call, asked, verdicts, f"the code system {url}", url))


async def _system(conn: Conn, call: Call, request: Request, sent: Json | None) -> tuple[str, str]:
    """Return url and version of the code system that a call is about."""
    own = await canonical_of_instance(conn, request)
    url = call.text("url")
    if [own is not None, url is not None, sent is not None].count(True) != 1:
        text = f"{NAME} takes one of 'url' and 'codeSystem', and none on an instance"
        raise FhirError(400, "invalid" if url or sent else "required", text, "url")
    if own is not None:
        return own
    if sent is not None:
        return str(sent.get("url", "")), str(sent.get("version", ""))
    base, _, version = (url or "").partition("|")
    return base, version


def _of_one_system(call: Call, url: str, version: str) -> list[Asked]:
    code = call.text("code")
    version = call.text("version") or version
    plain = Asked(url, code, version, call.text("display") or "") if code is not None else None
    return [
        one._replace(system=one.system or url, version=one.version or version)
        for one in codes_of(call, plain)
    ]


class _Only:
    """A code system that came with the call, as the one that is known."""

    def __init__(self, system: CodeSystem) -> None:
        self._system = system

    def valueset(self, _canonical: str, /) -> Json | None:
        """Return None: there is none."""
        return None

    def codesystem(self, url: str, _version: str, /) -> CodeSystem | None:
        """Return the code system under its own url."""
        return self._system if url == self._system.url else None

    def grammar(self, _url: str, /) -> Grammar | None:
        """Return None: there is none."""
        return None


def _sent(resource: Json, questions: Sequence[Coded]) -> list[Verdict]:
    library = _Only(CodeSystem({"url": "", **resource}))
    url = resource.get("url", "")
    return [verdict(question._replace(system=url), library) for question in questions]


async def in_valueset(session: Session, request: Request) -> Result:
    """Return whether a code is in a value set.

    Errors: 400 for a wrong call; 404 where the value set, or what decides over the code, is not loaded
    """
    call = read_call(request, NAME, OF_VALUESET)
    refuse_past(call)
    code = call.text("code")
    plain = (
        Asked(
            *(call.text("system") or "", code, call.text("systemVersion") or "", call.text("display") or "")
        )
        if code is not None
        else None
    )
    asked = codes_of(call, plain)
    if not all(one.system for one in asked) and not call.all("context"):
        text = f"{NAME} needs the 'system' of the code, unless a 'context' is given"
        raise FhirError(400, "required", text, "system")
    async with session.connection() as conn, remembering(conn):
        valueset = await valueset_of(conn, call, request)
        questions = [Coded("", one.system or None, one.code, one.version, one.display) for one in asked]
        verdicts = await check.within(conn, valueset, questions)
        return answer(await _all_judged(conn, call, asked, verdicts, f"the value set {name(valueset)}"))


async def _all_judged(
    conn: Conn | None,
    call: Call,
    asked: Sequence[Asked],
    verdicts: Sequence[Verdict],
    where: str,
    only: str = "",
) -> list[Judged]:
    """Return what is told of each code; with `only` those of another code system are not there.

    Shape:  without `conn` nothing is looked up beyond the verdicts
    """
    found = []
    for one, said in zip(asked, verdicts, strict=True):
        if only and one.system != only:
            text = f"The code '{one.called[:500]}' is not of the code system {only}"
            found.append(Judged(one, False, text))
            continue
        abstract, tongue = call.flag("abstract"), language(call)
        found.append(await judged(conn, one, said, where, abstract=abstract, tongue=tongue))
    return found


register(
    Operation(
        NAME,
        in_system,
        "http://hl7.org/fhir/OperationDefinition/CodeSystem-validate-code",
        frozenset({"type", "instance"}),
        frozenset({"CodeSystem"}),
    )
)
register(
    Operation(
        NAME,
        in_valueset,
        "http://hl7.org/fhir/OperationDefinition/ValueSet-validate-code",
        frozenset({"type", "instance"}),
        frozenset({"ValueSet"}),
    )
)
