"""What a provision restricts itself to, as criteria.

Source: http://hl7.org/fhir/R4/consent-definitions.html#Consent.provision
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from fhir_server.consent.moments import period
from fhir_server.consent.purposes import named
from fhir_server.consent.rules import UNKNOWN, Criterion, Kind
from resources.definitions import definitions

Json = dict[str, Any]
Problem = tuple[str, str]

TYPES = "http://hl7.org/fhir/resource-types"
ACTIONS = "http://terminology.hl7.org/CodeSystem/consentaction"
_MEANINGS = frozenset({"instance", "related", "dependents"})
_LOCAL = re.compile(r"[A-Z][A-Za-z]+/[A-Za-z0-9\-.]{1,64}\Z", re.ASCII)
_UNRESOLVED = frozenset({"Group", "HealthcareService"})
"""Actors whose members this server does not look up."""
_KNOWN = frozenset(
    {"id", "extension", "type", "period", "actor", "action", "securityLabel", "purpose"}
) | frozenset({"class", "code", "dataPeriod", "data", "provision"})


class _Role(msgspec.Struct, frozen=True):
    system: str
    code: str
    meaning: str
    source: str


class _Roles(msgspec.Struct):
    role: list[_Role]


@cache
def _recipients() -> frozenset[tuple[str, str]]:
    found = msgspec.json.decode((Path(__file__).parent / "actors.json").read_bytes(), type=_Roles)
    return frozenset((one.system, one.code) for one in found.role if one.meaning == "recipient")


def criteria(provision: Json, path: str) -> tuple[tuple[Criterion, ...], list[Problem]]:
    """Return what a provision restricts itself to, and what of it cannot be kept exactly."""
    found: list[Criterion] = []
    for element, (kind, value) in _READ.items():
        if element in provision:
            given = provision[element] if isinstance(provision[element], list) else [provision[element]]
            found.append(Criterion(kind, tuple(dict.fromkeys(each for one in given for each in value(one)))))
    problems = [
        (f"{path}.{one.kind}", value.removeprefix(UNKNOWN))
        for one in found
        for value in one.values
        if value.startswith(UNKNOWN)
    ]
    if "dataPeriod" in provision:
        found.append(_data_period(provision["dataPeriod"], path, problems))
    strange = sorted(provision.keys() - _KNOWN)
    if strange:
        text = f"{', '.join(strange)[:100]} is not understood"
        problems.append((path, text))
        found.append(Criterion("unsupported", (text,)))
    return tuple(found), problems


def _data_period(value: Any, path: str, problems: list[Problem]) -> Criterion:
    try:
        lo, hi = period(value)
    except (ValueError, TypeError):
        problems.append((f"{path}.dataPeriod", "The period cannot be read"))
        return Criterion("unsupported", ("dataPeriod",))
    return Criterion("period", (), lo, hi)


def _unknown(text: str) -> list[str]:
    return [UNKNOWN + text]


def _codings(concept: Any) -> list[tuple[str, str]]:
    codings = concept.get("coding", ()) if isinstance(concept, dict) else ()
    return [_coding(one) for one in codings if isinstance(one, dict) and "code" in one]


def _coding(one: Any) -> tuple[str, str]:
    return str(one.get("system", "")), str(one.get("code", ""))


def _actor(one: Any) -> list[str]:
    roles = _codings(one.get("role"))
    reference = one.get("reference", {}).get("reference", "")
    if not any(role in _recipients() for role in roles):
        said = ", ".join(code for _, code in roles) or "none"
        return _unknown(
            f"the role of an actor ({said[:50]}) does not say that it receives data ({reference[:80]})"
        )
    if not isinstance(reference, str) or not _LOCAL.match(reference):
        return _unknown("an actor is not named by a reference to a resource of this server")
    if reference.partition("/")[0] in _UNRESOLVED:
        return _unknown(f"who belongs to {reference} is not looked up")
    return [reference]


def _action(one: Any) -> list[str]:
    codes = [code for system, code in _codings(one) if system == ACTIONS]
    return codes or _unknown("an action is not one of HL7's")


def _purpose(one: Any) -> list[str]:
    system, code = _coding(one)
    return [named(system, code)] if code else _unknown("a purpose has no code")


def _class(one: Any) -> list[str]:
    system, code = _coding(one)
    if system == TYPES and definitions().is_resource(code):
        return [code]
    return _unknown(f"a class that is no resource type ({system[:80]}|{code[:50]})")


def _code(one: Any) -> list[str]:
    found = [f"{system}|{code}" for system, code in _codings(one)]
    return found or _unknown("a code without a coding")


def _label(one: Any) -> list[str]:
    return ["|".join(_coding(one))]


def _data(one: Any) -> list[str]:
    meaning, reference = one.get("meaning"), one.get("reference", {}).get("reference", "")
    if meaning not in _MEANINGS:
        return _unknown(f"data by '{str(meaning)[:20]}' is not looked up")
    if not isinstance(reference, str) or not _LOCAL.match(reference):
        return _unknown("data is not named by a reference to a resource of this server")
    return [f"{meaning} {reference}"]


_READ: dict[str, tuple[Kind, Callable[[Any], Iterable[str]]]] = {
    "actor": ("actor", _actor),
    "action": ("action", _action),
    "securityLabel": ("label", _label),
    "purpose": ("purpose", _purpose),
    "class": ("class", _class),
    "code": ("code", _code),
    "data": ("data", _data),
}
