"""Is one code in a value set? Answered without listing the value set, and only from what is certain.

A part of the value set that cannot be told (a code system or value set that is not here) matters only where the code
could come from it: a code of another system is in or out all the same.
Source: http://hl7.org/fhir/R4/valueset.html#compositions
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

from terminology import valuesets
from terminology.codesystems import CodeSystem, UnsupportedError
from terminology.valuesets import DEEPEST, incomplete, name

Json = dict[str, Any]


class Grammar(Protocol):
    """A code system whose codes are made by rules (units, languages): whether a code is one, else why not."""

    def __call__(self, code: str, /) -> str:
        """Return why `code` is none of the system's, empty where it is one."""
        ...


class Library(valuesets.Library, Protocol):
    """Where value sets, code systems and the rules of others come from; None where there is none."""

    def grammar(self, url: str, /) -> Grammar | None:
        """Return the rules of a code system that is made by rules."""
        ...


class Found(NamedTuple):
    """Whether the code is in; None: it cannot be told, for `reasons`. `displays` are names that the value set gives."""

    member: bool | None
    reasons: tuple[str, ...] = ()
    displays: tuple[str, ...] = ()
    system: str = ""


OUT = Found(False)


def contains(valueset: Json, library: Library, system: str | None, code: str, depth: int = 0) -> Found:
    """Return whether (`system`, `code`) is in a ValueSet; `system` None asks for the code in any of its systems."""
    if depth > DEEPEST:
        return Found(
            None, (f"ValueSet {name(valueset)} is the {depth}th in a row of value sets within others",)
        )
    compose = valueset.get("compose", {})
    if compose.get("include"):
        found = _composed(compose, library, system, code, depth)
        if found.member is not None or "expansion" not in valueset:
            return found
    elif "expansion" not in valueset:
        return Found(None, (f"ValueSet {name(valueset)} says nothing of its content",))
    return _expanded(valueset, system, code)


def _composed(compose: Json, library: Library, system: str | None, code: str, depth: int) -> Found:
    active = compose.get("inactive") is False
    best = _any(compose["include"], library, system, code, active, depth)
    if best.member is False or not compose.get("exclude"):
        return best
    excluded = _any(compose["exclude"], library, best.system or system, code, active, depth)
    if excluded.member:
        return OUT
    if excluded.member is None:
        return Found(None, excluded.reasons)
    return best


def _any(
    rules: list[Json], library: Library, system: str | None, code: str, active: bool, depth: int
) -> Found:
    """Return the union of `rules`: in where one has the code, out where none can."""
    reasons: list[str] = []
    for rule in rules:
        found = _rule(rule, library, system, code, active, depth)
        if found.member:
            return found
        reasons += found.reasons
    return Found(None, tuple(dict.fromkeys(reasons))) if reasons else OUT


def _rule(rule: Json, library: Library, system: str | None, code: str, active: bool, depth: int) -> Found:
    """Return whether one include selects the code: its system's part and all of its value sets must."""
    parts: list[Found] = []
    if "system" in rule:
        if system not in (None, rule["system"]):
            return OUT
        parts.append(_selected(rule, library, code, active))
    for canonical in rule.get("valueSet", ()):
        other = library.valueset(canonical)
        if other is None:
            parts.append(Found(None, (f"the value set {canonical} is not here",)))
        else:
            wanted = rule.get("system", system)
            parts.append(contains(other, library, wanted, code, depth + 1))
    if not parts or any(part.member is False for part in parts):
        return OUT
    reasons = tuple(reason for part in parts for reason in part.reasons)
    if reasons:
        return Found(None, reasons)
    return Found(True, (), parts[0].displays, next((p.system for p in parts if p.system), ""))


def _selected(rule: Json, library: Library, code: str, active: bool) -> Found:
    url, version = rule["system"], rule.get("version", "")
    known = library.codesystem(url, version)
    displays: tuple[str, ...] = ()
    if "concept" in rule:
        listed = _listed(rule["concept"], code, known)
        if listed is None or _invalid(url, code, known, library):
            return OUT
        displays = tuple(_names(listed))
        if not active:
            return Found(True, (), displays, url)
    elif known is None:
        return _by_grammar(rule, library, code)
    if known is None or (not known.complete and known.find(code) is None):
        return Found(None, (_lacking(url, version, known),))
    spelled = known.find(code)
    if spelled is None or (active and spelled in known.inactive):
        return OUT
    if "concept" not in rule and rule.get("filter"):
        return _filtered(rule, known, spelled)
    return Found(True, (), displays, url)


def _invalid(url: str, code: str, known: CodeSystem | None, library: Library) -> bool:
    """Return whether a listed code is certainly none of its code system."""
    if known is not None:
        return known.complete and known.find(code) is None
    grammar = library.grammar(url)
    return grammar is not None and bool(grammar(code))


def _by_grammar(rule: Json, library: Library, code: str) -> Found:
    url, version = rule["system"], rule.get("version", "")
    grammar = library.grammar(url)
    if grammar is None:
        return Found(None, (_lacking(url, version, None),))
    if rule.get("filter"):
        return Found(None, (f"a filter of the code system {url} is not supported",))
    return OUT if grammar(code) else Found(True, (), (), url)


def _filtered(rule: Json, known: CodeSystem, code: str) -> Found:
    if not known.complete:
        return Found(None, (_lacking(known.url, "", known),))
    try:
        if all(code in known.select(one["property"], one["op"], one["value"]) for one in rule["filter"]):
            return Found(True, (), (), known.url)
    except UnsupportedError as problem:
        return Found(None, (str(problem),))
    return OUT


def _listed(concepts: list[Json], code: str, known: CodeSystem | None) -> Json | None:
    exact = next((concept for concept in concepts if concept["code"] == code), None)
    if exact is not None or known is None or known.case_sensitive:
        return exact
    return next((concept for concept in concepts if concept["code"].casefold() == code.casefold()), None)


def _names(concept: Json) -> Iterator[str]:
    if "display" in concept:
        yield concept["display"]
    for other in concept.get("designation", ()):
        yield other["value"]


def _lacking(url: str, version: str, known: CodeSystem | None) -> str:
    called = f"{url}|{version}" if version else url
    if known is None or known.content == "not-present":
        return f"the code system {called} is not loaded"
    return f"the code system {called} is not complete here (content: {known.content or 'not said'})"


def _expanded(valueset: Json, system: str | None, code: str) -> Found:
    waiting: list[Json] = list(valueset["expansion"].get("contains", ()))
    while waiting:
        node = waiting.pop()
        waiting += node.get("contains", ())
        if node.get("code") == code and system in (None, node.get("system", "")) and not node.get("abstract"):
            return Found(True, (), tuple(_names(node)), node.get("system", ""))
    lacking = incomplete(valueset["expansion"])
    if lacking:
        called = name(valueset)
        return Found(None, (f"the expansion of ValueSet {called} is incomplete: {lacking}",))
    return OUT
