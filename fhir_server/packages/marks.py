"""How a resource says which packages brought it: a tag for each, with the digest of what was installed.

The tag is `urn:health-buddy:fhir:package|name@version`; its extension holds the digest, by which a change made
afterwards is told.
"""

from __future__ import annotations

import hashlib
from typing import Any

import msgspec

from fhir_server.version import CANONICAL

Json = dict[str, Any]

SYSTEM = f"{CANONICAL}:package"
DIGEST = f"{CANONICAL}/StructureDefinition/package-digest"


def digest(resource: Json) -> str:
    """Return the digest of a resource's content: without its id, meta and narrative."""
    content = {name: value for name, value in resource.items() if name not in ("id", "meta", "text")}
    return hashlib.sha256(msgspec.json.encode(content, order="deterministic")).hexdigest()


def tags(resource: Json) -> dict[str, str]:
    """Return the packages of a resource: {name@version: digest of what was installed}."""
    return {
        tag["code"]: next(
            (e.get("valueString", "") for e in tag.get("extension", ()) if e["url"] == DIGEST), ""
        )
        for tag in resource.get("meta", {}).get("tag", ())
        if tag.get("system") == SYSTEM and "code" in tag
    }


def marked(resource: Json, packages: dict[str, str]) -> Json:
    """Return a copy of a resource with the tags of exactly `packages`."""
    meta = dict(resource.get("meta", {}))
    others = [tag for tag in meta.get("tag", ()) if tag.get("system") != SYSTEM]
    own = [
        {"system": SYSTEM, "code": label, "extension": [{"url": DIGEST, "valueString": found}]}
        for label, found in packages.items()
    ]
    meta["tag"] = [*others, *own]
    if not meta["tag"]:
        del meta["tag"]
    return resource | {"meta": meta} if meta else {k: v for k, v in resource.items() if k != "meta"}
