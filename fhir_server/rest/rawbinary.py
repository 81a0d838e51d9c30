"""Binary in its native form: content in and out under its own media type.

Source: http://hl7.org/fhir/R4/binary.html#rest
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode, b64encode
from typing import Any

from fhir_server.rest.negotiate import JSON, XML, MediaType, media_ranges, quality
from resources.codec.json import parse_json
from resources.codec.xml import parse_xml
from resources.outcome import FhirError

_FHIR_NAMES = (JSON, XML, "application/json+fhir", "application/xml+fhir")
_GENERIC = ("application/json", "text/json", "application/xml", "text/xml")
_MIME = re.compile(
    r"[a-z0-9!#$&^_.+\-]{1,64}/[a-z0-9!#$&^_.+\-]{1,64}(?:\s*;\s*[a-z0-9_\-]{1,32}=\"?[a-z0-9!#$&^_.+\-]{1,64}\"?){0,4}",
    re.IGNORECASE,
)
_REFERENCE = re.compile(r"[A-Za-z0-9:/._\-?=|%&#]{1,512}")

INLINE = re.compile(
    r"(?:image/(?:png|jpeg|gif|webp|bmp|tiff)|text/plain|text/csv|application/pdf|application/dicom"
    r"|(?:audio|video)/[a-z0-9.+\-]+|application/octet-stream)(?:\s*;.*)?",
    re.IGNORECASE,
)
"""Types a browser shows without running anything; all others are handed out as downloads."""


def resource_of(body: bytes, media: MediaType, header: str, security: str | None, id_: str) -> dict[str, Any]:
    """Return the Binary resource that a POST or PUT to Binary means.

    Shape:  a body that is itself a Binary in FHIR JSON or XML is taken as the resource, whatever else is content;
            `header` is the Content-Type as sent, `security` the X-Security-Context, `id` the one of the URL
    Errors: 400 value
    """
    if media.name in _FHIR_NAMES or media.name in _GENERIC:
        sent = _as_binary(body, media)
        if sent is not None:
            return sent
    resource: dict[str, Any] = {"resourceType": "Binary", "contentType": header.strip()}
    if id_:
        resource["id"] = id_
    if security is not None:
        if not _REFERENCE.fullmatch(security):
            raise FhirError(400, "value", "X-Security-Context must hold a reference such as Patient/1")
        resource["securityContext"] = {"reference": security}
    if body:
        resource["data"] = b64encode(body).decode("ascii")
    return resource


def _as_binary(body: bytes, media: MediaType) -> dict[str, Any] | None:
    """Return the resource in `body` where it is a Binary; a broken document under a FHIR type is refused."""
    try:
        parsed = parse_xml(body) if "xml" in media.name else parse_json(body)
    except FhirError:
        if media.name in _FHIR_NAMES and b"Binary" in body[:200]:
            raise
        return None
    return parsed if parsed.get("resourceType") == "Binary" else None


def wants_native(accept: str | None, formatted: bool, native: str) -> bool:
    """Whether a read of a Binary goes out as content of type `native` instead of as a resource.

    Shape:  asking for FHIR by name (or by `_format`) gives the resource; a generic JSON or XML type gives the
            content where it is of that type, else the resource; everything else gives the content
    """
    if formatted:
        return False
    if not accept:
        return True
    ranges = media_ranges(accept)
    name = native.partition(";")[0].strip().lower()
    fhir = max(quality(offered, ranges) for offered in _FHIR_NAMES)
    own = quality(name, ranges)
    if own[0] > 0:
        return own >= fhir or fhir[1] < 3
    return False


def content(resource: dict[str, Any]) -> tuple[bytes, str]:
    """Return (content, media type) of a Binary; raises FhirError 422 where its data is not base64."""
    try:
        data = b64decode(resource.get("data", ""), validate=False)
    except (binascii.Error, ValueError, TypeError):
        raise FhirError(422, "structure", "Binary.data is not base64", "Binary.data") from None
    return data, native_type(resource)


def native_type(resource: dict[str, Any]) -> str:
    """Return the media type of a Binary as it may stand in a header."""
    name = resource.get("contentType")
    return name if isinstance(name, str) and _MIME.fullmatch(name) else "application/octet-stream"


def guard_headers(resource: dict[str, Any], mime: str) -> dict[str, str]:
    """Return the headers that keep a browser from running what a client once stored."""
    headers = {"Content-Security-Policy": "default-src 'none'; sandbox"}
    if not INLINE.fullmatch(mime):
        headers["Content-Disposition"] = "attachment"
    return headers | security_context(resource)


def security_context(resource: dict[str, Any]) -> dict[str, str]:
    """Return the X-Security-Context header of a Binary that has one."""
    reference = resource.get("securityContext", {}).get("reference", "")
    return {"X-Security-Context": reference} if _REFERENCE.fullmatch(reference) else {}
