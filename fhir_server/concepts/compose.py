"""A ValueSet compiled: into leaves that PostgreSQL lists and tests, and gaps where something is not loaded.

Include is a union, the value sets and the system within one include an intersection, exclude a subtraction.
Source: http://hl7.org/fhir/R4/valueset.html#compositions
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from fhir_server.concepts import catalog, filters, implicit, lookup, memory
from fhir_server.concepts.leaves import ACTIVE, Clause, Gap, Leaf, Listed, negated, within
from fhir_server.concepts.model import Conn, Json, System, UnknownError
from terminology.grammars import GRAMMARS
from terminology.records import Designation
from terminology.valuesets import DEEPEST, incomplete, name

MOST_VALUESETS = 500
"""The most value sets that one may be made of."""


@dataclass(frozen=True, slots=True)
class Versions:
    """Which version of a code system is taken, by url.

    Shape:  `default` where the value set names none, `forced` whatever it names, `checked` must be the one taken;
            `valuesets` the versions of value sets; `excluded` code systems are left out ('url' or 'url|version')
    Source: http://hl7.org/fhir/R4/valueset-operation-expand.html
    """

    default: Mapping[str, str] = field(default_factory=dict)
    forced: Mapping[str, str] = field(default_factory=dict)
    checked: Mapping[str, str] = field(default_factory=dict)
    valuesets: Mapping[str, str] = field(default_factory=dict)
    excluded: frozenset[str] = frozenset()

    def of(self, url: str, named: str) -> str:
        """Return the version to take where a value set names `named`, empty for the preferred one."""
        wanted = self.forced.get(url) or named or self.default.get(url, "")
        checked = self.checked.get(url, "")
        if checked and wanted not in ("", checked):
            raise UnknownError(f"{url} is wanted in version {wanted}, but has to be {checked}")
        return checked or wanted


PLAIN = Versions()


@dataclass(slots=True)
class Compiled:
    """A value set.

    Shape:  a code is in it if a leaf of `leaves` has it; `included` and `excluded` are what could not be told;
            `systems` and `valuesets` are the canonicals that it was made from
    """

    called: str
    leaves: list[Leaf] = field(default_factory=list)
    included: list[Gap] = field(default_factory=list)
    excluded: list[Gap] = field(default_factory=list)
    systems: dict[str, None] = field(default_factory=dict)
    valuesets: dict[str, None] = field(default_factory=dict)

    @property
    def gaps(self) -> list[Gap]:
        """Everything that could not be told."""
        return [*self.included, *self.excluded]

    def require(self) -> None:
        """Raise UnknownError where anything could not be told."""
        if self.gaps:
            raise UnknownError(*(gap.reason for gap in self.gaps))


async def compiled(conn: Conn, valueset: Json, versions: Versions = PLAIN) -> Compiled:
    """Return a ValueSet resource compiled; what is not loaded becomes a gap, never a hole."""

    async def compile_it() -> Compiled:
        return await _Compiler(conn, versions).valueset(valueset, name(valueset))

    if versions != PLAIN or not memory.remembered(valueset):
        return await compile_it()
    return await memory.asked(("compiled", id(valueset)), compile_it)


class _Compiler:
    """One value set and those that it is made of."""

    def __init__(self, conn: Conn, versions: Versions) -> None:
        self._conn = conn
        self._versions = versions
        self._open: list[str] = []
        self._done: dict[str, Compiled] = {}
        self._found: dict[str, Json | None] = {}

    async def valueset(self, json: Json, called: str) -> Compiled:
        if called in self._done:
            return self._done[called]
        result = Compiled(called)
        if called in self._open:
            result.included.append(Gap(None, f"ValueSet {called} refers to itself"))
            return result
        if len(self._open) == DEEPEST:
            text = f"ValueSet {called} is the {DEEPEST + 1}th in a row of value sets within others"
            result.included.append(Gap(None, text))
            return result
        self._open.append(called)
        if json.get("compose", {}).get("include"):
            await self._composed(result, json["compose"])
        if (result.gaps or not json.get("compose", {}).get("include")) and "expansion" in json:
            result = await self._expanded(called, json["expansion"], result)
        elif not json.get("compose", {}).get("include"):
            result.included.append(Gap(None, f"ValueSet {called} says nothing of its content"))
        self._open.pop()
        self._done[called] = result
        return result

    async def _composed(self, result: Compiled, compose: Json) -> None:
        active = compose.get("inactive") is False
        for rule in compose["include"]:
            for leaf in await self._rule(result, result.included, rule, active):
                if result.leaves and result.leaves[-1].takes(leaf):
                    continue
                test = negated(within(result.leaves, leaf))
                if not isinstance(test, bool):
                    leaf.where.append(test)
                    leaf.repeated.append(test)
                if test is not False:
                    result.leaves.append(leaf)
        out = [
            leaf
            for rule in compose.get("exclude", ())
            for leaf in await self._rule(result, result.excluded, rule, active)
        ]
        kept = []
        for leaf in result.leaves:
            test = negated(within(out, leaf))
            if not isinstance(test, bool):
                leaf.where.append(test)
            kept += [leaf] if test is not False else []
        result.leaves = kept

    async def _rule(self, result: Compiled, gaps: list[Gap], rule: Json, active: bool) -> list[Leaf]:
        """Return what one include or exclude selects."""
        url = rule.get("system")
        others = [await self._other(result, gaps, one, url) for one in rule.get("valueSet", ())]
        if url is not None:
            leaves = await self._system(result, gaps, rule, active)
        elif others:
            first, *others = others
            leaves = [leaf.copy() for leaf in first.leaves]
        else:
            gaps.append(Gap(None, f"ValueSet {result.called} has an include without system and value set"))
            return []
        kept = []
        for leaf in leaves:
            tests = [within(other.leaves, leaf) for other in others]
            leaf.where += [test for test in tests if not isinstance(test, bool)]
            kept += [] if any(test is False for test in tests) else [leaf]
        return kept

    async def _other(self, result: Compiled, gaps: list[Gap], canonical: str, url: str | None) -> Compiled:
        """Return a value set that another refers to."""
        base, _, version = canonical.partition("|")
        canonical = (
            f"{base}|{wanted}" if (wanted := version or self._versions.valuesets.get(base, "")) else base
        )
        if canonical not in self._found and len(self._found) == MOST_VALUESETS:
            text = f"ValueSet {self._open[0]} is made of more than {MOST_VALUESETS} others"
            if not any(gap.reason == text for gap in gaps):
                gaps.insert(0, Gap(None, text))
            return Compiled(canonical)
        if canonical not in self._found:
            found_json = await catalog.valueset(self._conn, canonical)
            self._found[canonical] = found_json or await implicit.valueset(self._conn, canonical)
        json = self._found[canonical]
        if json is None:
            gaps.append(Gap(url, f"the value set {canonical} is not here"))
            return Compiled(canonical)
        found = await self.valueset(json, name(json))
        result.valuesets |= {name(json): None, **found.valuesets}
        result.systems |= found.systems
        gaps += [gap if url is None else Gap(url, gap.reason) for gap in found.gaps]
        return found

    async def _system(self, result: Compiled, gaps: list[Gap], rule: Json, active: bool) -> list[Leaf]:
        """Return the codes of its system that a rule selects: those listed, or those that pass every filter."""
        url, named = rule["system"], rule.get("version", "")
        try:
            version = self._versions.of(url, named)
            system = None if url in GRAMMARS else await catalog.system(self._conn, url, version)
        except UnknownError as problem:
            gaps.append(Gap(url, str(problem)))
            return []
        taken = system.version if system is not None else version
        if {url, f"{url}|{taken}"} & self._versions.excluded:
            return []
        result.systems[f"{url}|{taken}" if taken else url] = None
        leaf = Leaf(url, taken, system)
        if active:
            leaf.where.append(ACTIVE)
        if "concept" in rule:
            listed = map(_listed, reversed(rule["concept"]))
            leaf.listed = await self._valid(
                leaf, tuple(reversed({leaf.fold(one.code): one for one in listed}.values()))
            )
            gaps += await self._doubtful(leaf) if active and url not in GRAMMARS else []
            return [leaf]
        return await self._whole(gaps, leaf, rule)

    async def _valid(self, leaf: Leaf, listed: tuple[Listed, ...]) -> tuple[Listed, ...]:
        """Return those of the listed codes that their code system has; all where it is not completely here."""
        grammar = GRAMMARS.get(leaf.url)
        if grammar is not None:
            return tuple(one for one in listed if not grammar(one.code))
        if leaf.system is None or not leaf.system.complete:
            return listed
        known = await lookup.concepts(self._conn, leaf.system, [one.code for one in listed])
        return tuple(one for one in listed if one.code in known)

    async def _doubtful(self, leaf: Leaf) -> list[Gap]:
        """Return a gap where nobody here knows of a listed code whether it is active."""
        if leaf.system is None:
            return [Gap(leaf.url, f"which codes of {leaf.url} are active, since it is not loaded")]
        codes = [one.code for one in leaf.listed or ()]
        known = codes if leaf.system.complete else await lookup.concepts(self._conn, leaf.system, codes)
        missing = [code for code in codes if code not in known]
        called = leaf.system.called
        return [
            Gap(leaf.url, f"whether '{code}' is active, which {called} lacks here") for code in missing[:10]
        ]

    async def _whole(self, gaps: list[Gap], leaf: Leaf, rule: Json) -> list[Leaf]:
        """Return all codes of a system that pass the filters of a rule."""
        system = leaf.system
        called = f"{leaf.url}|{leaf.version}" if leaf.version else leaf.url
        if system is None and leaf.url in GRAMMARS and not rule.get("filter"):
            leaf.grammar = GRAMMARS[leaf.url]
            leaf.where = []
            return [leaf]
        if system is None:
            gaps.append(Gap(leaf.url, f"the code system {called} is not loaded"))
            return []
        if rule.get("version") == "*":
            gaps.append(Gap(leaf.url, f"all versions of the code system {leaf.url}"))
        if not system.complete:
            text = f"the code system {system.called} is not complete here (content: {system.content})"
            gaps.append(Gap(leaf.url, text))
        try:
            leaf.where += [await self._filter(system, one) for one in rule.get("filter", ())]
        except UnknownError as problem:
            gaps += [Gap(leaf.url, reason) for reason in problem.reasons]
            return []
        return [leaf]

    async def _filter(self, system: System, json: Json) -> Clause:
        return await implicit.clause(self._conn, system, json) or await filters.clause(
            self._conn, system, json
        )

    async def _expanded(self, called: str, expansion: Json, composed: Compiled) -> Compiled:
        """Return what a stored expansion lists, where the definition cannot be told."""
        lacking = incomplete(expansion)
        by_url: dict[tuple[str, str], list[Listed]] = {}
        for node in _contains(expansion):
            by_url.setdefault((node.get("system", ""), node.get("version", "")), []).append(_listed(node))
        result = Compiled(called)
        for (url, version), listed in by_url.items():
            system = None if url in GRAMMARS else await catalog.system(self._conn, url, version)
            result.leaves.append(Leaf(url, version, system, tuple(listed)))
            result.systems[f"{url}|{version}" if version else url] = None
        if lacking:
            result.included = composed.gaps or []
            result.included.append(Gap(None, f"the expansion of ValueSet {called} is incomplete: {lacking}"))
        return result


def _listed(json: Json) -> Listed:
    designations = tuple(
        Designation(one["value"], one.get("language", ""), _use(one.get("use")))
        for one in json.get("designation", ())
        if "value" in one
    )
    return Listed(
        json["code"],
        json.get("display", ""),
        designations,
        json.get("abstract", False),
        json.get("inactive", False),
    )


def _use(use: Json | None) -> tuple[str, str, str] | None:
    return (use.get("system", ""), use.get("code", ""), use.get("display", "")) if use else None


def _contains(expansion: Json) -> Iterator[Json]:
    """Yield the codes of an expansion in their order; those that only group others are not among them."""
    waiting = list(reversed(expansion.get("contains", [])))
    while waiting:
        node = waiting.pop()
        waiting += reversed(node.get("contains", []))
        if "code" in node and not node.get("abstract"):
            yield node
