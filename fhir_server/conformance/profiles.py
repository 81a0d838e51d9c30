"""Canonicals to compiled StructureDefinitions: R4's own, and those stored here with what they are derived from.

R4's own urls always mean R4's own definitions, whatever is stored under them: a package of R4 itself changes nothing,
and nobody changes what a Patient is.

Source: http://hl7.org/fhir/R4/profiling.html
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from psycopg import AsyncConnection

from fhir_server.conformance.kept import OWN, Kept, Profile
from fhir_server.conformance.stored import by_canonical
from resources.definitions.structures import published_structure
from resources.outcome import FhirError
from resources.profiles.build import build, structure_of
from resources.profiles.nodes import Structure

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
    """Return the stored StructureDefinitions of `canonicals` and all that these are derived from, by canonical."""
    found: dict[str, Json] = {}
    looked: set[str] = set()
    wanted = set(canonicals)
    for _ in range(MOST_DERIVED):
        looked |= wanted
        stored = await by_canonical(conn, "StructureDefinition", wanted)
        found |= stored
        wanted = {base for base in _bases(stored.values()) if published_structure(base) is None} - looked
        if not wanted:
            break
    return found


def _bases(resources: Iterable[Json]) -> set[str]:
    found = {resource.get("baseDefinition") for resource in resources}
    return {one for one in found if isinstance(one, str)}


def _compiled(canonicals: Sequence[str], known: dict[str, Json]) -> dict[str, Profile]:
    """Return the compiled profiles; one that cannot be compiled says why."""

    def find(canonical: str) -> Json | None:
        return known.get(canonical) or published_structure(canonical)

    return {one: _profile(known[one], find) if one in known else Profile(None) for one in canonicals}


def _profile(resource: Json, find: Callable[[str], Json | None]) -> Profile:
    try:
        return Profile(_compiled_one(resource, find))
    except FhirError as error:
        return Profile(None, "; ".join(issue.text for issue in error.issues)[:1_000])


def _compiled_one(resource: Json, find: Callable[[str], Json | None]) -> Structure:
    """Return the tree of a profile; raises FhirError 422 where it is none of an R4 type or cannot be made whole."""
    name = str(resource.get("type"))
    beyond = structure_of(name)
    if beyond is None:
        raise FhirError(422, "not-supported", f"It describes {name}, which is no type of R4")
    if resource.get("derivation") != "constraint":
        return beyond
    return build(resource, beyond)
