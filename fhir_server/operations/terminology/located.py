"""What a call is about: a code system, a value set or a concept map, named, sent along, or the instance of the path.

Source: http://hl7.org/fhir/R4/terminology-service.html
"""

from __future__ import annotations

import asyncio
from typing import Any

from fhir_server.access import seen
from fhir_server.concepts import catalog, implicit
from fhir_server.concepts.model import Conn, System
from fhir_server.concepts.stored import by_canonical
from fhir_server.exchange import Request
from fhir_server.operations.parameters import Call
from fhir_server.operations.terminology.answers import not_loaded
from fhir_server.operations.terminology.asked import structure
from fhir_server.routing import route
from fhir_server.storage import read
from resources.codec.json import parse_json
from resources.definitions.structures import published_structure
from resources.outcome import FhirError

Json = dict[str, Any]

LARGE = 1_000_000
"""Bytes of JSON from which on a resource is read beside the event loop."""


async def instance(conn: Conn, request: Request) -> Json | None:
    """Return the resource that the path names, None where it names none.

    Errors: 404, 410
    """
    place = route(request.method, request.path)
    if not place.id:
        return None
    row = read.there(await seen.current(conn, place.type, place.id), f"{place.type}/{place.id}")
    text = row.json()
    found: Json = await asyncio.to_thread(parse_json, text) if len(text) > LARGE else parse_json(text)
    return found


async def canonical_of_instance(conn: Conn, request: Request) -> tuple[str, str] | None:
    """Return url and version of the resource that the path names, None where it names none.

    Errors: 404, 410; 422 where it has no url
    """
    found = await instance(conn, request)
    if found is None:
        return None
    if "url" not in found:
        raise FhirError(422, "required", f"{request.path.rpartition('/')[0]} has no url", "url")
    return str(found["url"]), str(found.get("version", ""))


async def system_of(conn: Conn, url: str, version: str = "") -> System:
    """Return a code system; raises FhirError 404 where it is not loaded."""
    found = await catalog.system(conn, url, version)
    if found is None:
        raise not_loaded(f"the code system {url}{'|' + version if version else ''} is not loaded here")
    return found


async def valueset_of(conn: Conn, call: Call, request: Request) -> Json:
    """Return the value set that a call is about: its instance, `valueSet`, `url` or `context`.

    Errors: 400 where it names none or more than one, 404 where it is not here, 410
    """
    own = await instance(conn, request)
    given = [name for name in ("url", "valueSet", "context") if call.all(name)]
    version = call.text("valueSetVersion") or ""
    if own is not None and not given:
        return _of_version(own, version)
    if len(given) != 1 or own is not None:
        text = f"{call.operation} takes one of 'url', 'valueSet' and 'context', and none on an instance"
        raise FhirError(400, "invalid" if given else "required", text, *given)
    sent = structure(call, "valueSet", "ValueSet")
    if sent is not None:
        return _of_version(sent, version)
    url = call.text("url")
    if url is None:
        url = await _bound(conn, call)
    return await valueset(conn, url, version)


def _of_version(found: Json, version: str) -> Json:
    """Return a value set that is at hand; raises FhirError 404 where it is of another version."""
    if version not in ("", found.get("version", "")):
        raise not_loaded(f"the value set is of version '{found.get('version', '')}', not '{version}'")
    return found


async def valueset(conn: Conn, url: str, version: str = "") -> Json:
    """Return the value set of a url (or url|version).

    Errors: 404 where it is not here, 400 where it names another version than `version`
    """
    canonical = url if not version or url.endswith(f"|{version}") else f"{url}|{version}"
    if canonical != url and "|" in url:
        text = f"'{url[:200]}' and '{version[:100]}' name two versions of a value set"
        raise FhirError(400, "invalid", text, "valueSetVersion")
    found = await catalog.valueset(conn, canonical) or await implicit.valueset(conn, canonical)
    if found is None:
        raise not_loaded(f"the value set {canonical} is not loaded here")
    return found


async def _bound(conn: Conn, call: Call) -> str:
    """Return the value set that `context` is bound to: `url of a StructureDefinition#path of an element`.

    Errors: 400 not-supported for another form, 404 where the structure is not here, 422 where nothing is bound
    """
    context = call.text("context") or ""
    url, _, path = context.partition("#")
    if not path:
        text = "A 'context' is the url of a StructureDefinition, '#' and the path of an element"
        raise FhirError(400, "not-supported", text, "context")
    direction = call.text("contextDirection")
    if direction not in (None, "incoming", "outgoing"):
        raise FhirError(400, "value", "'contextDirection' is incoming or outgoing", "contextDirection")
    stored = await by_canonical(conn, "StructureDefinition", [url])
    definition = stored.get(url) or published_structure(url)
    if definition is None:
        raise not_loaded(f"the StructureDefinition {url} is not loaded here")
    wanted = path if "." in path else f"{definition.get('type', '')}.{path}"
    elements = [
        element
        for view in ("differential", "snapshot")
        for element in definition.get(view, {}).get("element", ())
        if wanted in (element.get("id"), element.get("path")) and "valueSet" in element.get("binding", {})
    ]
    if not elements:
        raise FhirError(422, "not-found", f"No value set is bound to '{path}' of {url}", "context")
    return str(elements[0]["binding"]["valueSet"])
