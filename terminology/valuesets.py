"""The codes of a value set, all of them or none: what cannot be listed completely is said by name.

Include is a union, the value sets and the system within one include an intersection, exclude a subtraction. A code
is a pair of system and code; the version of a code system decides what is selected, not what a coding must say.
Source: http://hl7.org/fhir/R4/valueset.html#compositions
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Protocol

from terminology.codesystems import CodeSystem, UnsupportedError
from terminology.grammars import GRAMMARS

Json = dict[str, Any]

DEEPEST = 50
"""The most value sets that are made of one another in a row."""

Code = tuple[str, str]
Codes = set[Code]

UNCLOSED = "http://hl7.org/fhir/StructureDefinition/valueset-unclosed"
"""Extension of an expansion that is known to lack codes."""

PARTIAL = frozenset({"filter", "activeOnly", "limitedExpansion", "exclude-system"})
"""Parameters of an expansion that make it less than the value set.
Source: http://hl7.org/fhir/R4/valueset-operation-expand.html
"""


class IncompleteError(Exception):
    """A value set cannot be listed completely; `reasons` name everything that is missing."""

    def __init__(self, reasons: Iterable[str]) -> None:
        self.reasons = tuple(dict.fromkeys(reasons))
        super().__init__("; ".join(self.reasons))


class Library(Protocol):
    """Where value sets and code systems come from; both None where there is none."""

    def valueset(self, canonical: str, /) -> Json | None:
        """Return a ValueSet by url or url|version."""
        ...

    def codesystem(self, url: str, version: str, /) -> CodeSystem | None:
        """Return a CodeSystem; with an empty version the newest."""
        ...


def needs(valueset: Json) -> tuple[set[str], set[Code]]:
    """Return what a ValueSet's definition refers to: value sets, and code systems as (url, version)."""
    others: set[str] = set()
    systems: set[Code] = set()
    compose = valueset.get("compose", {})
    for rule in _rules(compose):
        others.update(rule.get("valueSet", ()))
        if "system" in rule and ("concept" not in rule or compose.get("inactive") is False):
            systems.add((rule["system"], rule.get("version", "")))
    return others, systems


def _rules(compose: Json) -> Iterator[Json]:
    yield from compose.get("include", ())
    yield from compose.get("exclude", ())


def expand(valueset: Json, library: Library) -> Codes:
    """Return every (system, code) of a ValueSet; raises IncompleteError."""
    return _Expander(library).codes(valueset, name(valueset))


def name(valueset: Json) -> str:
    """Return what a ValueSet is called in messages and references: its canonical, else its id."""
    url, version = valueset.get("url", ""), valueset.get("version", "")
    return (url + (f"|{version}" if version else "")) or f"ValueSet/{valueset.get('id', '?')}"


class _Expander:
    """One expansion: what is being expanded right now, and what was."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._open: list[str] = []
        self._done: dict[str, Codes | IncompleteError] = {}

    def codes(self, valueset: Json, called: str) -> Codes:
        if called in self._open:
            raise IncompleteError([f"ValueSet {called} refers to itself"])
        if len(self._open) == DEEPEST:
            raise IncompleteError(
                [f"ValueSet {called} is the {DEEPEST + 1}th in a row of value sets within others"]
            )
        if called not in self._done:
            self._open.append(called)
            try:
                self._done[called] = self._codes(valueset, called)
            except IncompleteError as problem:
                self._done[called] = problem
            self._open.pop()
        found = self._done[called]
        if isinstance(found, IncompleteError):
            raise IncompleteError(found.reasons)
        return found

    def _codes(self, valueset: Json, called: str) -> Codes:
        reasons: list[str] = []
        if valueset.get("compose", {}).get("include"):
            try:
                return self._composed(valueset["compose"])
            except IncompleteError as problem:
                reasons += problem.reasons
        if "expansion" not in valueset:
            raise IncompleteError(reasons or [f"ValueSet {called} says nothing of its content"])
        lacking = incomplete(valueset["expansion"])
        if lacking:
            raise IncompleteError([*reasons, f"the expansion of ValueSet {called} is incomplete: {lacking}"])
        return {(node.get("system", ""), node["code"]) for node in _contains(valueset["expansion"])}

    def _composed(self, compose: Json) -> Codes:
        active = compose.get("inactive") is False
        found: Codes = set()
        reasons: list[str] = []
        for sign in ("include", "exclude"):
            for rule in compose.get(sign, ()):
                try:
                    selected = self._rule(rule, active)
                except IncompleteError as problem:
                    reasons += problem.reasons
                else:
                    found = found | selected if sign == "include" else found - selected
        if reasons:
            raise IncompleteError(reasons)
        return found

    def _rule(self, rule: Json, active: bool) -> Codes:
        """Return what one include or exclude selects; with `active` no inactive code."""
        reasons: list[str] = []
        parts: list[Codes] = []
        if "system" in rule:
            try:
                parts.append({(rule["system"], code) for code in self._system(rule, active)})
            except UnsupportedError as problem:
                reasons.append(str(problem))
        for canonical in rule.get("valueSet", ()):
            try:
                parts.append(self._nested(canonical))
            except IncompleteError as problem:
                reasons += problem.reasons
        if reasons or not parts:
            raise IncompleteError(reasons or ["an include without system and value set"])
        return set.intersection(*parts)

    def _nested(self, canonical: str) -> Codes:
        valueset = self._library.valueset(canonical)
        if valueset is None:
            raise IncompleteError([f"ValueSet {canonical} is unknown"])
        return self.codes(valueset, name(valueset))

    def _system(self, rule: Json, active: bool) -> set[str]:
        """Return the codes of its system that a rule selects: those listed, or those that pass every filter."""
        listed = {concept["code"] for concept in rule.get("concept", ())}
        if "concept" in rule and not active:
            return self._valid(rule, listed)
        system = self._complete(rule["system"], rule.get("version", ""))
        found = listed if "concept" in rule else set(system.concepts)
        for one in rule.get("filter", ()) if "concept" not in rule else ():
            found = found & system.select(one["property"], one["op"], one["value"])
        return {code for code in found if system.find(code) not in system.inactive} if active else found

    def _valid(self, rule: Json, listed: set[str]) -> set[str]:
        """Return those of the listed codes that their code system has; all where it is not completely here."""
        grammar = GRAMMARS.get(rule["system"])
        if grammar is not None:
            return {code for code in listed if not grammar(code)}
        system = self._library.codesystem(rule["system"], rule.get("version", ""))
        if system is None or not system.complete:
            return listed
        return {code for code in listed if system.find(code) is not None}

    def _complete(self, url: str, version: str) -> CodeSystem:
        called = f"CodeSystem {url}" + (f"|{version}" if version else "")
        if version == "*":
            raise UnsupportedError(f"all versions of CodeSystem {url}")
        system = self._library.codesystem(url, version)
        if system is None:
            raise UnsupportedError(f"{called} is unknown")
        if not system.complete:
            raise UnsupportedError(f"{called} is not complete here (content: {system.content or 'not said'})")
        return system


def _contains(node: Json) -> Iterator[Json]:
    """Yield the entries of an expansion that are codes, nested ones too."""
    waiting = list(node.get("contains", ()))
    while waiting:
        child = waiting.pop()
        waiting += child.get("contains", ())
        if "code" in child:
            yield child


def incomplete(expansion: Json) -> str:
    """Return why an expansion holds less than the value set, empty where it holds all."""
    if any(one.get("url") == UNCLOSED and one.get("valueBoolean") for one in expansion.get("extension", ())):
        return "it says so (unclosed)"
    counted = sum(1 for _ in _contains(expansion))
    total = expansion.get("total", counted)
    if total > counted or expansion.get("offset", 0):
        return f"{counted} of {total} codes"
    if "total" not in expansion and any(one["name"] == "count" for one in expansion.get("parameter", ())):
        return "a page of an unknown number of codes"
    named = {
        one["name"]
        for one in expansion.get("parameter", ())
        if one["name"] in PARTIAL and one.get("valueBoolean") is not False
    }
    return f"made with {', '.join(sorted(named))}" if named else ""
