"""A package's resources into a server, and out of it again, over its REST interface.

Each resource carries a tag for every package that brought it. Installing can be repeated at any time and goes on where
it was interrupted: what is there already in the same content is passed over. What somebody else has written, or has
changed since it was installed, is kept and told.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from fhir_server.packages.client import Client
from fhir_server.packages.marks import SYSTEM, digest, marked, tags
from fhir_server.version import CANONICAL
from ig.packages.archive import CONTENT, EXAMPLES, resources
from ig.packages.manifest import Manifest
from resources.codec.json import dump_json
from resources.definitions import definitions

Json = dict[str, Any]

GUIDE = "ImplementationGuide"
LONGEST_ID = 64
CHUNK = 100
CHUNK_BYTES = 4_000_000
"""Resources, and bytes, that are sent at once."""

Progress = Callable[[int], None]
"""Told how many more resources are done."""


@dataclass(slots=True)
class Summary:
    """What became of a package: counts, and for what was not installed the reasons ('Type/id', text)."""

    written: int = 0
    same: int = 0
    removed: int = 0
    kept: list[tuple[str, str]] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)


def content(found: Manifest, package: Path, examples: bool) -> Iterator[Json]:
    """Yield what is installed of a package: what has a canonical, and on request its examples.

    A package without an ImplementationGuide gets one that says what it is.
    """
    described = False
    for resource in resources(package, CONTENT):
        if definitions().is_resource(resource["resourceType"]) and "url" in resource:
            described = described or _kind(resource) == GUIDE
            yield resource
    if not described:
        yield _guide(found)
    if examples:
        yield from resources(package, EXAMPLES)


def _guide(found: Manifest) -> Json:
    return {
        "resourceType": GUIDE,
        "id": found.name,
        "url": f"{found.canonical or CANONICAL}/{GUIDE}/{found.name}",
        "version": found.version,
        "name": found.name.title().replace(".", "").replace("-", ""),
        "title": found.title or found.name,
        "status": "active",
        "packageId": found.name,
        "fhirVersion": ["4.0.1"],
    }


def install(
    client: Client,
    found: Manifest,
    content: Iterable[Json],
    progress: Progress = lambda _: None,
) -> Summary:
    """Return what became of the resources of a package.

    Where its ImplementationGuide is no valid resource, one takes its place that says what the package is.
    """
    summary = Summary()
    for chunk in _chunks(content):
        _install_chunk(client, found.label, chunk, summary)
        progress(len(chunk))
    if any(path.startswith(GUIDE) for path, _ in summary.refused):
        _install_chunk(client, found.label, [_guide(found)], summary)
    return summary


def _chunks(content: Iterable[Json]) -> Iterator[list[Json]]:
    chunk: list[Json] = []
    size = 0
    for resource in content:
        length = len(dump_json(resource))
        if chunk and (len(chunk) == CHUNK or size + length > CHUNK_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(resource)
        size += length
    if chunk:
        yield chunk


def _install_chunk(client: Client, label: str, chunk: list[Json], summary: Summary) -> None:
    writes: list[tuple[str, str, Json | None]] = []
    for kind, alike in groupby(sorted(chunk, key=_kind), key=_kind):
        some = list(alike)
        there, holders = _there(client, kind, some), _holders(client, kind, some)
        taken = set(holders)
        for resource in some:
            write = _write(label, resource, there.get(_canonical(resource)), holders, taken, summary)
            if write is not None:
                taken.add(write["id"])
                writes.append(("PUT", f"{kind}/{write['id']}", write))
    answers = client.batch(writes) if writes else []
    for (_, path, _), answer in zip(writes, answers, strict=True):
        if answer.status < 300:
            summary.written += 1
        else:
            summary.refused.append((path, answer.text or f"status {answer.status}"))


def _kind(resource: Json) -> str:
    return str(resource["resourceType"])


def _canonical(resource: Json) -> tuple[str, str]:
    return resource.get("url", ""), resource.get("version", "")


def _there(client: Client, kind: str, some: list[Json]) -> dict[tuple[str, str], Json]:
    """Return what the server has under the canonicals of `some`."""
    urls = sorted({resource["url"] for resource in some if "url" in resource})
    return {_canonical(one): one for one in client.find(kind, "url", urls)} if urls else {}


def _holders(client: Client, kind: str, some: list[Json]) -> dict[str, Json]:
    """Return what the server has under the ids of `some`."""
    ids = sorted({resource["id"] for resource in some if "id" in resource})
    return {one["id"]: one for one in client.find(kind, "_id", ids)}


def _write(
    label: str,
    resource: Json,
    there: Json | None,
    holders: dict[str, Json],
    taken: set[str],
    summary: Summary,
) -> Json | None:
    """Return what is to be written for a resource, None where it stays as it is."""
    own = digest(resource)
    if there is None and "url" not in resource:
        there = holders.get(resource.get("id", ""))
    if there is None:
        return marked(resource | {"id": _free_id(resource, taken)}, {label: own})
    known = tags(there)
    changed = digest(there) not in {own, *known.values()}
    if changed or (not known and digest(there) != own):
        summary.kept.append((f"{_kind(there)}/{there['id']}", "somebody else wrote it or has changed it"))
        return None
    if digest(there) == own and known.get(label) == own:
        summary.same += 1
        return None
    brought = dict.fromkeys(known, own) if digest(there) != own else known
    return marked(resource | {"id": there["id"]}, brought | {label: own})


def _free_id(resource: Json, taken: set[str]) -> str:
    """Return the resource's own id where nobody has it, else one that its canonical gives."""
    id_ = str(resource.get("id", ""))
    if len(id_) <= LONGEST_ID and id_ and id_ not in taken:
        return id_
    suffix = hashlib.sha256("|".join(_canonical(resource)).encode()).hexdigest()[:8]
    return f"{id_[: LONGEST_ID - 9] or _kind(resource)}-{suffix}"


def remove(client: Client, label: str, progress: Progress = lambda _: None) -> Summary:
    """Return what became of the resources of a package after it was removed.

    What another package brought too stays, and so does what was changed since: both lose the tag of this package.
    """
    summary = Summary()
    found = list(client.search("", [("_tag", f"{SYSTEM}|{label}")]))
    for start in range(0, len(found), CHUNK):
        some = found[start : start + CHUNK]
        requests = [_removal(label, resource, summary) for resource in some]
        for (method, path, _), answer in zip(requests, client.batch(requests), strict=True):
            if answer.status >= 300:
                summary.refused.append((path, answer.text or f"status {answer.status}"))
            elif method == "DELETE":
                summary.removed += 1
        progress(len(some))
    return summary


def _removal(label: str, resource: Json, summary: Summary) -> tuple[str, str, Json | None]:
    path = f"{_kind(resource)}/{resource['id']}"
    known = tags(resource)
    installed = known.pop(label)
    if not known and digest(resource) == installed:
        return "DELETE", path, None
    why = "another package brought it too" if known else "it was changed since it was installed"
    summary.kept.append((path, why))
    return "PUT", path, marked(resource, known)


def installed(client: Client) -> dict[str, list[Json]]:
    """Return the installed packages by name@version, each with its ImplementationGuides."""
    packages: dict[str, list[Json]] = {}
    for guide in client.search(GUIDE, [("_tag", f"{SYSTEM}|")]):
        for label in tags(guide):
            packages.setdefault(label, []).append(guide)
    return packages
