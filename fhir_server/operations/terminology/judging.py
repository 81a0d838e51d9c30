"""Verdicts on codes as `$validate-code` tells them: true or false with a message, or the one answer for "not loaded".

Where R4 leaves a choice: a wrong display makes the result false; an inactive code is true with a message; an abstract
one is false unless `abstract` is true; of several codings one that is right is enough.
Source: http://hl7.org/fhir/R4/valueset-operation-validate-code.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from fhir_server.concepts import catalog, lookup
from fhir_server.concepts.model import Conn
from fhir_server.exchange import Result
from fhir_server.operations.terminology.answers import not_loaded, parameters, texts, value
from fhir_server.operations.terminology.asked import Asked
from fhir_server.operations.terminology.naming import display
from resources.validate.asks import Verdict
from terminology.grammars import GRAMMARS
from terminology.verdicts import same_name


class Judged(NamedTuple):
    """What is told of one code; `result` None: it cannot be told, `message` says what is missing."""

    asked: Asked
    result: bool | None
    message: str = ""
    display: str = ""
    version: str = ""


async def judged(
    conn: Conn | None, asked: Asked, verdict: Verdict, where: str, *, abstract: bool, tongue: str
) -> Judged:
    """Return what is told of a code after its verdict; `where` names the value set or code system asked about."""
    if verdict.member is None:
        return Judged(asked, None, verdict.text)
    if not verdict.member:
        return Judged(asked, False, _why_not(asked, verdict, where))
    shown, names, version = await _names(conn, asked, verdict, tongue)
    if verdict.trouble == "abstract" and not abstract:
        text = f"The code '{asked.code}' is abstract: it only groups others"
        return Judged(asked, False, text, shown, version)
    if verdict.trouble == "wrong-display" or (
        asked.display and names and not same_name(asked.display, names)
    ):
        text = f"The display '{asked.display[:200]}' of '{asked.code}' is wrong: it should be '{shown}'"
        return Judged(asked, False, text, shown, version)
    texts = [f"The code '{asked.code}' is inactive"] if verdict.trouble == "inactive" else []
    if version != asked.version and asked.version:
        other = f"in {version}" if version else "in one without a version"
        texts.append(f"The version {asked.system}|{asked.version} is not loaded: the code is {other}")
    return Judged(asked, True, "; ".join(texts), shown, version)


def _why_not(asked: Asked, verdict: Verdict, where: str) -> str:
    if verdict.trouble == "unknown-code":
        text = f"The code '{asked.code[:200]}' is not in the code system {asked.system}"
        return f"{text}: {verdict.text}" if verdict.text else text
    return verdict.text or f"The code '{asked.called[:500]}' is not in {where}"


async def _names(
    conn: Conn | None, asked: Asked, verdict: Verdict, tongue: str
) -> tuple[str, list[str], str]:
    """Return the display to show, all names that are right (none: they need no look), and the version they are of."""
    if conn is None or not asked.system or asked.system in GRAMMARS:
        return verdict.display, [], asked.version
    system = await catalog.system(conn, asked.system, asked.version)
    if system is None and asked.version:
        system = await catalog.system(conn, asked.system)
    hidden = asked.display and verdict.trouble in ("inactive", "abstract")
    if system is None or not (tongue or hidden):
        return verdict.display, [], system.version if system else asked.version
    concept = await lookup.concept(conn, system, asked.code)
    if concept is None:
        return verdict.display, [], system.version
    others = await lookup.designations(conn, concept)
    shown = display(concept.display, others, [tongue]) if tongue else verdict.display
    names = [name for name in (concept.display, *(one.value for one in others)) if name]
    return shown or concept.display, names if hidden else [], system.version


def answer(found: Sequence[Judged]) -> Result:
    """Return the Parameters that tell what was found of one code, or of all codings of a concept.

    Errors: 404 where none is right and one cannot be told
    """
    right = next((one for one in found if one.result), None)
    if right is None and any(one.result is None for one in found):
        raise not_loaded(*(one.message for one in found if one.result is None))
    best = right or found[0]
    others = [one.message for one in found if one.message and one is not best]
    message = "; ".join(dict.fromkeys([*([best.message] if best.message else []), *others]))
    return parameters(
        [
            value("result", "boolean", bool(best.result)),
            *texts("message", "string", message[:2_000]),
            *texts("display", "string", best.display),
            *texts("code", "code", best.asked.code),
            *texts("system", "uri", best.asked.system),
            *texts("version", "string", best.version),
        ]
    )
