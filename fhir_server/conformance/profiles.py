"""Canonicals to compiled StructureDefinitions: R4's own, and those stored here with what they are derived from.

R4's own urls always mean R4's own definitions, whatever is stored under them: a package of R4 itself changes nothing,
and nobody changes what a Patient is.

Source: http://hl7.org/fhir/R4/profiling.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from psycopg import AsyncConnection

from fhir_server.concepts.stored import by_canonical
from fhir_server.conformance.kept import OWN, Kept, Profile
from resources.definitions.structures import published_structure
from resources.outcome import FhirError
from resources.profiles.build import compiled, structure_of

Json = dict[str, Any]

MOST_DERIVED = 50
"""The most profiles that one may be derived from, one of the other."""


async def fetched(conn: AsyncConnection[Any], kept: Kept, canonicals: Sequence[str]) -> dict[str, Profile]:
    """Return what is known of `canonicals`, and remember it."""
    own = {one: found for one in canonicals if (found := published_structure(one)) is not None}
    stored = await _with_bases(conn, [one for one in canonicals if one not in own])
    known = await asyncio.to_thread(_compiled, canonicals, stored | own)
    for canonical, profile in known.items():
        cache = OWN if canonical in own else kept.profiles
        cache.put(canonical, profile, profile.structure.size + 1 if profile.structure is not None else 1)
    return known


async def _with_bases(conn: AsyncConnection[Any], canonicals: Sequence[str]) -> dict[str, Json]:
    """Return the stored StructureDefinitions of `canonicals` and those that their snapshots are made of."""
    found: dict[str, Json] = {}
    looked: set[str] = set()
    wanted = set(canonicals)
    for _ in range(MOST_DERIVED):
        looked |= wanted
        stored = await by_canonical(conn, "StructureDefinition", wanted)
        found |= stored
        named = {url for resource in stored.values() for url in _made_of(resource)}
        wanted = {url for url in named - looked if published_structure(url) is None}
        if not wanted:
            break
    return found


def _made_of(resource: Json) -> Iterator[str]:
    """Yield the canonicals that the snapshot of a profile is made of, where it does not have one already."""
    if resource.get("snapshot"):
        return
    elements = resource.get("differential", {}).get("element", ())
    profiles = [url for one in elements for kind in one.get("type", ()) for url in kind.get("profile", ())]
    yield from (url for url in (resource.get("baseDefinition"), *profiles) if isinstance(url, str))


def _compiled(canonicals: Sequence[str], known: dict[str, Json]) -> dict[str, Profile]:
    """Return the compiled profiles; one that cannot be compiled says why."""

    def find(canonical: str) -> Json | None:
        return known.get(canonical) or published_structure(canonical)

    return {one: _profile(known[one], find) if one in known else Profile(None) for one in canonicals}


def _profile(resource: Json, find: Callable[[str], Json | None]) -> Profile:
    name = str(resource.get("type"))
    beyond = structure_of(name)
    if beyond is None:
        return Profile(None, f"it describes {name}, which is no type of R4")
    if resource.get("derivation") != "constraint":
        return Profile(beyond)
    try:
        return Profile(compiled(resource, find))
    except FhirError as error:
        return Profile(None, "; ".join(issue.text for issue in error.issues)[:1_000])
