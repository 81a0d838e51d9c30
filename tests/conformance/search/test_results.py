"""What comes back with the matches, and in which order: `_sort`, pages, `_include`, `_revinclude`, compartments.

Source: http://hl7.org/fhir/R4/search.html#return, http://hl7.org/fhir/R4/compartmentdefinition.html
"""

from __future__ import annotations

import os
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conformance.search.data import world
from tests.conformance.search.server import Server, keys
from tests.conformance.search.strategies import Pair, clear, links, pool, weighted
from tests.oracle import codes, dates, numbers
from tests.oracle.definitions import compartment, parameters
from tests.oracle.search import World
from tests.oracle.text import folded

WANTED = int(os.environ.get("HEALTHBUDDY_ORACLE_SEARCHES", "0"))

relentless = settings(
    max_examples=WANTED or 400,
    derandomize=not WANTED,
    database=None,
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)
SORTED = ("date", "string", "number")
"""Types of parameters whose order R4 leaves no doubt of."""

Sorting = tuple[str, list[Pair], list[str], int]
Including = tuple[str, list[Pair], list[tuple[str, str]]]


@st.composite
def sortings(draw: Any) -> Sorting:
    """Return a strategy of searches with sort keys and a page size."""
    type_name = draw(st.sampled_from(weighted()))
    known = ["_id", *(code for code in sorted(pool(type_name)) if parameters(type_name)[code].kind in SORTED)]
    chosen = draw(st.lists(st.sampled_from(known), min_size=1, max_size=2, unique=True))
    sort = [draw(st.sampled_from(("", "-"))) + code for code in chosen]
    pairs = [clear(draw, type_name, 1)] if draw(st.booleans()) else []
    return type_name, pairs, sort, draw(st.sampled_from((7, 50, 1000)))


def place(oracle: World, key: str, sort: str) -> tuple[bool, Any]:
    """Return (missing, value) of a resource under one ascending sort key; a period counts by its start."""
    type_name, _, id_ = key.partition("/")
    descending, code = sort.startswith("-"), sort.removeprefix("-")
    if code == "_id":
        return False, id_
    kind = parameters(type_name)[code].kind
    found: list[Any] = []
    for value in oracle.values(key, parameters(type_name)[code]):
        if kind == "date":
            found += [begin for begin, _ in dates.spans(value)]
        elif kind == "string":
            found += [folded(one) for one in codes.strings(value)]
        else:
            found += [one.low for one in numbers.amounts(value)]
    return not found, (max(found) if descending else min(found)) if found else None


def in_order(oracle: World, first: str, second: str, sort: list[str]) -> bool:
    """Whether one resource may come before another; rows without a value come last in both directions."""
    for one in sort:
        here, there = place(oracle, first, one), place(oracle, second, one)
        if here[0] != there[0]:
            return there[0]
        if here[1] != there[1]:
            return bool(here[1] > there[1]) == one.startswith("-")
    return True


@pytest.mark.timeout(3_600 if WANTED else 300)
@relentless
@given(sortings())
def test_pages_are_complete_and_in_order(server: Server, oracle: World, sorting: Sorting) -> None:
    type_name, pairs, sort, count = sorting
    asked = [*pairs, ("_sort", ",".join(sort)), ("_count", str(count)), ("_elements", "id")]
    found = server.matches(type_name, asked)
    assert sorted(found) == sorted(oracle.search(type_name, pairs)), sorting
    for first, second in pairwise(found):
        assert in_order(oracle, first, second, sort), (sorting, first, second)


@st.composite
def includings(draw: Any) -> Including:
    """Return a strategy of searches that bring others along."""
    type_name = draw(st.sampled_from([name for name in weighted() if links(name)]))
    pairs = [clear(draw, type_name, 0)] if draw(st.booleans()) else []
    wanted: list[tuple[str, str]] = []
    for _ in range(draw(st.integers(1, 3))):
        if draw(st.booleans()):
            code, target = draw(st.sampled_from(links(type_name)))
            code = draw(st.sampled_from((code, code, "*")))
            wanted.append(("_include", f"{type_name}:{code}" + draw(st.sampled_from(("", f":{target}")))))
        else:
            source = draw(st.sampled_from([name for name in world().types() if links(name)]))
            code = draw(st.sampled_from([code for code, _ in links(source)]))
            wanted.append(("_revinclude", f"{source}:{code}" + draw(st.sampled_from(("", f":{type_name}")))))
    return type_name, pairs, wanted


@pytest.mark.timeout(3_600 if WANTED else 300)
@relentless
@given(includings())
def test_includes_are_what_is_referred_to_and_what_refers(
    server: Server, oracle: World, including: Including
) -> None:
    type_name, pairs, wanted = including
    matches = oracle.search(type_name, pairs)
    expected: set[str] = set()
    for name, text in wanted:
        follow = oracle.included if name == "_include" else oracle.referring
        expected |= follow(matches, *text.split(":"))
    page = server.bundle(type_name, [*pairs, *wanted, ("_count", "1000")])
    assert sorted(keys(page)) == sorted(matches), including
    assert sorted(keys(page, "include")) == sorted(expected), including


Several = tuple[list[str], list[Pair]]


@st.composite
def severals(draw: Any) -> Several:
    """Return a strategy of searches of several types at once, by a parameter that all of them have."""
    first = draw(st.sampled_from(weighted()))
    name, text = clear(draw, first, 0)
    code = name.partition(":")[0]
    kind = parameters(first)[code].kind
    others = [
        other
        for other in world().types()
        if code in parameters(other) and parameters(other)[code].kind == kind and kind != "composite"
    ]
    chosen = draw(st.lists(st.sampled_from(others or [first]), max_size=3, unique=True))
    return list(dict.fromkeys([first, *chosen])), [(name, text)]


def refers_elsewhere(types: list[str], name: str) -> bool:
    """Whether a modifier names a type that the parameter of some type cannot refer to."""
    code, _, modifier = name.partition(":")
    return any(modifier[:1].isupper() and modifier not in parameters(one)[code].targets for one in types)


@pytest.mark.timeout(3_600 if WANTED else 300)
@relentless
@given(severals())
def test_several_types_are_searched_at_once(server: Server, oracle: World, several: Several) -> None:
    types, pairs = several
    answer = server.get("", [("_type", ",".join(types)), *pairs, ("_count", "1000"), ("_total", "accurate")])
    if answer.status_code == 400 and len(types) > 1:
        assert (
            any(oracle.ambiguous(one, *pairs[0]) for one in types)
            or any(server.get(one, pairs).status_code == 400 for one in types)
            or refers_elsewhere(types, pairs[0][0])
        )
        return
    expected = {key for one in types for key in oracle.search(one, pairs)}
    assert answer.status_code == 200, (several, answer.text[:500])
    assert sorted(keys(answer.json())) == sorted(expected), several
    assert answer.json()["total"] == len(expected), several


@pytest.mark.parametrize("name", ["Patient", "Encounter", "Practitioner", "RelatedPerson", "Device"])
def test_compartments_hold_what_their_definition_says(server: Server, oracle: World, name: str) -> None:
    chosen = sorted(oracle.keys(name))[::9] or sorted(oracle.keys(name))
    everything = [kind for kind in oracle.types() if kind in compartment(name) or kind == name]
    held = 0
    for key in chosen:
        id_ = key.partition("/")[2]
        expected = {kind: oracle.compartment(name, id_, kind) for kind in everything}
        for kind in [kind for kind in everything if expected[kind]] or everything[:1]:
            found = server.matches(f"{name}/{id_}/{kind}", [("_count", "1000"), ("_elements", "id")])
            assert sorted(found) == sorted(expected[kind]), (key, kind)
            held += len(found)
        whole = server.matches(f"{name}/{id_}/*", [("_count", "1000"), ("_elements", "id")])
        assert sorted(whole) == sorted(set().union(*expected.values())), key
    assert held > 0
