"""Patch entries: a patch travels in a Binary (JSON Patch, XML Patch) or is a Parameters (FHIRPath Patch)."""

from __future__ import annotations

import base64
import binascii

from fhir_server.bundle.entries import Entry
from fhir_server.exchange import Request
from resources.outcome import FhirError


def patch_request(entry: Entry, outer: Request) -> Request:
    """Return the entry as a request; a PATCH as HTTP would have brought it.

    Errors: 400 for a Binary without content type or with data that is not base64
    Source: http://hl7.org/fhir/R4/http.html#transaction ("PATCH … as a Binary resource")
    """
    resource = entry.resource or {}
    if entry.method != "PATCH" or resource.get("resourceType") != "Binary":
        return entry.request(outer)
    kind = resource.get("contentType")
    try:
        data = base64.b64decode(resource.get("data", ""), validate=True)
    except (binascii.Error, TypeError, ValueError):
        raise FhirError(400, "value", "Binary.data is not base64", f"{entry.where}.resource.data") from None
    if not isinstance(kind, str):
        raise FhirError(
            400, "required", "A patch in a Binary needs its contentType", f"{entry.where}.resource"
        )
    return Request(
        "PATCH", entry.path, entry.query, entry.headers | {"content-type": kind}, data, outer.base, outer.id
    )
