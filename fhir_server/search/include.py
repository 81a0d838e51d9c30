"""`_include` and `_revinclude`: what the matches of a page refer to, and what refers to them.

Those with `:iterate` are followed from what was included, too, until nothing new comes.

Source: http://hl7.org/fhir/R4/search.html#revinclude
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from psycopg import AsyncConnection

from fhir_server.search import canonicals, plan, versions
from fhir_server.search.param import Param, Part
from fhir_server.search.query import Include
from fhir_server.search.registry import registry
from fhir_server.search.run import COLUMNS, run
from fhir_server.search.sql import Sql, of_types
from fhir_server.storage.rows import Row, type_number
from resources.definitions import definitions
from resources.outcome import FhirError

MAX_INCLUDED = 10_000
"""The most resources that one page may bring along; more is refused, not cut."""

MAX_ROUNDS = 100
"""The most references in a row that `:iterate` follows; more is refused, not cut."""


def parse(types: Sequence[str], name: str, modifier: str, value: str) -> Include:
    """Return the reading of one `_include` or `_revinclude` of a search of `types`.

    Errors: 400 not-supported (another modifier than `:iterate`), invalid
    """
    if modifier not in ("", "iterate"):
        raise FhirError(400, "not-supported", f"'{name}:{modifier[:50]}' is not supported, only ':iterate'")
    reverse, iterate = name == "_revinclude", modifier == "iterate"
    if value == "*":
        sources = tuple(definitions().resource_types) if reverse or iterate else tuple(types)
        params = tuple(param for source in sources for param in _params(source, "*", name))
        return Include(params, "", reverse, iterate)
    parts = value.split(":")
    if len(parts) not in (2, 3) or not all(parts):
        text = f"'{value[:100]}' is not of the form Type:parameter or Type:parameter:Target ({name})"
        raise FhirError(400, "invalid", text)
    source, code, target = (*parts, "")[:3]
    for named in (source, target):
        if named and not definitions().is_resource(named):
            raise FhirError(400, "invalid", f"'{named[:100]}' in {name}={value[:100]} is not a resource type")
    if not reverse and not iterate and source not in types:
        text = f"{name}={value[:100]} starts from {source}, but this is a search of {', '.join(types)}"
        raise FhirError(400, "invalid", text)
    return Include(_params(source, code, name), target, reverse, iterate)


def _params(source: str, code: str, name: str) -> tuple[Param, ...]:
    known = registry(source).params
    if code == "*":
        return tuple(param for param in known.values() if param.place == "reference" and param.stored)
    param = known.get(code)
    if param is None or param.kind != "reference" or param.place != "reference":
        raise FhirError(
            400, "invalid", f"{source} has no reference parameter '{code[:100]}' to follow ({name})"
        )
    return (param,)


async def fetch(conn: AsyncConnection[Any], includes: Sequence[Include], rows: Sequence[Row]) -> list[Row]:
    """Return the live resources that `includes` bring along with the matches `rows`, each once, no match again.

    Shape:  in order of row numbers; where a reference names an older version, that one
    Errors: 400 too-costly beyond MAX_INCLUDED or MAX_ROUNDS
    """
    seen = {row.rid for row in rows}
    included: list[Row] = []
    wanted, frontier, rounds = list(includes), list(rows), 0
    while wanted and frontier:
        rounds += 1
        found = await _hop(conn, wanted, frontier, len(seen) + MAX_INCLUDED + 1)
        frontier = [row for row in found if row.rid not in seen]
        seen.update(row.rid for row in frontier)
        included += frontier
        if len(included) > MAX_INCLUDED or rounds > MAX_ROUNDS:
            much = (
                f"{MAX_INCLUDED} resources" if rounds <= MAX_ROUNDS else f"{MAX_ROUNDS} references in a row"
            )
            text = f"The includes of one page are more than {much}; ask for a smaller _count"
            raise FhirError(400, "too-costly", text)
        wanted = [one for one in includes if one.iterate]
    included.sort(key=lambda row: row.rid)
    return await versions.specified(conn, includes, [*rows, *included], included)


async def _hop(
    conn: AsyncConnection[Any], includes: Sequence[Include], rows: Sequence[Row], limit: int
) -> list[Row]:
    """Return what lies one reference away from `rows`, these themselves left out."""
    hop = _Hop(Sql(), rows)
    for one in includes:
        hop.add(one)
    clauses = hop.clauses()
    others = await canonicals.neighbours(conn, includes, rows)
    if others:
        clauses.append(f"SELECT unnest({hop.sql.bigs(others)})")
    if not clauses:
        return []
    seen = plan.visible("", "r", hop.sql)
    text = (
        f"SELECT {COLUMNS} FROM resource r WHERE r.rid = ANY(ARRAY({' UNION '.join(clauses)})) AND {plan.LIVE}"
        f" AND r.rid <> ALL({hop.of(None)}){' AND ' + seen if seen else ''} ORDER BY r.rid LIMIT {limit}"
    )
    return [Row(*found) for found in await run(conn, text, hop.sql.args)]


class _Hop:
    """The statements that list what lies one reference away from some rows."""

    def __init__(self, sql: Sql, rows: Sequence[Row]) -> None:
        self.sql = sql
        self.rows = rows
        self.types = {row.type_name for row in rows}
        self._places: dict[str | None, str] = {}
        self._out: defaultdict[tuple[str, str], set[int]] = defaultdict(set)
        self._in: defaultdict[str, set[int]] = defaultdict(set)
        self._patients: set[str] = set()
        self._carriers: set[str] = set()

    def add(self, one: Include) -> None:
        """Follow one include where it starts from any of the rows."""
        for param in one.params:
            for part in param.parts:
                if one.reverse:
                    self._to(param, part, one.target)
                elif param.type in self.types:
                    self._from(param, part, one.target)

    def _from(self, param: Param, part: Part, target: str) -> None:
        wanted = {part.resolves, target} - {""}
        if len(wanted) > 1:
            return
        if part.patient and wanted <= {"Patient"}:
            self._patients.add(param.type)
        if not (part.patient and wanted == {"Patient"}):
            self._out[param.type, min(wanted, default="")].add(part.id)

    def _to(self, param: Param, part: Part, target: str) -> None:
        wanted = {part.resolves, target} - {""}
        if len(wanted) > 1 or not wanted <= self.types:
            return
        if part.patient and wanted <= {"Patient"} and "Patient" in self.types:
            self._carriers.add(param.type)
        if not (part.patient and (wanted or self.types) == {"Patient"}):
            self._in[min(wanted, default="")].add(part.id)

    def of(self, type_name: str | None) -> str:
        """Return the place of the numbers of the rows of a type, of all of them for None."""
        key = None if self.types == {type_name} else type_name
        if key not in self._places:
            numbers = [row.rid for row in self.rows if key is None or row.type_name == key]
            self._places[key] = self.sql.bigs(numbers)
        return self._places[key]

    def clauses(self) -> list[str]:
        """Return the statements."""
        listed = [
            f"SELECT m.pid FROM resource m WHERE m.rid = ANY({self.of(name)}) AND m.pid IS NOT NULL"
            for name in sorted(self._patients)
        ]
        if self._patients and any(row.tail is None for row in self.rows):  # contained resources
            listed.append(f"SELECT m.pid FROM contained m WHERE m.rid = ANY({self.of(None)})")
        for (source, target), ids in sorted(self._out.items()):
            typed = f" JOIN resource t ON t.rid = e.dst AND t.type = {type_number(target)}" if target else ""
            of = self.of(source)
            listed.append(
                f"SELECT e.dst FROM edge e{typed} WHERE e.src = ANY({of}) AND {_in('e.param', ids)}"
            )
        if self._carriers:
            types = of_types("m", sorted(self._carriers))
            listed.append(
                f"SELECT m.rid FROM resource m WHERE m.pid = ANY({self.of('Patient')}) AND {types} AND m.live"
            )
        for target, ids in sorted(self._in.items()):
            of = self.of(target or None)
            listed.append(f"SELECT e.src FROM edge e WHERE e.dst = ANY({of}) AND {_in('e.param', ids)}")
        return listed


def _in(column: str, ids: Iterable[int]) -> str:
    listed = [str(one) for one in sorted(ids)]
    return f"{column} = {listed[0]}" if len(listed) == 1 else f"{column} IN ({', '.join(listed)})"
