"""What a value of a data type says of itself: identifiers, addresses, attachments, profiles claimed.

Source: http://hl7.org/fhir/R4/datatypes.html (Identifier, Attachment, uri, oid, uuid), http://hl7.org/fhir/R4/resource.html#Meta
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from typing import Any

from resources.validate.primitives import PRIMITIVES, holds
from resources.validate.rules.hooks import Run

Json = dict[str, Any]

_URN_IDS = "urn:ietf:rfc:3986"
_UUID = re.compile(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)


def check_identifier(run: Run, value: Json, path: str) -> None:
    """Say where an Identifier's system is no absolute URI, or its value none although the system wants one.

    Source: http://hl7.org/fhir/R4/datatypes.html#identifier
    """
    system, text = value.get("system"), value.get("value")
    if type(system) is not str:
        return
    if ":" not in system:
        run.say("identifier-system-relative", f"{path}.system", value=system)
    elif system == _URN_IDS and type(text) is str and ":" not in text:
        run.say("identifier-urn-value", f"{path}.value", value=text)


def check_uri(run: Run, value: str, path: str) -> None:
    """Say where a uri is meant as OID or UUID and is none."""
    lowered = value[:9].lower()
    if lowered.startswith("urn:oid:") and not holds(PRIMITIVES["oid"].check, value):
        run.say("uri-oid-malformed", path, value=value)
    elif lowered == "urn:uuid:" and not _UUID.fullmatch(value):
        run.say("uri-uuid-malformed", path, value=value)


def check_attachment(run: Run, value: Json, path: str) -> None:
    """Say where an Attachment's size or hash is not that of its data, or where there is nothing to show."""
    data, size, digest = value.get("data"), value.get("size"), value.get("hash")
    if type(data) is not str:
        if not value.keys() & {"_data", "data", "url", "_url", "title", "extension"}:
            run.say("attachment-empty", path)
        return
    if size is None and digest is None:
        return
    content = _decoded(data)
    if content is None:
        return
    if type(size) is int and size != len(content):
        run.say("attachment-size", f"{path}.size", actual=len(content), size=size)
    if type(digest) is str and _decoded(digest) != hashlib.sha1(content, usedforsecurity=False).digest():
        run.say("attachment-hash", f"{path}.hash")


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=False)
    except binascii.Error:
        return None


def check_meta(run: Run, value: Json, path: str) -> None:
    """Say where a profile that is claimed is no absolute URL."""
    profiles = value.get("profile")
    for index, profile in enumerate(profiles if type(profiles) is list else ()):
        if type(profile) is str and ":" not in profile:
            run.say("meta-profile-relative", f"{path}.profile[{index}]", value=profile)
