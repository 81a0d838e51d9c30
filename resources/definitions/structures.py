"""R4's own StructureDefinitions, whole, kept beside the compiled definitions and read one by one when asked for.

Source: hl7.fhir.r4.core 4.0.1
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import msgspec

from resources.definitions import cache_file
from resources.definitions.package import read_package

Json = dict[str, Any]

FORMAT = 1
"""Raised whenever the content of the file changes shape."""


def structures_file() -> Path:
    """Return where the file lies: beside the compiled definitions."""
    return cache_file().with_name(f"hl7.fhir.r4.core-4.0.1.structures.{FORMAT}.msgpack")


def save_structures(package: Path) -> None:
    """Write the StructureDefinitions of the package file at `package`, whole or not at all."""
    found = {
        resource["url"]: zlib.compress(msgspec.json.encode(resource))
        for resource in read_package(package)
        if resource.get("resourceType") == "StructureDefinition"
    }
    path = structures_file()
    draft = path.with_suffix(".tmp")
    draft.write_bytes(msgspec.msgpack.encode(found))
    draft.replace(path)


@cache
def _structures() -> dict[str, bytes]:
    try:
        return msgspec.msgpack.decode(structures_file().read_bytes(), type=dict[str, bytes])
    except FileNotFoundError:
        return {}


@lru_cache(64)
def published_structure(url: str) -> Json | None:
    """Return R4's own StructureDefinition with that url (`|4.0.1` may follow), None where there is none.

    Shape:  shared by all callers: not to be changed
    """
    data = _structures().get(url.removesuffix("|4.0.1"))
    return None if data is None else msgspec.json.decode(zlib.decompress(data))


def published_structures() -> Iterable[str]:
    """Return the urls of all of R4's own StructureDefinitions."""
    return _structures().keys()
