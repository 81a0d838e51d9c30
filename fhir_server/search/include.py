"""`_include` and `_revinclude`: what the matches of a page refer to, and what refers to them.

Source: http://hl7.org/fhir/R4/search.html#revinclude
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from psycopg import AsyncConnection, AsyncRawCursor

from fhir_server.search import plan
from fhir_server.search.query import Include
from fhir_server.search.registry import Param, Part, registry
from fhir_server.search.sql import Sql
from fhir_server.storage.rows import Row, type_number
from resources.definitions import definitions
from resources.outcome import FhirError

MAX_INCLUDED = 10_000
"""The most resources that one page may bring along; more is refused, not cut."""


def parse(type_name: str, name: str, modifier: str, value: str) -> Include:
    """Return the reading of one `_include` or `_revinclude` of a search of `type_name`.

    Errors: 400 not-supported (`:iterate`), invalid
    """
    if modifier:
        raise FhirError(400, "not-supported", f"'{name}:{modifier[:50]}' is not supported yet")
    parts = value.split(":")
    if len(parts) not in (2, 3) or not all(parts):
        raise FhirError(
            400,
            "invalid",
            f"'{value[:100]}' is not of the form Type:parameter or Type:parameter:Target ({name})",
        )
    source, code, target = (*parts, "")[:3]
    for named in (source, target):
        if named and not definitions().is_resource(named):
            raise FhirError(400, "invalid", f"'{named[:100]}' in {name}={value[:100]} is not a resource type")
    reverse = name == "_revinclude"
    if not reverse and source != type_name:
        raise FhirError(
            400, "invalid", f"{name}={value[:100]} starts from {source}, but this is a search of {type_name}"
        )
    return Include(_params(source, code, name), target, reverse)


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


async def fetch(
    conn: AsyncConnection[Any], type_name: str, includes: Sequence[Include], rows: Sequence[Row], columns: str
) -> list[Row]:
    """Return the live resources that `includes` bring along with the matches `rows`, each once, no match again.

    Errors: 400 too-costly beyond MAX_INCLUDED
    """
    if not includes or not rows:
        return []
    sql = Sql()
    matches = sql.bigs([row.rid for row in rows])
    found = [clause for one in includes for clause in _clauses(type_name, one, matches)]
    if not found:
        return []
    seen = " AND ".join(part for part in (plan.visible("", "r"),) if part)
    text = (
        f"SELECT {columns} FROM resource r WHERE r.rid = ANY(ARRAY({' UNION '.join(found)})) AND {plan.LIVE}"
        f" AND r.rid <> ALL({matches}){' AND ' + seen if seen else ''} ORDER BY r.rid LIMIT {MAX_INCLUDED + 1}"
    )
    cursor = AsyncRawCursor(conn)
    await cursor.execute(text, sql.args, binary=True)
    included = [Row(*row) for row in await cursor.fetchall()]
    if len(included) > MAX_INCLUDED:
        text = f"The includes of one page are more than {MAX_INCLUDED} resources; ask for a smaller _count"
        raise FhirError(400, "too-costly", text)
    return included


def _clauses(type_name: str, one: Include, matches: str) -> list[str]:
    """Return the statements that list the rows of one include."""
    listed = []
    for param in one.params:
        for part in param.parts:
            if one.reverse:
                listed += _referring(type_name, param, part, one.target, matches)
            else:
                listed += _referred(part, one.target, matches)
    return listed


def _referred(part: Part, target: str, matches: str) -> list[str]:
    wanted = {part.resolves, target} - {""}
    if len(wanted) > 1:
        return []
    listed = []
    if part.patient and wanted <= {"Patient"}:
        listed.append(f"SELECT m.pid FROM resource m WHERE m.rid = ANY({matches}) AND m.pid IS NOT NULL")
    if not (part.patient and wanted == {"Patient"}):
        typed = f" JOIN resource t ON t.rid = e.dst AND t.type = {type_number(min(wanted))}" if wanted else ""
        listed.append(f"SELECT e.dst FROM edge e{typed} WHERE e.src = ANY({matches}) AND e.param = {part.id}")
    return listed


def _referring(type_name: str, param: Param, part: Part, target: str, matches: str) -> list[str]:
    if target not in ("", type_name) or part.resolves not in ("", type_name):
        return []
    if part.patient and type_name == "Patient":
        number = type_number(param.type)
        return [f"SELECT m.rid FROM resource m WHERE m.pid = ANY({matches}) AND m.type = {number} AND m.live"]
    return [f"SELECT e.src FROM edge e WHERE e.dst = ANY({matches}) AND e.param = {part.id}"]
