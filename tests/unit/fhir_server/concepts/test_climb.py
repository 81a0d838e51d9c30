"""All ancestors of all concepts: each once, in order, whole or not at all.

Source: http://hl7.org/fhir/R4/codesystem.html#hierarchy
"""

from __future__ import annotations

import random

from fhir_server.concepts.climb import ALWAYS, USUAL, Climbed, Hierarchy


def rows(climbed: Climbed, hierarchy: Hierarchy) -> list[tuple[int, ...]]:
    """Return the rows of all blocks."""
    text = "".join(climbed.blocks(7, hierarchy))
    return [tuple(map(int, line.split("\t"))) for line in text.splitlines()]


def test_a_concept_with_two_ways_up_has_each_ancestor_once() -> None:
    climbed = Climbed()
    assert rows(climbed, Hierarchy(4, [(1, 0), (2, 0), (3, 1), (3, 2)])) == [
        *((7, 1, 0), (7, 2, 0), (7, 3, 0), (7, 3, 1), (7, 3, 2))
    ]
    assert climbed.whole and not climbed.circles


def test_circles_are_told_and_nothing_is_its_own_ancestor() -> None:
    climbed = Climbed()
    assert rows(climbed, Hierarchy(3, [(0, 2), (1, 0), (2, 1)])) == [
        *((7, 0, 1), (7, 0, 2), (7, 1, 0), (7, 1, 2), (7, 2, 0), (7, 2, 1))
    ]
    assert climbed.circles == [0, 1, 2]


def test_random_hierarchies_are_followed_to_the_top() -> None:
    chance = random.Random(4)
    for _ in range(50):
        size = chance.randint(1, 30)
        edges = sorted({(chance.randrange(size), chance.randrange(size)) for _ in range(size)})
        known = {(child, parent) for child, parent in edges if child != parent}
        while more := {(a, d) for a, b in known for c, d in known if b == c and a != d} - known:
            known |= more
        found = rows(Climbed(), Hierarchy(size, edges))
        assert found == [(7, child, parent) for child, parent in sorted(known)]


def test_a_hierarchy_of_too_many_ancestors_is_not_followed() -> None:
    size = 2_500
    climbed = Climbed()
    chain = Hierarchy(size, [(n, n - 1) for n in range(1, size)])
    list(climbed.blocks(7, chain))
    assert size * (size - 1) // 2 > ALWAYS + USUAL * size
    assert not climbed.whole
