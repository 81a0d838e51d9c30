"""A FHIR package file: its manifest and resources, read one by one and never unpacked to disk.

Source: https://confluence.hl7.org/display/FHIR/NPM+Package+Specification (all content in `package/`)
"""

from __future__ import annotations

import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ig.packages.manifest import Manifest, manifest
from resources.codec.json import parse_json
from resources.outcome import FhirError

Json = dict[str, Any]

MAX_MEMBERS = 100_000
MAX_MEMBER = 128 * 1024 * 1024
MAX_TOTAL = 4 * 1024 * 1024 * 1024
CONTENT, EXAMPLES = "package", "package/example"
"""The folders of a package: what it defines, and its examples."""
_NAMED = frozenset({"package.json", ".index.json"})


def members(package: Path, folder: str = CONTENT) -> Iterator[tuple[str, bytes]]:
    """Yield (name, content) of each JSON file directly in a folder of a `.tgz`; links are passed over.

    Errors: FhirError 400 for what is no gzipped tar file, or is larger than we read
    """
    total = 0
    try:
        with tarfile.open(package, "r|gz") as archive:
            for count, member in enumerate(archive):
                total += member.size
                if count >= MAX_MEMBERS or member.size > MAX_MEMBER or total > MAX_TOTAL:
                    raise FhirError(400, "too-costly", f"{package.name} is larger than a package may be")
                place, _, name = member.name.removeprefix("./").rpartition("/")
                if member.isfile() and place == folder and name.endswith(".json"):
                    source = archive.extractfile(member)
                    if source is not None:
                        yield name, source.read()
    except (tarfile.TarError, OSError, EOFError, zlib.error) as problem:
        raise FhirError(400, "structure", f"{package.name} is not a package: {problem}") from None


def read_manifest(package: Path) -> Manifest:
    """Return what a package says of itself.

    Errors: FhirError 400 where it has no `package/package.json`, or one that says nothing
    """
    for name, content in members(package):
        if name == "package.json":
            return manifest(_json(package, name, content))
    raise FhirError(400, "structure", f"{package.name} has no package/package.json")


def resources(package: Path, folder: str = CONTENT) -> Iterator[Json]:
    """Yield the resources of a folder, in the order of the file; raises FhirError 400 for a file that is no JSON."""
    for name, content in members(package, folder):
        if name not in _NAMED:
            resource = _json(package, name, content)
            if "resourceType" in resource:
                yield resource


def _json(package: Path, name: str, content: bytes) -> Json:
    try:
        found: Any = parse_json(content)
    except FhirError as problem:
        raise FhirError(400, "structure", f"{package.name}: {name}: {problem.issues[0].text}") from None
    return found if isinstance(found, dict) else {}
