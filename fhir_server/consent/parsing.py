"""A Consent of R4 into rules. What cannot be kept exactly is reported, and closes: it is never left out.

Source: http://hl7.org/fhir/R4/consent.html, consent-definitions.html
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from fhir_server.consent.moments import LATEST, MICRO, period, span
from fhir_server.consent.provisions import criteria
from fhir_server.consent.rules import Criterion, Directive, Effect, Rule

Json = dict[str, Any]
Problem = tuple[str, str]

SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
_ELSEWHERE = {(SCOPE, "treatment"), (SCOPE, "adr")}
"""Scopes that are no question of who sees what: a treatment agreed to, an advance directive."""
_BASES: dict[tuple[str, str], Effect] = {(ACT, "OPTIN"): "permit", (ACT, "OPTOUT"): "deny"}
ROOT = "Consent.provision"
BASE = "Consent.policyRule"
AMBIGUOUS = (
    "This provision restricts itself but has no type: R4 leaves open whether it narrows policyRule or is the exception"
    " to it. It is read as the stricter of both; give it a type"
)


def directive(resource: Json) -> Directive | None:
    """Return what a Consent says of who may see what, None where it says nothing of that.

    Shape:  Consents that are not active, of treatments and of advance directives are None
    """
    scopes = set(_codings(resource.get("scope")))
    if resource.get("status") != "active" or scopes & _ELSEWHERE:
        return None
    name = f"Consent/{resource.get('id', '')}"
    patient, problems = _patient(resource)
    common = _of_scope(scopes, problems)
    reader = _Reader(name, _when(resource), problems)
    root = resource.get("provision")
    reader.base(resource, root if isinstance(root, dict) else {}, common)
    if isinstance(root, dict):
        reader.node(root, ROOT, common, float("-inf"), float("inf"), typed=True)
    rules = reader.rules or [_closed(name, reader.when, problems)]
    return Directive(name, patient, tuple(rules), tuple(problems))


def _closed(name: str, when: int, problems: list[Problem]) -> Rule:
    text = "Nothing in it says what is permitted or denied"
    problems.append((BASE, text))
    return Rule("deny", name, BASE, when, (Criterion("unsupported", (text,)),))


def _codings(concept: Any) -> list[tuple[str, str]]:
    codings = concept.get("coding", ()) if isinstance(concept, dict) else ()
    return [
        (str(one.get("system", "")), str(one.get("code", ""))) for one in codings if isinstance(one, dict)
    ]


def _patient(resource: Json) -> tuple[str, list[Problem]]:
    found = resource.get("patient", {}).get("reference", "")
    if isinstance(found, str) and found.startswith("Patient/") and found.count("/") == 1:
        return found, []
    return "", [
        ("Consent.patient", "It names no Patient of this server by a reference, so that it protects nobody")
    ]


def _of_scope(scopes: set[tuple[str, str]], problems: list[Problem]) -> tuple[Criterion, ...]:
    if (SCOPE, "patient-privacy") in scopes:
        return ()
    if (SCOPE, "research") in scopes:
        return (Criterion("purpose", ("HRESCH",)),)
    text = "The scope is not one of HL7's: what it denies is denied, what it permits is not permitted"
    problems.append(("Consent.scope", text))
    return (Criterion("unsupported", (text,)),)


def _when(resource: Json) -> int:
    said = resource.get("dateTime") or resource.get("meta", {}).get("lastUpdated")
    try:
        return span(said)[0] if isinstance(said, str) else 0
    except ValueError:
        return 0


class _Reader:
    """Collects the rules of one Consent."""

    def __init__(self, name: str, when: int, problems: list[Problem]) -> None:
        self.name = name
        self.when = when
        self.rules: list[Rule] = []
        self.problems = problems

    def base(self, resource: Json, root: Json, common: tuple[Criterion, ...]) -> None:
        """Add the rule that policyRule is: in force without exceptions, or as long as an untyped root says."""
        found = {_BASES[one] for one in _codings(resource.get("policyRule")) if one in _BASES}
        if not found:
            return
        effect: Effect = "deny" if "deny" in found else "permit"
        if effect == "permit" and (_permits(root) or ("type" not in root and criteria(root, ROOT)[0])):
            return  # what is permitted is said below it
        start, end = (
            (float("-inf"), float("inf")) if "type" in root else _validity(root, effect, self.problems)
        )
        self.rules.append(Rule(effect, self.name, BASE, self.when, common, start, end))

    def node(
        self,
        provision: Json,
        path: str,
        above: tuple[Criterion, ...],
        start: float,
        end: float,
        *,
        typed: bool,
    ) -> None:
        """Add the rule of a provision and those below it."""
        own, problems = criteria(provision, path)
        self.problems += problems
        effect = self._effect(provision, path, bool(own), root=typed)
        first, last = _validity(provision, effect or "deny", self.problems, path)
        start, end, held = max(start, first), min(end, last), (*above, *own)
        if effect is not None:
            self.rules.append(Rule(effect, self.name, path, self.when, held, start, end))
        nested = provision.get("provision", ())
        for number, one in enumerate(nested if isinstance(nested, list) else ()):
            self.node(one, f"{path}.provision[{number}]", held, start, end, typed=False)

    def _effect(self, provision: Json, path: str, restricted: bool, *, root: bool) -> Effect | None:
        effects: dict[Any, Effect] = {"permit": "permit", "deny": "deny"}
        said = effects.get(provision.get("type"))
        if said is not None:
            return said
        if not root:
            self.problems.append(
                (path, "A nested provision needs a type (permit or deny): it is taken to deny")
            )
            return "deny"
        if not restricted:
            return None
        self.problems.append((path, AMBIGUOUS))
        return "deny"


def _permits(provision: Json) -> bool:
    return provision.get("type") == "permit" or any(_permits(one) for one in _nested(provision))


def _nested(provision: Json) -> Iterable[Json]:
    found = provision.get("provision", ())
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else ()


def _validity(
    provision: Json, effect: Effect, problems: list[Problem], path: str = ROOT
) -> tuple[float, float]:
    """Return from when until when a provision holds: where its period cannot be read always, or never for a permit."""
    if "period" not in provision:
        return float("-inf"), float("inf")
    try:
        lo, hi = period(provision["period"])
    except (ValueError, TypeError):
        problems.append((f"{path}.period", "The period cannot be read: it denies always and never permits"))
        return (float("-inf"), float("inf")) if effect == "deny" else (0.0, 0.0)
    return lo / MICRO, float("inf") if hi == LATEST else (hi + 1) / MICRO


def read(resources: Sequence[Json]) -> list[Directive]:
    """Return what several Consents say of who may see what."""
    return [found for one in resources if (found := directive(one)) is not None]
