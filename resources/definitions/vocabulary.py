"""R4's own code systems, value sets and concept maps, kept beside the compiled definitions and read one by one.

Source: hl7.fhir.r4.core 4.0.1; what says which codes there are and what they mean (no narrative, no extensions)
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import msgspec

from resources.definitions import cache_file
from resources.definitions.package import read_package

Json = dict[str, Any]

FORMAT = 2
"""Raised whenever the content of the file changes shape."""

_NAMED = ("url", "version", "name", "title", "status", "experimental")

_KEPT: Mapping[str, tuple[str, ...]] = {
    "CodeSystem": (
        *(*_NAMED, "content", "caseSensitive", "hierarchyMeaning", "compositional", "versionNeeded"),
        *("supplements", "valueSet", "count", "filter", "property", "concept"),
    ),
    "ValueSet": (*_NAMED, "immutable", "compose", "expansion"),
    "ConceptMap": (*(*_NAMED, "sourceUri", "sourceCanonical", "targetUri", "targetCanonical", "group"),),
}
_DROPPED = frozenset({"extension"})


def vocabulary_file() -> Path:
    """Return where the file lies: beside the compiled definitions."""
    compiled = cache_file()
    return compiled.with_name(f"hl7.fhir.r4.core-4.0.1.vocabulary.{FORMAT}.msgpack")


def save_vocabulary(package: Path) -> None:
    """Write the vocabulary of the package file at `package`, whole or not at all."""
    found: dict[str, dict[str, bytes]] = {kind: {} for kind in _KEPT}
    for resource in read_package(package):
        kind = resource.get("resourceType", "")
        if kind in _KEPT and "url" in resource:
            kept = {name: resource[name] for name in ("resourceType", *_KEPT[kind]) if name in resource}
            found[kind][resource["url"]] = zlib.compress(msgspec.json.encode(_lean(kept)))
    path = vocabulary_file()
    draft = path.with_suffix(".tmp")
    draft.write_bytes(msgspec.msgpack.encode(found))
    draft.replace(path)


def _lean(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _lean(child) for key, child in value.items() if key not in _DROPPED}
    if isinstance(value, list):
        return [_lean(child) for child in value]
    return value


@cache
def _vocabulary() -> dict[str, dict[str, bytes]]:
    try:
        data = vocabulary_file().read_bytes()
    except FileNotFoundError:
        return {kind: {} for kind in _KEPT}
    return msgspec.msgpack.decode(data, type=dict[str, dict[str, bytes]])


def published(kind: str, url: str, version: str = "") -> Json | None:
    """Return R4's own CodeSystem, ValueSet or ConceptMap with that url (and version), None where there is none."""
    data = _vocabulary()[kind].get(url)
    if data is None:
        return None
    resource: Json = msgspec.json.decode(zlib.decompress(data))
    return resource if version in ("", resource.get("version", "")) else None


def published_urls(kind: str) -> Iterable[str]:
    """Return the urls of all of R4's own resources of a kind."""
    return _vocabulary()[kind].keys()
