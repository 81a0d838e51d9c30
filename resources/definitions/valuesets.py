"""Enumerate the value sets of required bindings, as far as the package's own code systems allow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

Json = dict[str, Any]
Codes = set[tuple[str, str]]


def enumerate_valuesets(
    urls: Iterable[str], valuesets: list[Json], systems: list[Json]
) -> dict[str, tuple[tuple[str, tuple[str, ...]], ...]]:
    """Return {value set url: ((system, codes), …)} for every url whose whole content is known.

    A value set that needs a code system from outside the package (MIME types, languages, UCUM) or a filter other
    than `is-a`/`descendent-of` has no entry: nobody can be refused for a code that we cannot list.
    """
    enumerator = _Enumerator({v["url"]: v for v in valuesets}, {s["url"]: s for s in systems})
    known = {url: enumerator.codes(url) for url in sorted(urls)}
    return {url: _grouped(codes) for url, codes in known.items() if codes}


def _grouped(codes: Codes) -> tuple[tuple[str, tuple[str, ...]], ...]:
    systems: dict[str, list[str]] = {}
    for system, code in sorted(codes):
        systems.setdefault(system, []).append(code)
    return tuple((system, tuple(listed)) for system, listed in systems.items())


class _Enumerator:
    def __init__(self, valuesets: dict[str, Json], systems: dict[str, Json]) -> None:
        self._valuesets = valuesets
        self._systems = systems

    def codes(self, url: str) -> Codes | None:
        """Return all (system, code) of the value set, or None where they cannot be listed."""
        compose = self._valuesets.get(url.split("|", maxsplit=1)[0], {}).get("compose")
        if compose is None:
            return None
        codes: Codes = set()
        for include in compose["include"]:
            included = self._include(include)
            if included is None:
                return None
            codes |= included
        for exclude in compose.get("exclude", ()):
            excluded = self._include(exclude)
            if excluded is None:
                return None
            codes -= excluded
        return codes

    def _include(self, include: Json) -> Codes | None:
        parts = [self.codes(url) for url in include.get("valueSet", ())]
        if "system" in include:
            parts.append(self._system(include))
        codes: Codes | None = None
        for part in parts:
            if part is None:
                return None
            codes = part if codes is None else codes & part
        return codes

    def _system(self, include: Json) -> Codes | None:
        url = include["system"]
        if "concept" in include:
            return {(url, c["code"]) for c in include["concept"]}
        system = self._systems.get(url)
        if system is None or system.get("content") != "complete":
            return None
        codes = {(url, code) for code, _ in _concepts(system.get("concept", ()))}
        for rule in include.get("filter", ()):
            filtered = _filtered(system, rule)
            if filtered is None:
                return None
            codes &= {(url, code) for code in filtered}
        return codes


def _concepts(
    concepts: Iterable[Json], ancestors: tuple[str, ...] = ()
) -> Iterator[tuple[str, tuple[str, ...]]]:
    for concept in concepts:
        line = (*ancestors, *_parents(concept))
        yield concept["code"], line
        yield from _concepts(concept.get("concept", ()), (*line, concept["code"]))


def _parents(concept: Json) -> Iterator[str]:
    for prop in concept.get("property", ()):
        if prop["code"] == "subsumedBy" and "valueCode" in prop:
            yield prop["valueCode"]


def _filtered(system: Json, rule: Json) -> set[str] | None:
    if rule["op"] not in ("is-a", "descendent-of"):
        return None
    found = {rule["value"]} if rule["op"] == "is-a" else set()
    below, size = {rule["value"]}, 0
    while size != len(below):
        size = len(below)
        below |= {code for code, line in _concepts(system.get("concept", ())) if below.intersection(line)}
    return found | (below - {rule["value"]})
