"""Code systems: their concepts, the hierarchy among them, and what a value set's filter selects of them.

Source: http://hl7.org/fhir/R4/codesystem.html, http://hl7.org/fhir/R4/valueset-filter-operator.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from time import monotonic
from typing import Any

import regex

Json = dict[str, Any]

PROPERTIES = "http://hl7.org/fhir/concept-properties#"
"""The properties that R4 itself defines. Source: http://hl7.org/fhir/R4/codesystem-concept-properties.html"""

UPWARD = frozenset({"parent", "subsumedBy"})
"""Properties whose value is a broader concept, besides those declared with the uri of `parent`."""

REGEX_SECONDS = 1.0
REGEX_LENGTH = 500


class UnsupportedError(Exception):
    """What was asked of a code system cannot be answered exactly; the text says why."""


@dataclass(frozen=True, slots=True)
class Concept:
    """One concept: its code, its display, its properties as (code, value as text), and its other names."""

    code: str
    display: str
    properties: tuple[tuple[str, str], ...]
    designations: tuple[str, ...] = ()

    def values(self, name: str) -> list[str]:
        """Return the values of a property."""
        return [value for key, value in self.properties if key == name]


class CodeSystem:
    """A CodeSystem resource, read."""

    def __init__(self, resource: Json) -> None:
        self.url: str = resource.get("url", "")
        self.version: str = resource.get("version", "")
        self.content: str = resource.get("content", "")
        self.meaning: str = resource.get("hierarchyMeaning", "is-a")
        self.case_sensitive: bool = resource.get("caseSensitive", False)
        self.concepts: dict[str, Concept] = {}
        self.parents: dict[str, set[str]] = {}
        self._declared = {p["code"]: p.get("uri", "") for p in resource.get("property", ())}
        for json, above in _nested(resource.get("concept", ())):
            self._add(json, above)
        self._children = _turned(self.parents)

    def _add(self, json: Json, above: str) -> None:
        code = json["code"]
        properties = tuple((p["code"], _value(p)) for p in json.get("property", ()))
        names = tuple(other["value"] for other in json.get("designation", ()) if "value" in other)
        self.concepts[code] = Concept(code, json.get("display", ""), properties, names)
        parents = self.parents.setdefault(code, set())
        if above:
            parents.add(above)
        for name, value in properties:
            if name in UPWARD or self._is(name, "parent"):
                parents.add(value)
            elif self._is(name, "child"):
                self.parents.setdefault(value, set()).add(code)

    def _is(self, name: str, standard: str) -> bool:
        """Whether a property is one of R4's own, by its uri or, declared without one, by its name."""
        return self._declared.get(name, "") == PROPERTIES + standard or name == standard

    @property
    def complete(self) -> bool:
        """Whether every concept of the code system is in the resource."""
        return self.content == "complete"

    def find(self, code: str) -> str | None:
        """Return a code as the code system spells it, None where it has no such concept."""
        if code in self.concepts or self.case_sensitive:
            return code if code in self.concepts else None
        return self._folded.get(code.casefold())

    @cached_property
    def _folded(self) -> dict[str, str]:
        return {code.casefold(): code for code in self.concepts}

    def below(self, code: str) -> set[str]:
        """Return `code` and everything that it subsumes; raises UnsupportedError."""
        return self._reach(code, self._children)

    def above(self, code: str) -> set[str]:
        """Return `code` and everything that subsumes it; raises UnsupportedError."""
        return self._reach(code, self.parents)

    def _reach(self, code: str, steps: Mapping[str, set[str]]) -> set[str]:
        if self.meaning != "is-a":
            raise UnsupportedError(
                f"the hierarchy of CodeSystem {self.url} means '{self.meaning}', not subsumption"
            )
        start = self.find(code)
        if start is None:
            raise UnsupportedError(f"CodeSystem {self.url} has no code '{code[:100]}'")
        found, waiting = {start}, [start]
        while waiting:
            fresh = steps.get(waiting.pop(), set()) - found
            found |= fresh
            waiting += fresh
        return found

    @cached_property
    def inactive(self) -> frozenset[str]:
        """The codes that are not for current use: property `inactive`, or a `status` that says so."""
        return frozenset(code for code, concept in self.concepts.items() if self._inactive(concept))

    def _inactive(self, concept: Concept) -> bool:
        return any(
            (self._is(name, "inactive") and value == "true")
            or (self._is(name, "status") and value in ("retired", "inactive"))
            for name, value in concept.properties
        )

    def abstract(self, code: str) -> bool:
        """Whether a concept only groups others: property `notSelectable`."""
        properties = self.concepts[code].properties
        return any(value == "true" and self._is(name, "notSelectable") for name, value in properties)

    def select(self, name: str, operator: str, value: str) -> set[str]:
        """Return the codes that pass one `ValueSet.compose.include.filter`; raises UnsupportedError."""
        if operator in _HIERARCHIC:
            if name not in ("concept", "code"):
                raise UnsupportedError(f"the filter '{name} {operator}' of CodeSystem {self.url}")
            return _HIERARCHIC[operator](self, value)
        test = self._test(operator, value)
        values = self._reader(name, operator)
        return {code for code, concept in self.concepts.items() if test(values(concept))}

    def _reader(self, name: str, operator: str) -> Callable[[Concept], list[str]]:
        """Return what reads a property of a concept: one of its own elements, its neighbours, or a declared one."""
        match name:
            case "concept" | "code":
                return lambda concept: [concept.code]
            case "display":
                return lambda concept: [concept.display] if concept.display else []
            case "parent":
                return lambda concept: sorted(self.parents[concept.code])
            case "child":
                return lambda concept: sorted(self._children.get(concept.code, ()))
            case "inactive":
                return lambda concept: ["true" if concept.code in self.inactive else "false"]
            case _ if name in self._declared:
                return lambda concept: concept.values(name)
        raise UnsupportedError(
            f"the filter '{name} {operator}' of CodeSystem {self.url}, which has no '{name}'"
        )

    def _test(self, operator: str, value: str) -> Callable[[list[str]], bool]:
        listed = {part.strip() for part in value.split(",")}
        match operator:
            case "=":
                return lambda values: value in values
            case "in":
                return lambda values: not listed.isdisjoint(values)
            case "not-in":
                return listed.isdisjoint
            case "exists" if value in ("true", "false"):
                return lambda values: bool(values) is (value == "true")
            case "regex":
                return _matching(value)
        raise UnsupportedError(f"the filter operator '{operator}' with '{value[:100]}'")


def _not_below(system: CodeSystem, code: str) -> set[str]:
    return set(system.concepts) - system.below(code)


def _under(system: CodeSystem, code: str) -> set[str]:
    return system.below(code) - {system.find(code) or code}


_HIERARCHIC: dict[str, Callable[[CodeSystem, str], set[str]]] = {
    "is-a": CodeSystem.below,
    "generalizes": CodeSystem.above,
    "is-not-a": _not_below,
    "descendent-of": _under,
}


def _matching(pattern: str) -> Callable[[list[str]], bool]:
    """Return the test that a value matches `pattern` as a whole, within a second for all of them."""
    if len(pattern) > REGEX_LENGTH:
        raise UnsupportedError(f"a regular expression of more than {REGEX_LENGTH} characters")
    try:
        compiled = regex.compile(pattern)
    except (regex.error, RecursionError, OverflowError) as problem:
        raise UnsupportedError(f"the regular expression '{pattern[:100]}' ({problem})") from None

    until = monotonic() + REGEX_SECONDS

    def test(values: list[str]) -> bool:
        left = max(until - monotonic(), 1e-3)
        try:
            return any(compiled.fullmatch(value, timeout=left) for value in values)
        except TimeoutError:
            raise UnsupportedError(
                f"the regular expression '{pattern[:100]}', which takes too long"
            ) from None

    return test


def _nested(concepts: Iterable[Json]) -> Iterator[tuple[Json, str]]:
    """Yield every concept with the code of the one that it is nested in."""
    waiting = [(concept, "") for concept in reversed(list(concepts))]
    while waiting:
        concept, above = waiting.pop()
        yield concept, above
        waiting += [(child, concept["code"]) for child in reversed(concept.get("concept", ()))]


def _turned(parents: Mapping[str, set[str]]) -> dict[str, set[str]]:
    children: dict[str, set[str]] = {}
    for code, above in parents.items():
        for parent in above:
            children.setdefault(parent, set()).add(code)
    return children


def _value(json: Json) -> str:
    """Return the value of a concept's property as text: a Coding by its code."""
    value = next((child for key, child in json.items() if key.startswith("value")), "")
    if isinstance(value, dict):
        return str(value.get("code", ""))
    return str(value).lower() if isinstance(value, bool) else str(value)
