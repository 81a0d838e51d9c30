"""What is known of codes: is each in its code system, in a value set, and what it says it is? Many at once.

What is not loaded is said and never a "no": `member` is None then.
Source: http://hl7.org/fhir/R4/valueset-operation-validate-code.html, http://hl7.org/fhir/R4/datatypes.html#Coding
"""

from __future__ import annotations

from collections.abc import Sequence

from fhir_server.concepts import catalog, implicit, lookup, memory, sets
from fhir_server.concepts.compose import PLAIN, Compiled, Versions
from fhir_server.concepts.model import Concept, Conn, Json, System
from resources.validate.asks import Coded, Trouble, Verdict
from terminology.grammars import GRAMMARS
from terminology.verdicts import same_name


async def coded(conn: Conn, questions: Sequence[Coded], versions: Versions = PLAIN) -> list[Verdict]:
    """Return the verdict on each question."""
    async with memory.remembering(conn):
        return await _coded(conn, questions, versions)


async def _coded(conn: Conn, questions: Sequence[Coded], versions: Versions) -> list[Verdict]:
    asked = _Checker(conn, versions)
    groups: dict[tuple[str, str | None], list[Coded]] = {}
    for question in dict.fromkeys(questions):
        groups.setdefault((question.valueset, question.system), []).append(question)
    known: dict[Coded, Verdict] = {}
    for (canonical, system), alike in groups.items():
        valueset = await asked.valueset(canonical) if canonical else None
        if canonical and valueset is None:
            text = f"the value set {canonical} is not here"
            known |= dict.fromkeys(alike, Verdict(None, "unknown-value-set", text))
        elif valueset is None:
            known |= await asked.of_system(system or "", alike)
        else:
            known |= await asked.of_valueset(valueset, system, alike)
    return [known[question] for question in questions]


async def within(
    conn: Conn, json: Json, questions: Sequence[Coded], versions: Versions = PLAIN
) -> list[Verdict]:
    """Return the verdict on codes in a ValueSet resource that is at hand; all of one system, or of none."""
    asked = _Checker(conn, versions)
    valueset = await sets.compiled(conn, json, versions)
    known: dict[Coded, Verdict] = {}
    for system in dict.fromkeys(question.system for question in questions):
        known |= await asked.of_valueset(valueset, system, [q for q in questions if q.system == system])
    return [known[question] for question in questions]


class _Checker:
    """One round of questions: what it has looked up so far."""

    def __init__(self, conn: Conn, versions: Versions) -> None:
        self._conn = conn
        self._versions = versions
        self._systems: dict[tuple[str, str], System | None] = {}

    async def valueset(self, canonical: str) -> Compiled | None:
        """Return a value set compiled, None where it is unknown."""
        json = await catalog.valueset(self._conn, canonical)
        json = json or await implicit.valueset(self._conn, canonical)
        return None if json is None else await sets.compiled(self._conn, json, self._versions)

    async def of_valueset(
        self, valueset: Compiled, system: str | None, alike: Sequence[Coded]
    ) -> dict[Coded, Verdict]:
        """Return the verdicts on codes of one system in a value set."""
        found = await sets.contains(self._conn, valueset, [question.code for question in alike], system)
        inside = [q for q in alike if found[q.code].member]
        alone = await self.of_system(system, alike) if system else {}
        verdicts = {q: self._described(q, alone.get(q), found[q.code]) for q in inside}
        for question in alike:
            if question not in verdicts:
                verdicts[question] = _outside(found[question.code], alone.get(question))
        return verdicts

    def _described(self, question: Coded, alone: Verdict | None, found: sets.Found) -> Verdict:
        """Return that a code is in, with what is wrong about it all the same."""
        entry = found.entry
        assert entry is not None, "a member has an entry"
        own = entry.listed
        names = [entry.display, *((own.display, *(d.value for d in own.designations)) if own else ())]
        if alone is not None and alone.member is not None and alone.trouble != "wrong-display":
            return alone._replace(member=True, display=alone.display or entry.display)
        names = [name for name in names if name]
        shown = (alone.display if alone else "") or (names[0] if names else "")
        trouble: Trouble = "abstract" if entry.abstract else "" if entry.active else "inactive"
        if not trouble and question.display and names and not same_name(question.display, names):
            trouble = "wrong-display"
        return Verdict(True, trouble, display=shown)

    async def of_system(self, url: str, alike: Sequence[Coded]) -> dict[Coded, Verdict]:
        """Return whether codes are in their code system at all."""
        if url in GRAMMARS:
            return {q: _grammatical(url, q.code) for q in alike}
        verdicts: dict[Coded, Verdict] = {}
        for version in dict.fromkeys(question.version for question in alike):
            same = [question for question in alike if question.version == version]
            verdicts |= await self._of_version(url, version, same)
        return verdicts

    async def _of_version(self, url: str, version: str, alike: Sequence[Coded]) -> dict[Coded, Verdict]:
        wanted = self._versions.of(url, version)
        exact = await self._system(url, wanted)
        system = exact or (await self._system(url, "") if wanted else None)
        if system is None or system.content == "not-present":
            return dict.fromkeys(
                alike, Verdict(None, "unknown-system", f"the code system {url} is not loaded")
            )
        concepts = await lookup.concepts(self._conn, system, [question.code for question in alike])
        missing = _missing(system, wanted if exact is None else "")
        names = await self._names(
            system, [concepts[q.code] for q in alike if q.display and q.code in concepts]
        )
        return {
            question: _said(question, concepts[question.code], names.get(concepts[question.code].n, []))
            if question.code in concepts
            else missing
            for question in alike
        }

    async def _system(self, url: str, version: str) -> System | None:
        if (url, version) not in self._systems:
            self._systems[url, version] = await catalog.system(self._conn, url, version)
        return self._systems[url, version]

    async def _names(self, system: System, concepts: Sequence[Concept]) -> dict[int, list[str]]:
        """Return the other names of concepts whose display has to be looked at."""
        if not concepts:
            return {}
        found = await lookup.all_designations(self._conn, system, [one.n for one in concepts])
        return {n: [one.value for one in some] for n, some in found.items()}


def _grammatical(url: str, code: str) -> Verdict:
    problem = GRAMMARS[url](code)
    return Verdict(False, "unknown-code", problem) if problem else Verdict(True)


def _missing(system: System, wanted: str) -> Verdict:
    """Return the verdict on a code that a code system does not have."""
    if not system.complete:
        return Verdict(None, "unknown-system", f"the code system {system.url} is not complete here")
    if wanted:
        text = f"the version {system.url}|{wanted} is not loaded, only {system.version or 'another'}"
        return Verdict(None, "unknown-system", text)
    return Verdict(False, "unknown-code")


def _said(question: Coded, one: Concept, others: Sequence[str]) -> Verdict:
    names = [name for name in (one.display, *others) if name]
    if one.abstract:
        return Verdict(True, "abstract", display=one.display)
    if not one.active:
        return Verdict(True, "inactive", display=one.display)
    if question.display and names and not same_name(question.display, names):
        return Verdict(True, "wrong-display", display=names[0])
    return Verdict(True, display=one.display)


def _outside(found: sets.Found, alone: Verdict | None) -> Verdict:
    if alone is not None and alone.trouble == "unknown-code":
        return alone
    if found.member is None:
        return Verdict(None, "unknown-system", "; ".join(found.reasons))
    return Verdict(False, "not-in-value-set")
