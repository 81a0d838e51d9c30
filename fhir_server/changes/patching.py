"""A patch applied to the stored version."""

from __future__ import annotations

import asyncio
from typing import Any

from fhir_server.exchange import Request
from resources.codec.json import parse_json
from resources.outcome import FhirError
from resources.patch import fhirpath_patch, json_patch, xml_patch

JSON_PATCH = "application/json-patch+json"
XML_PATCH = "application/xml-patch+xml"
AT_ONCE_BYTES = 64 * 1024
"""Larger resources are patched in a thread, so that others are answered meanwhile."""


async def patched(content: bytes, request: Request, type_name: str) -> dict[str, Any]:
    """Return the resource after the patch in `request`, which may not change its type or id.

    Errors: as the patch says; 422 for one that changes type or id
    """
    if len(content) + len(request.body) <= AT_ONCE_BYTES:
        return _patched(content, request, type_name)
    return await asyncio.to_thread(_patched, content, request, type_name)


def _patched(content: bytes, request: Request, type_name: str) -> dict[str, Any]:
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
