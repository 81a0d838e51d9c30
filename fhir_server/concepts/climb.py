"""All ancestors of all concepts of a code system: followed upwards one concept at a time, and copied in order.

Only the edges are in memory, never the ancestors of more than one concept.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence

from fhir_server.concepts.model import Conn

BLOCK = 200_000
"""Bytes that are sent at once."""
USUAL = 200
"""Ancestors of a concept, on average, up to which a hierarchy is followed at all: SNOMED CT's have about 20."""
ALWAYS = 1_000_000
"""Pairs that any code system may have."""


class Hierarchy:
    """The parents of concepts by place: those of `n` are `above[starts[n] : starts[n + 1]]`."""

    def __init__(self, size: int, edges: Sequence[tuple[int, int]] = ()) -> None:
        self.starts = array("i", [0])
        self.above = array("i")
        self.size = size
        self.add(edges)

    def add(self, edges: Sequence[tuple[int, int]]) -> None:
        """Take (child, parent) in the order of the children, after those that were taken before."""
        for child, parent in edges:
            self._reach(child)
            self.above.append(parent)

    def _reach(self, child: int) -> None:
        while len(self.starts) <= child:
            self.starts.append(len(self.above))

    def parents(self, n: int) -> array[int]:
        """Return the places directly above one."""
        starts = self.starts
        if n >= len(starts):
            return array("i")
        return self.above[starts[n] : starts[n + 1] if n + 1 < len(starts) else len(self.above)]

    def ancestors(self, n: int) -> set[int]:
        """Return all places above one; it is among them where the hierarchy goes in a circle."""
        found: set[int] = set()
        waiting = self.parents(n)
        while waiting:
            place = waiting.pop()
            if place not in found:
                found.add(place)
                waiting.extend(self.parents(place))
        return found


class Climbed:
    """What came of it: `circles` are the concepts above themselves, `whole` whether all ancestors are there."""

    def __init__(self) -> None:
        self.circles: list[int] = []
        self.whole = True

    def blocks(self, system: int, hierarchy: Hierarchy) -> Iterator[str]:
        """Yield the rows of `concept_ancestor` as COPY reads them; ends early where there are too many."""
        left = ALWAYS + USUAL * hierarchy.size
        rows: list[str] = []
        for n in range(len(hierarchy.starts)):
            above = hierarchy.ancestors(n)
            if n in above:
                above.remove(n)
                self.circles.append(n)
            left -= len(above)
            if left < 0:
                self.whole = False
                return
            rows += [f"{system}\t{n}\t{one}\n" for one in sorted(above)]
            if len(rows) * 16 > BLOCK:
                yield "".join(rows)
                rows = []
        yield "".join(rows)


async def climb(conn: Conn, system: int, size: int) -> Climbed:
    """Write the ancestors of all concepts of a code system of `size` concepts, none where they are too many."""
    hierarchy = await _hierarchy(conn, system, size)
    climbed = Climbed()
    statement = "COPY concept_ancestor (system, descendant, ancestor) FROM STDIN"
    async with conn.cursor() as cursor, cursor.copy(statement) as sink:
        for block in climbed.blocks(system, hierarchy):
            await sink.write(block)
    if not climbed.whole:
        await conn.execute("DELETE FROM concept_ancestor WHERE system = %s", (system,))
    return climbed


async def _hierarchy(conn: Conn, system: int, size: int) -> Hierarchy:
    hierarchy = Hierarchy(size)
    after = -1
    while True:
        cursor = await conn.execute(
            "SELECT child, parent FROM concept_parent WHERE system = %s AND child > %s AND child <= %s"
            " ORDER BY child, parent",
            (system, after, after + _CHILDREN),
        )
        hierarchy.add(await cursor.fetchall())
        after += _CHILDREN
        if after >= size:
            return hierarchy


_CHILDREN = 20_000
"""Concepts whose parents are read at once."""
