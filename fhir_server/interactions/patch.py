"""patch: JSON Patch, XML Patch and FHIRPath Patch, also conditional. Source: http://hl7.org/fhir/R4/http.html#patch"""

from __future__ import annotations

from typing import Any

from fhir_server.changes import single
from fhir_server.changes.conditions import criteria, expect, if_match
from fhir_server.changes.prepare import prepare
from fhir_server.exchange import Request, Result, Session
from fhir_server.interactions.create import written
from fhir_server.storage import read as storage
from fhir_server.storage.read import Old
from fhir_server.storage.rows import PATCH
from resources.codec.json import parse_json
from resources.outcome import FhirError
from resources.patch import fhirpath_patch, json_patch, xml_patch

JSON_PATCH = "application/json-patch+json"
XML_PATCH = "application/xml-patch+xml"


async def patch(session: Session, request: Request) -> Result:
    """Return the resource as patched; 404 where there is none, 412 where If-Match does not hold."""
    type_name, _, id_ = request.path.partition("/")
    if not id_:
        condition = criteria(type_name, request.query)
        found = await condition.match(session)
        if found is None:
            raise FhirError(404, "not-found", f"Nothing matches '{condition}'")
        id_ = found[1]
    wanted = if_match(request)
    async for _ in single.attempts():
        async with session.connection() as conn:
            old = await storage.old(conn, type_name, id_)
        there = current(old, f"{type_name}/{id_}")
        expect(wanted, there.version, f"{type_name}/{id_}")
        prepared = prepare(patched(there.json(), request, type_name), id_)
        row = await single.apply(session, await single.draft(session, prepared, PATCH, there))
        if row is not None:
            return written(row, 200)
    raise AssertionError("attempts() ends by raising")


def current(old: Old | None, what: str) -> Old:
    """Return `old` where it has content; raises FhirError 404 or 410."""
    if old is None or old.version == 0:
        raise FhirError(404, "not-found", f"{what} is not known here")
    if not old.live:
        raise FhirError(410, "deleted", f"{what} was deleted")
    return old


def patched(content: bytes, request: Request, type_name: str) -> dict[str, Any]:
    """Return the resource after the patch in `request`, which may not change its type or id."""
    before = parse_json(content)
    kind = (request.header("content-type") or "").split(";")[0].strip().lower()
    if kind == JSON_PATCH:
        after = json_patch(before, request.body)
    elif kind == XML_PATCH:
        after = xml_patch(before, request.body)
    else:
        after = fhirpath_patch(before, request.resource or parse_json(request.body))
    for name in ("resourceType", "id"):
        if after.get(name) != before[name]:
            raise FhirError(422, "business-rule", f"A patch may not change {name}", f"{type_name}.{name}")
    return after
