"""Value sets made at random hold the same codes in the tables as in memory; what one cannot tell the other cannot.

Source: http://hl7.org/fhir/R4/valueset.html#compositions, valueset-filter-operator.html
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from fhir_server.concepts import sets
from fhir_server.concepts.model import Conn, UnknownError
from terminology.codesystems import CodeSystem
from terminology.valuesets import Code, IncompleteError, expand
from tests.integration.search.conftest import Asker, _open

Json = dict[str, Any]

CASES = 60
OPERATORS = ("is-a", "descendent-of", "is-not-a", "generalizes")
PATTERNS = ("c[0-4]", "c.*", "C1", "c(1|2)?", "x{2}", ".*(0|9)", ".*[^c]", "[a-c]+") * 4 + ("[",)


class Maker:
    """Code systems and value sets of one case, made from a seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.base = f"http://random.test/{seed}"
        self.systems: dict[str, dict[str, Json]] = {}
        for number in range(self.random.randint(1, 3)):
            versions = self.random.choice([[""], ["1"], ["1", "2"]])
            made_systems = {version: self._system(number, version) for version in versions}
            self.systems[f"{self.base}/s{number}"] = made_systems
        self.valuesets: dict[str, Json] = {}
        for number in range(self.random.randint(3, 6)):
            made = self._valueset(number)
            self.valuesets[made["url"]] = made

    @property
    def resources(self) -> list[Json]:
        """Everything that has to be stored."""
        return [*(one for some in self.systems.values() for one in some.values()), *self.valuesets.values()]

    def valueset(self, canonical: str, /) -> Json | None:
        """Return a value set of the case."""
        return self.valuesets.get(canonical)

    def codesystem(self, url: str, version: str, /) -> CodeSystem | None:
        """Return a code system of the case, the newest version where none is named."""
        versions = self.systems.get(url, {})
        found = versions.get(version or max(versions, default=""))
        return CodeSystem(found) if found else None

    def _chance(self, part: float) -> bool:
        return self.random.random() < part

    def _system(self, number: int, version: str) -> Json:
        count = self.random.randint(1, 12)
        made: Json = {
            "resourceType": "CodeSystem",
            "id": f"{self.base.rpartition('/')[2]}-s{number}-{version}x",
            "url": f"{self.base}/s{number}",
            "status": "active",
            "content": self.random.choice(["complete"] * 18 + ["fragment", "example"]),
            "property": [
                {"code": "parent", "type": "code"},
                {"code": "status", "type": "code"},
                {"code": "size", "type": "integer"},
                {"code": "kind", "type": "string"},
            ],
        }
        if version:
            made["version"] = version
        if self._chance(0.7):
            made["caseSensitive"] = self._chance(0.5)
        if self._chance(0.2):
            made["hierarchyMeaning"] = self.random.choice(["is-a", "is-a", "is-a", "part-of"])
        roots: list[Json] = []
        placed: list[Json] = []
        for place in range(count):
            one = self._concept(place, count)
            above = self.random.choice(placed) if placed and self._chance(0.6) else None
            (above.setdefault("concept", []) if above else roots).append(one)
            placed.append(one)
        return {**made, "concept": roots}

    def _concept(self, place: int, count: int) -> Json:
        made: Json = {"code": f"c{place}"}
        if self._chance(0.6):
            made["display"] = self.random.choice(["c1", "Heart", "heart rate", "Liver"])
        properties: list[Json] = []
        if self._chance(0.2):
            properties.append({"code": "parent", "valueCode": f"c{self.random.randrange(count)}"})
        if self._chance(0.3):
            status = self.random.choice(["active", "retired", "inactive", "draft"])
            properties.append({"code": "status", "valueCode": status})
        sizes = range(self.random.choice([0, 0, 1, 2]))
        properties += [{"code": "size", "valueInteger": self.random.randint(1, 3)} for _ in sizes]
        if self._chance(0.3):
            properties.append({"code": "kind", "valueString": self.random.choice(["a", "b", "a,b"])})
        return {**made, "property": properties} if properties else made

    def _valueset(self, number: int) -> Json:
        compose: Json = {"include": [self._rule() for _ in range(self.random.randint(1, 3))]}
        if self._chance(0.5):
            compose["exclude"] = [self._rule() for _ in range(self.random.randint(1, 2))]
        if self._chance(0.4):
            compose["inactive"] = self._chance(0.4)
        return {
            "resourceType": "ValueSet",
            "id": f"{self.base.rpartition('/')[2]}-v{number}",
            "url": f"{self.base}/v{number}",
            "status": "active",
            "compose": compose,
        }

    def _rule(self) -> Json:
        rule: Json = {}
        known = [*self.valuesets, f"{self.base}/absent"] if self._chance(0.05) else list(self.valuesets)
        if known and self._chance(0.35):
            rule["valueSet"] = self.random.sample(known, min(len(known), self.random.choice([1, 1, 2])))
        if not rule or self._chance(0.5):
            rule["system"] = self.random.choice([*self.systems] * 20 + [f"{self.base}/unknown"])
            if self._chance(0.3) and "" not in self.systems.get(rule["system"], ()):
                versions = [*self.systems.get(rule["system"], ["1"])]
                rule["version"] = self.random.choice(versions * 10 + ["9"]) or "9"
            if self._chance(0.35):
                listed = self._listed(rule["system"], rule.get("version", ""))
                rule["concept"] = [{"code": code} for code in listed]
            elif self._chance(0.75):
                system = self.codesystem(rule["system"], rule.get("version", ""))
                codes = list(system.concepts) if system and self._chance(0.95) else self._codes()
                rule["filter"] = [self._filter(codes) for _ in range(self.random.choice([1, 1, 2]))]
        return rule

    def _codes(self) -> list[str]:
        return list({f"c{self.random.randrange(14)}": None for _ in range(self.random.randint(1, 5))})

    def _listed(self, url: str, version: str) -> list[str]:
        """Return codes for a value set to list: such as their code system has, where that is complete."""
        known = self.codesystem(url, version)
        if known is None or not known.complete:
            return self._codes()
        return self.random.sample(list(known.concepts), self.random.randint(1, len(known.concepts)))

    def _filter(self, codes: list[str]) -> Json:
        if self._chance(0.45):
            code = self.random.choice(codes)
            return {"property": "concept", "op": self.random.choice(OPERATORS), "value": code}
        name = self.random.choice(
            ["code", "concept", "display", "parent", "child", "inactive", "status", "size", "kind"]
        )
        operator = self.random.choice(["=", "in", "not-in", "exists", "regex"])
        values = [*self._codes(), "1", "2", "a", "retired", "true", "Heart", "c1"]
        match operator:
            case "exists":
                value = self.random.choice(["true", "false"])
            case "regex":
                value = self.random.choice(PATTERNS)
            case "in" | "not-in":
                value = self.random.choice([",", ", "]).join(self.random.sample(values, 3))
            case _:
                value = self.random.choice(values)
        return {"property": name, "op": operator, "value": value}


@pytest.fixture
async def asker(database_url: str) -> AsyncIterator[Asker]:
    """Yield the module's database."""
    store = await _open(database_url)
    try:
        yield Asker(store)
    finally:
        await store.close()


def in_memory(resource: Json, made: Maker) -> set[Code] | str:
    """Return the codes of a value set as they are worked out in memory, or why they cannot be told."""
    try:
        return expand(resource, made)
    except IncompleteError as problem:
        return str(problem)


async def in_tables(conn: Conn, valueset: sets.Compiled) -> list[Code] | str:
    """Return the codes of a value set as the tables have them, or why they cannot be told."""
    try:
        total = await sets.total(conn, valueset)
        pages = [await sets.page(conn, valueset, offset, 3) for offset in range(0, total + 3, 3)]
    except UnknownError as problem:
        return str(problem)
    assert {counted for _, counted in pages} == {total}
    return [(entry.leaf.url, entry.code) for page, _ in pages for entry in page]


@pytest.mark.parametrize("seed", range(CASES))
async def test_value_sets_made_at_random_have_the_same_codes(asker: Asker, seed: int) -> None:
    made = Maker(seed)
    await asker.put(*made.resources)
    async with asker.store.pool.connection() as conn:
        for url, resource in made.valuesets.items():
            valueset = await sets.compiled(conn, resource)
            expected, found = in_memory(resource, made), await in_tables(conn, valueset)
            if isinstance(expected, str) or isinstance(found, str):
                active = any(one["compose"].get("inactive") is False for one in made.valuesets.values())
                assert isinstance(expected, str), (url, expected, found)
                assert isinstance(found, str) or active, (url, expected, found)
            else:
                assert sorted(found) == sorted(expected), url
            await _one_by_one(conn, made, expected, valueset)


async def _one_by_one(conn: Conn, made: Maker, expected: set[Code] | str, valueset: sets.Compiled) -> None:
    """Hold the answers on single codes against all codes, where these are known."""
    if isinstance(expected, str):
        return
    codes = [*(f"c{place}" for place in range(14)), "nothing"]
    for url in (*made.systems, f"{made.base}/unknown"):
        found = await sets.contains(conn, valueset, codes, url)
        assert {code for code in codes if found[code].member} == {
            code for system, code in expected if system == url
        }
    anywhere = await sets.contains(conn, valueset, codes)
    assert {code for code in codes if anywhere[code].member} == {code for _, code in expected}
