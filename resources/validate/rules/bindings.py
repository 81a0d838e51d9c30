"""Codes: from the value set that is asked for, there in their code system, named as it names them.

Whatever cannot be told, because a value set or code system is not loaded, is a warning that says so.
Source: http://hl7.org/fhir/R4/terminologies.html#strength, http://hl7.org/fhir/R4/extension-elementdefinition-maxvalueset.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from resources.profiles.nodes import Binding, Node
from resources.validate.asks import PENDING, Coded
from resources.validate.rules.hooks import Run
from resources.validate.rules.languages import check_tag

Json = dict[str, Any]
UCUM = "http://unitsofmeasure.org"
QUANTITIES = frozenset(
    {"Quantity", "Age", "Count", "Distance", "Duration", "Money", "SimpleQuantity", "MoneyQuantity"}
)
_PRIMITIVES = frozenset({"code", "string", "uri", "url", "canonical", "oid", "markdown", "id"})
_MAX = "max"
_LANGUAGES = "http://hl7.org/fhir/ValueSet/all-languages"
"""The value set of all language tags: judged by their grammar."""
_IDS = {
    "required": "binding-required",
    "extensible": "binding-extensible",
    "preferred": "binding-preferred",
    _MAX: "binding-max",
}


def check(run: Run, node: Node, type_code: str, value: Any, path: str) -> None:
    """Say where the codes of one element are not of its value set, as the strength of the binding has it."""
    binding = node.binding
    if binding is None:
        return
    if binding.largest == _LANGUAGES and type(value) is str:
        check_tag(run, value, path)
    for strength, valueset in _sets(binding):
        _check(run, strength, valueset, type_code, value, path)


def _sets(binding: Binding) -> Iterator[tuple[str, str]]:
    if binding.valueset and binding.strength != "example":
        yield binding.strength, binding.valueset
    if binding.largest and binding.largest != _LANGUAGES:
        yield _MAX, binding.largest


def _check(run: Run, strength: str, valueset: str, type_code: str, value: Any, path: str) -> None:
    codings = list(_codings(type_code, value))
    if not codings:
        _check_text(run, strength, valueset, type_code, value, path)
        return
    unknown = []
    for coding in codings:
        verdict = run.asks.coded(coding._replace(valueset=valueset))
        if verdict is PENDING or verdict.member:
            return
        if verdict.member is None:
            unknown.append(verdict.text)
    coded = shown(codings)
    if unknown:
        run.say("valueset-unknown", path, coded=coded, valueset=valueset, why="; ".join(unknown))
    else:
        has = f"{coded} is not a code" if len(codings) == 1 else f"None of {coded} is a code"
        run.say(_IDS[strength], path, coded=has, valueset=valueset, why="")


def _check_text(run: Run, strength: str, valueset: str, type_code: str, value: Any, path: str) -> None:
    """Say that text alone is not enough; what has neither text nor codes has extensions that say why."""
    if type_code != "CodeableConcept" or not ("text" in value or "coding" in value):
        return
    if strength == "required":
        run.say("binding-text-only", path, valueset=valueset)
    elif strength == "extensible":
        run.say("binding-text-only-extensible", path, valueset=valueset)


def _codings(type_code: str, value: Any) -> Iterator[Coded]:
    """Yield every code of the value of an element."""
    if type_code in _PRIMITIVES:
        if type(value) is str:
            yield Coded("", None, value)
    elif type(value) is not dict:
        return
    elif type_code == "CodeableConcept":
        for coding in value.get("coding") or ():
            yield from _codings("Coding", coding)
    elif type(value.get("code")) is str and (type_code == "Coding" or type_code in QUANTITIES):
        yield Coded("", str(value.get("system", "")), value["code"], str(value.get("version", "")))


def shown(codings: list[Coded]) -> str:
    """Return codings as people write them: system#code, at most five."""
    listed = ", ".join(f"{c.system}#{c.code}" if c.system else f'"{c.code}"' for c in codings[:5])
    return listed + (", …" if len(codings) > 5 else "")


# ---------------------------------------------------------------------------------------- codes of themselves


def check_coding(run: Run, value: Json, path: str) -> None:
    """Say what is wrong about a Coding itself, wherever it stands."""
    code, system = value.get("code"), value.get("system")
    if type(code) is not str:
        return
    if type(system) is not str:
        run.say("coding-without-system", path, code=code)
    elif ":" not in system:
        run.say("coding-relative-system", f"{path}.system", system=system)
    else:
        display = value.get("display", "")
        _exists(run, Coded("", system, code, value.get("version", ""), display), path)


def check_quantity(run: Run, value: Json, path: str) -> None:
    """Say where the unit of a Quantity is none of its code system."""
    code, system = value.get("code"), value.get("system")
    if type(code) is str and type(system) is str:
        _exists(run, Coded("", system, code), path)


def _exists(run: Run, coded: Coded, path: str) -> None:
    verdict = run.asks.coded(coded)
    if verdict is PENDING:
        return
    code, system, where = coded.code, coded.system, f"{path}.code"
    match verdict.trouble:
        case "unknown-system" if "/ValueSet/" in str(system):
            run.say("coding-valueset-as-system", f"{path}.system", system=system)
        case "unknown-system":
            run.say("code-unknown-system", path, code=code, why=verdict.text)
        case "unknown-code" if system == UCUM:
            run.say("unit-invalid", where, code=code)
        case "unknown-code":
            run.say("code-unknown", where, code=code, system=system)
        case "inactive":
            run.say("code-inactive", where, code=code, system=system)
        case "abstract":
            run.say("code-abstract", where, code=code, system=system)
        case "wrong-display":
            run.say(
                "display-wrong", f"{path}.display", code=code, display=coded.display, right=verdict.display
            )
