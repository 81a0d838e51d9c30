"""The answers of this server to what validation asks: from memory where they are at hand, else fetched all at once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import AsyncConnection

from fhir_server.concepts import check
from fhir_server.concepts.stored import by_canonical
from fhir_server.conformance import profiles
from fhir_server.conformance.kept import OWN, Kept, Profile
from fhir_server.search import plan
from fhir_server.search.context import Context
from fhir_server.search.run import COLUMNS
from fhir_server.storage.binary import Int2s, Texts
from fhir_server.storage.rows import Row, type_number
from resources.codec.json import parse_json
from resources.profiles.nodes import Structure
from resources.references import Reference, parse_reference
from resources.validate.asks import PENDING, Coded, Pending, Target, Verdict

Json = dict[str, Any]
Key = tuple[str, str]

QUESTIONNAIRE = "Questionnaire"
LARGE = 256 * 1024
"""Bytes of targets from which on they are read beside the event loop."""


class ServerAsks:
    """Answers one validation, or those of one bundle.

    Shape:  `inside` are the resources that the bundle writes, by `Type/id`, None where it deletes one: they count
            before what is stored; `asked` grows with every question that had no answer yet; `foreign`: profiles may
            be looked at that are not R4's own, whose expressions may take long
    """

    def __init__(self, kept: Kept, base: str = "", inside: Mapping[str, Json | None] | None = None) -> None:
        self._kept = kept
        self._inside = inside or {}
        self._bases = (base, *Context.bases) if base else Context.bases
        self._profiles: dict[str, Profile] = {}
        self._verdicts: dict[Coded, Verdict] = {}
        self._targets: dict[str, Target | None] = {}
        self._open: tuple[set[str], set[Coded], set[str]] = (set(), set(), set())
        self.asked = 0
        self.foreign = False

    @property
    def waiting(self) -> bool:
        """Whether something has to be fetched."""
        return any(self._open)

    @property
    def troubles(self) -> dict[str, str]:
        """The profiles that are here but cannot be used, and why."""
        return {canonical: one.trouble for canonical, one in self._profiles.items() if one.trouble}

    def structure(self, canonical: str, /) -> Structure | Pending | None:
        """Return the compiled StructureDefinition of a canonical, None where it is unknown or cannot be used."""
        found = self._profiles.get(canonical)
        if found is None:
            found = OWN.get(canonical, None) or self._kept.profiles.get(canonical, None)
            if found is None:
                return self._wait(self._open[0], canonical)
            self._profiles[canonical] = found
        if not self.foreign and found.structure is not None and OWN.get(canonical, None) is not found:
            self.foreign = True
            self.asked += 1  # the same is asked again, beside the event loop
            return PENDING
        return found.structure

    def coded(self, question: Coded, /) -> Verdict | Pending:
        """Return what is known of a code."""
        found = self._verdicts.get(question)
        if found is None:
            found = self._kept.verdicts.get(question, None)
            if found is None:
                return self._wait(self._open[1], question)
            self._verdicts[question] = found
        return found

    def target(self, reference: str, /) -> Target | Pending | None:
        """Return what a literal reference points at, also the Questionnaire of a canonical."""
        if reference in self._targets:
            return self._targets[reference]
        parsed = self._parsed(reference)
        own = f"{parsed.type}/{parsed.id}"
        if parsed.local and own in self._inside:
            return Target(str(parsed.type), self._inside[own])
        if not parsed.local and not _canonical(parsed):
            return None
        return self._wait(self._open[2], reference)

    def _parsed(self, reference: str) -> Reference:
        base = next((one for one in self._bases if reference.startswith(one.rstrip("/") + "/")), None)
        return parse_reference(reference, base)

    def _wait(self, open_: set[Any], question: Any) -> Pending:
        open_.add(question)
        self.asked += 1
        return PENDING

    async def fetch(self, conn: AsyncConnection[Any]) -> None:
        """Find the answers to all that was asked."""
        structures, codes, references = self._open
        self._open = (set(), set(), set())
        if structures:
            found = await profiles.fetched(conn, self._kept, sorted(structures))
            self._profiles.update(found)
        if codes:
            await self._fetch_codes(conn, sorted(codes, key=repr))
        if references:
            await self._fetch_targets(conn, sorted(references))

    async def _fetch_codes(self, conn: AsyncConnection[Any], questions: Sequence[Coded]) -> None:
        for question, verdict in zip(questions, await check.coded(conn, questions), strict=True):
            self._verdicts[question] = verdict
            self._kept.verdicts.put(question, verdict)

    async def _fetch_targets(self, conn: AsyncConnection[Any], references: Sequence[str]) -> None:
        parsed = {text: self._parsed(text) for text in references}
        keys = {(str(one.type), str(one.id)) for one in parsed.values() if one.local}
        rows = await _visible(conn, keys) if keys else {}
        for text, one in parsed.items():
            if one.local:
                self._targets[text] = Target(str(one.type), rows.get((str(one.type), str(one.id))))
        named = [text for text, one in parsed.items() if _canonical(one) and not self._there(text)]
        for text, found in (await self._questionnaires(conn, named)).items():
            self._targets[text] = (
                Target(QUESTIONNAIRE, found) if found is not None else self._targets.get(text)
            )

    def _there(self, text: str) -> bool:
        found = self._targets.get(text)
        return found is not None and found.resource is not None

    async def _questionnaires(
        self, conn: AsyncConnection[Any], canonicals: Sequence[str]
    ) -> dict[str, Json | None]:
        known = {text: self._kept.resources.get((QUESTIONNAIRE, text), None) for text in canonicals}
        missing = [text for text, held in known.items() if held is None]
        stored = await by_canonical(conn, QUESTIONNAIRE, missing) if missing else {}
        for text in missing:
            known[text] = (stored.get(text),)
            self._kept.resources.put((QUESTIONNAIRE, text), known[text], len(str(stored.get(text))))
        return {text: held[0] for text, held in known.items() if held is not None}


def _canonical(parsed: Reference) -> bool:
    """Whether a text can be the canonical of a Questionnaire."""
    return bool(parsed.url) and (parsed.type == QUESTIONNAIRE or (parsed.absolute and parsed.type is None))


_VISIBLE = f"""
SELECT {COLUMNS} FROM unnest(%s, %s) AS k(type, id) JOIN resource r ON r.type = k.type AND r.id = k.id WHERE r.live"""


async def _visible(conn: AsyncConnection[Any], keys: set[Key]) -> dict[Key, Json]:
    """Return the resources of (type, id) keys that are there and that the caller may see."""
    seen = plan.visible("", "r")
    columns = Int2s([type_number(name) for name, _ in keys]), Texts([id_ for _, id_ in keys])
    cursor = await conn.execute(_VISIBLE + (f" AND {seen}" if seen else ""), columns, binary=True)
    rows = [Row(*found) for found in await cursor.fetchall()]
    if sum(len(row.tail or b"") for row in rows) > LARGE:
        return await asyncio.to_thread(_parsed, rows)
    return _parsed(rows)


def _parsed(rows: Sequence[Row]) -> dict[Key, Json]:
    return {(row.type_name, row.id): parse_json(row.json()) for row in rows}
