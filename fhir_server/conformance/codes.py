"""Verdicts on many codes at once, from the value sets and code systems that are stored here or R4's own."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

from psycopg import AsyncConnection

from fhir_server.concepts.stored import by_canonical
from fhir_server.conformance.kept import Kept
from resources.definitions.vocabulary import published
from resources.validate.asks import Coded, Verdict
from terminology.codesystems import CodeSystem
from terminology.grammars import GRAMMARS, Grammar
from terminology.valuesets import needs
from terminology.verdicts import verdict

Json = dict[str, Any]

MOST_NESTED = 50
"""How deep value sets may be made of value sets."""


async def coded(conn: AsyncConnection[Any], kept: Kept, questions: Sequence[Coded]) -> list[Verdict]:
    """Return the verdict on each question."""
    library = _Library(kept)
    await library.fetch(conn, questions)
    return await asyncio.to_thread(lambda: [verdict(question, library) for question in questions])


class _Library:
    """What the questions are about, fetched before they are answered."""

    def __init__(self, kept: Kept) -> None:
        self._kept = kept
        self._valuesets: dict[str, Json | None] = {}
        self._systems: dict[tuple[str, str], CodeSystem | None] = {}

    def valueset(self, canonical: str, /) -> Json | None:
        """Return a value set that was fetched."""
        return self._valuesets.get(canonical)

    def codesystem(self, url: str, version: str, /) -> CodeSystem | None:
        """Return a code system that was fetched."""
        return self._systems.get((url, version))

    def grammar(self, url: str, /) -> Grammar | None:
        """Return the rules of a code system that is made by rules."""
        return GRAMMARS.get(url)

    async def fetch(self, conn: AsyncConnection[Any], questions: Iterable[Coded]) -> None:
        """Fetch what the questions name, and all that this is made of."""
        wanted, systems = set(), set()
        for question in questions:
            wanted.add(question.valueset)
            systems |= {(question.system or "", ""), (question.system or "", question.version)}
        wanted.discard("")
        for _ in range(MOST_NESTED):
            found = await self._named(conn, "ValueSet", wanted)
            self._valuesets |= found
            parts = [needs(one) for one in found.values() if one is not None]
            systems |= {
                one for _, named in parts for url, version in named for one in ((url, ""), (url, version))
            }
            wanted = {one for others, _ in parts for one in others} - self._valuesets.keys()
            if not wanted:
                break
        await self._fetch_systems(conn, {one for one in systems if one[0] and one[0] not in GRAMMARS})

    async def _fetch_systems(self, conn: AsyncConnection[Any], wanted: set[tuple[str, str]]) -> None:
        for key in wanted:
            held = self._kept.systems.get(key, None)
            if held is not None:
                self._systems[key] = held[0]
        missing = {
            f"{url}|{version}" if version else url: (url, version)
            for url, version in wanted - self._systems.keys()
        }
        found = await self._named(conn, "CodeSystem", missing)
        for canonical, key in missing.items():
            source = found[canonical]
            system = await asyncio.to_thread(CodeSystem, source) if source is not None else None
            self._systems[key] = system
            self._kept.systems.put(key, (system,), len(system.concepts) + 1 if system is not None else 1)

    async def _named(
        self, conn: AsyncConnection[Any], kind: str, canonicals: Iterable[str]
    ) -> dict[str, Json | None]:
        listed = sorted(canonicals)
        stored = await by_canonical(conn, kind, listed)
        return {one: stored.get(one) or _published(kind, one) for one in listed}


def _published(kind: str, canonical: str) -> Json | None:
    url, _, version = canonical.partition("|")
    return published(kind, url, version)
