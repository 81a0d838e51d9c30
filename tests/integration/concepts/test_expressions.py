"""SNOMED CT's expressions over the tables hold the same concepts as worked out in memory; the content is invented.

Source: http://snomed.org/ecl; http://hl7.org/fhir/R4/snomedct.html#implicit
"""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from functools import cached_property
from urllib.parse import quote

import pytest

from fhir_server.concepts import catalog, check, implicit, load, sets
from fhir_server.concepts.model import Conn, UnknownError
from resources.outcome import FhirError
from resources.validate.asks import Coded
from terminology.ecl import (
    Anything,
    Attribute,
    Code,
    Conditions,
    Expression,
    Joined,
    Members,
    Refined,
    Refinement,
    Related,
    parse,
)
from terminology.records import ConceptRecord, PropertyValue, SystemHeader
from tests.integration.search.conftest import Asker, _open

SNOMED = "http://snomed.info/sct"
VERSION = f"{SNOMED}/1/version/20260101"
ROOT, SITES, HEART, VALVE, LUNG = "100000", "100010", "100011", "100012", "100013"
ILLS, HEART_ILL, VALVE_ILL, LUNG_ILL, OLD_ILL = "100020", "100021", "100022", "100023", "100024"
NAMES, SITE, LATE_SITE, SEVERITY, MILD = "100030", "100031", "100032", "100033", "100040"
REFSET, OTHER_REFSET = "100050", "100051"


def concept(
    code: str, *parents: str, active: bool = True, refsets: tuple[str, ...] = (), **values: str
) -> ConceptRecord:
    """Return a concept with attributes (`_code=value`) and its reference sets."""
    attributes = tuple(PropertyValue(name[1:], "code", value) for name, value in values.items())
    properties = attributes + tuple(PropertyValue("refset", "code", each) for each in refsets)
    return ConceptRecord(code, f"term {code}", parents=parents, active=active, properties=properties)


CONCEPTS = [
    concept(ROOT),
    concept(SITES, ROOT),
    concept(HEART, SITES, refsets=(REFSET,)),
    concept(VALVE, HEART),
    concept(LUNG, SITES),
    concept(ILLS, ROOT),
    concept(HEART_ILL, ILLS, _100031=HEART, refsets=(REFSET, OTHER_REFSET)),
    concept(VALVE_ILL, HEART_ILL, _100031=VALVE, _100033=MILD),
    concept(LUNG_ILL, ILLS, _100032=LUNG, refsets=(OTHER_REFSET,)),
    concept(OLD_ILL, ILLS, active=False, _100031=HEART),
    concept(NAMES, ROOT),
    concept(SITE, NAMES),
    concept(LATE_SITE, SITE),
    concept(SEVERITY, NAMES),
    concept(MILD, ROOT),
    concept(REFSET, ROOT),
    concept(OTHER_REFSET, ROOT),
]


class Oracle:
    """The meaning of expressions, worked out with sets."""

    def __init__(self) -> None:
        self.records = {each.code: each for each in CONCEPTS}

    @cached_property
    def above(self) -> dict[str, set[str]]:
        """All ancestors of each concept."""

        def climb(code: str) -> set[str]:
            direct = set(self.records[code].parents)
            return direct.union(*(climb(each) for each in direct))

        return {code: climb(code) for code in self.records}

    def found(self, tree: Expression) -> set[str]:
        """Return the concepts of an expression, inactive ones included."""
        match tree:
            case Anything():
                return set(self.records)
            case Code(code):
                return {code}
            case Related(operator, of):
                return self._related(operator, self.found(of))
            case Members(of):
                wanted = self.found(of)
                return self._having(lambda each: each.name == "refset" and each.value in wanted)
            case Joined("AND", parts):
                return set.intersection(*(self.found(part) for part in parts))
            case Joined("OR", parts):
                return set().union(*(self.found(part) for part in parts))
            case Joined(_, parts):
                return self.found(parts[0]) - self.found(parts[1])
            case Refined(focus, refinement):
                return self.found(focus) & self._refined(refinement)

    def _related(self, operator: str, of: set[str]) -> set[str]:
        links = {c: set(r.parents) for c, r in self.records.items()} if operator.endswith("!") else self.above
        if operator[0] == "<":
            found = {code for code, above in links.items() if above & of}
        else:
            found = set().union(*(links[code] for code in of))
        return found | of if operator[:2] in ("<<", ">>") else found

    def _having(self, wanted: object) -> set[str]:
        assert callable(wanted)
        return {code for code, each in self.records.items() if any(map(wanted, each.properties))}

    def _refined(self, tree: Refinement) -> set[str]:
        if isinstance(tree, Conditions):
            sets_of = [self._refined(part) for part in tree.parts]
            return set.intersection(*sets_of) if tree.by == "AND" else set().union(*sets_of)
        return self._attribute(tree)

    def _attribute(self, tree: Attribute) -> set[str]:
        names, values = self.found(tree.name), self.found(tree.value)
        return self._having(lambda each: each.name in names and (each.value in values) is tree.equal)


@pytest.fixture
async def conn(database_url: str) -> AsyncIterator[Conn]:
    """Yield a connection to a database with the concepts."""
    store = await _open(database_url)
    try:
        async with Asker(store).store.pool.connection() as opened:
            if await catalog.system(opened, SNOMED) is None:
                await load.load(opened, SystemHeader(SNOMED, VERSION, "Invented"), CONCEPTS)
            yield opened
    finally:
        await store.close()


async def codes_of(conn: Conn, url: str) -> list[str]:
    """Return the codes of an implicit value set."""
    valueset = await implicit.valueset(conn, url)
    assert valueset is not None
    page, _ = await sets.page(conn, await sets.compiled(conn, valueset), 0, 100)
    return sorted(entry.code for entry in page)


async def expanded(conn: Conn, expression: str) -> list[str]:
    """Return the codes of an expression."""
    return await codes_of(conn, f"{SNOMED}?fhir_vs=ecl/{quote(expression, safe='')}")


def in_memory(expression: str) -> list[str]:
    """Return the active codes of an expression as the oracle has them."""
    oracle = Oracle()
    return sorted(code for code in oracle.found(parse(expression)) if oracle.records[code].active)


EXPRESSIONS = [
    "*",
    HEART,
    f"< {SITES} |sites|",
    f"<< {SITES}",
    f"<! {SITES}",
    f"<<! {SITES}",
    f"> {VALVE}",
    f">> {VALVE}",
    f">! {VALVE}",
    f">>! {VALVE}",
    f"^ {REFSET}",
    f"^ ({REFSET} OR {OTHER_REFSET})",
    "^ *",
    f"< ^ {REFSET}",
    f"< {ILLS} MINUS ^ {OTHER_REFSET}",
    f"< {ILLS} AND ^ {REFSET}",
    f"< {ILLS} OR < {SITES}",
    f"< {ILLS}: {SITE} = {HEART}",
    f"< {ILLS}: {SITE} = << {HEART}",
    f"< {ILLS}: << {SITE} = < {SITES}",
    f"< {ILLS}: {SITE} != {HEART}",
    f"< {ILLS}: {SITE} = *, {SEVERITY} = {MILD}",
    f"< {ILLS}: {SEVERITY} = {MILD} OR {LATE_SITE} = {LUNG}",
    f"*: * = {LUNG}",
    f"(< {ILLS}: {SITE} = *) MINUS (< {HEART_ILL})",
]


@pytest.mark.parametrize("expression", EXPRESSIONS)
async def test_an_expression_has_the_concepts_that_it_means(conn: Conn, expression: str) -> None:
    assert await expanded(conn, expression) == in_memory(expression)


async def test_most_expressions_of_this_test_have_concepts() -> None:
    assert sum(1 for expression in EXPRESSIONS if in_memory(expression)) > len(EXPRESSIONS) - 3


@pytest.mark.parametrize("seed", range(40))
async def test_expressions_made_at_random_have_the_same_concepts(conn: Conn, seed: int) -> None:
    chance = random.Random(seed)
    codes = [each.code for each in CONCEPTS]

    def made(depth: int) -> str:
        kind = chance.choice(["code", "relation", "members", "joined", "refined"]) if depth else "code"
        match kind:
            case "relation":
                return f"{chance.choice(['<', '<<', '<!', '<<!', '>', '>>', '>!', '>>!'])} {focus(depth)}"
            case "members":
                return f"^ {chance.choice([REFSET, OTHER_REFSET, '*'])}"
            case "joined":
                return f"({made(depth - 1)}) {chance.choice(['AND', 'OR', 'MINUS'])} ({made(depth - 1)})"
            case "refined":
                name = chance.choice([SITE, LATE_SITE, SEVERITY, f"<< {NAMES}"])
                return f"({made(depth - 1)}): {name} {chance.choice(['=', '!='])} {focus(depth)}"
        return chance.choice([*codes, "*"])

    def focus(depth: int) -> str:
        return f"({made(depth - 1)})"

    for _ in range(5):
        expression = made(3)
        assert await expanded(conn, expression) == in_memory(expression), expression


@pytest.mark.parametrize("expression", [f"{HEART}|heart|OR{LUNG}|lung|", f"{HEART} |heart| OR {LUNG} |lung|"])
async def test_terms_in_an_expression_begin_no_version(conn: Conn, expression: str) -> None:
    url = f"{SNOMED}?fhir_vs=ecl/{expression}"
    assert await codes_of(conn, url) == [HEART, LUNG]
    (verdict,) = await check.coded(conn, [Coded(url, SNOMED, LUNG)])
    assert verdict.member
    held = {"resourceType": "ValueSet", "compose": {"include": [{"valueSet": [url]}]}}
    page, _ = await sets.page(conn, await sets.compiled(conn, held), 0, 100)
    assert [entry.code for entry in page] == [HEART, LUNG]


@pytest.mark.parametrize("query", ["", f"=isa/{HEART}", f"=refset/{REFSET}"])
async def test_the_version_of_an_implicit_value_set_is_the_code_systems(conn: Conn, query: str) -> None:
    url = f"{SNOMED}?fhir_vs{query}"
    assert await codes_of(conn, f"{url}|{VERSION}") == await codes_of(conn, url)
    other = await implicit.valueset(conn, f"{url}|{VERSION}0")
    assert other is not None
    with pytest.raises(UnknownError, match=f"{VERSION}0 is not loaded"):
        (await sets.compiled(conn, other)).require()


async def test_a_value_set_of_one_edition_is_of_no_other(conn: Conn) -> None:
    assert await codes_of(conn, f"{VERSION}?fhir_vs|{VERSION}") == await codes_of(conn, f"{SNOMED}?fhir_vs")
    assert await implicit.valueset(conn, f"{VERSION}?fhir_vs|20980101") is None


async def test_a_reference_set_is_a_value_set(conn: Conn) -> None:
    assert await codes_of(conn, f"{SNOMED}?fhir_vs=refset/{REFSET}") == [HEART, HEART_ILL]


async def test_a_concept_that_is_not_there_is_named(conn: Conn) -> None:
    with pytest.raises(UnknownError, match="999999"):
        await expanded(conn, "<< 999999")


async def test_what_is_no_expression_is_refused(conn: Conn) -> None:
    with pytest.raises(FhirError) as refused:
        await expanded(conn, "<< ")
    assert refused.value.status == 400
