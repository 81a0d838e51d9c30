"""What the modes of `$validate` ask beside the content: whether the server would take the write.

Source: http://hl7.org/fhir/R4/valueset-resource-validation-mode.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from psycopg import AsyncConnection

from fhir_server.access import seen
from fhir_server.changes.conditions import expect, precondition
from fhir_server.exchange import Request, Session
from fhir_server.routing import Route
from fhir_server.search import custom, plan
from fhir_server.storage import read
from fhir_server.storage.rows import Row, type_name
from resources.definitions import definitions
from resources.outcome import FhirError, Issue
from resources.validate.gate import accepts
from resources.validate.messages import issue

Json = dict[str, Any]

_REFERRING = """
WITH found AS (SELECT src FROM edge WHERE dst = %s UNION SELECT rid FROM resource WHERE pid = %s AND live)
SELECT count(*) OVER (), r.type, r.id
FROM (SELECT DISTINCT COALESCE(c.container, f.src) AS rid FROM found f LEFT JOIN contained c ON c.rid = f.src) s
JOIN resource r USING (rid) WHERE r.live AND r.rid <> %s{seen} LIMIT 1
"""
"""Who refers to a row: by an edge, or as the patient that it belongs to; what is contained speaks for its container."""


async def acceptable(
    session: Session, request: Request, place: Route, resource: Json, mode: str
) -> list[Issue]:
    """Return what stands against a create or an update beside the content itself."""
    kind = str(resource.get("resourceType"))
    if not definitions().is_resource(kind):
        return []  # that is told already
    await custom.before_writing(session, (kind,))
    issues = _custom(resource)
    if mode == "create":
        return issues
    id_ = place.id or resource.get("id")
    if not isinstance(id_, str):
        return [*issues, issue("update-id-missing", f"{kind}.id")]
    if resource.get("id") != id_:
        issues.append(
            issue("update-id-other", f"{kind}.id", found=resource.get("id", "missing"), expected=id_)
        )
    async with session.connection() as conn:
        row = await seen.current(conn, kind, id_)
    return [*issues, *_versions(request, resource, row, f"{kind}/{id_}")]


def _custom(resource: Json) -> list[Issue]:
    if not accepts(resource):
        return []  # what is wrong with its structure is told already
    try:
        custom.check(resource)
    except FhirError as error:
        return list(error.issues)
    return []


def _versions(request: Request, resource: Json, row: Row | None, what: str) -> Iterator[Issue]:
    """Yield what the current version and If-Match have against an update."""
    current = row.version if row is not None and row.live else None
    try:
        expect(precondition(request), current, what)
    except FhirError as error:
        yield from error.issues
    meta = resource.get("meta")
    found = meta.get("versionId") if isinstance(meta, dict) else None
    if current is None:
        yield issue("update-creates", "", what=what)
    elif isinstance(found, str) and found != str(current):
        kind = what.partition("/")[0]
        yield issue("update-version-other", f"{kind}.meta.versionId", found=found, current=current)


async def removable(session: Session, request: Request, place: Route) -> list[Issue]:
    """Return what stands against the deletion of a resource: If-Match, and what refers to it.

    Errors: 404 or 410 where it is not there
    """
    what = f"{place.type}/{place.id}"
    async with session.connection() as conn:
        row = read.there(await seen.current(conn, place.type, place.id), what)
        found = await _referring(conn, row)
    try:
        expect(precondition(request), row.version, what)
    except FhirError as error:
        return [*error.issues, *found]
    return found


async def _referring(conn: AsyncConnection[Any], row: Row) -> list[Issue]:
    """Return a warning where others refer to a resource: this server lets it go nonetheless."""
    seen = plan.visible("", "r")
    text = _REFERRING.format(seen=f" AND {seen}" if seen else "")
    cursor = await conn.execute(text, (row.rid, row.rid, row.rid), binary=True)
    found = await cursor.fetchone()
    if found is None:
        return []
    example = f"{type_name(found[1])}/{found[2]}"
    return [issue("delete-referenced", "", count=found[0], what=f"{row.type_name}/{row.id}", example=example)]
