"""What a process remembers for validation: compiled profiles, Questionnaires, verdicts on codes. All of it bounded.

Each kind holds as long as its epoch (`storage/epochs.py`), which is looked at once for each validation, so that a
change is in force at the next request in every process. Inside a transaction nothing is kept: it may yet be undone.
R4's own definitions never change, so that they are kept apart.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakKeyDictionary

from psycopg import AsyncConnection

from fhir_server.conformance.lru import Lru
from fhir_server.exchange import Session
from fhir_server.search import plan
from fhir_server.storage.store import Store
from resources.profiles.nodes import Structure
from resources.validate.asks import Coded, Verdict

Json = dict[str, Any]

MOST_NODES = 100_000
"""The most elements of profiles that a process keeps, and of R4's own definitions: each about a kilobyte."""
MOST_VERDICTS = 200_000
MOST_TEXT = 32_000_000
"""The most bytes of JSON that the kept Questionnaires come from."""


@dataclass(frozen=True, slots=True)
class Profile:
    """The answer to a canonical: its compiled StructureDefinition, or why there is none.

    Shape:  `trouble` empty: it is not known here
    """

    structure: Structure | None
    trouble: str = ""


@dataclass(frozen=True, slots=True)
class Kept:
    """What is remembered of one state of profiles and one of terminology.

    A state that has ended gets caches of its own instead of emptied ones: who still fetches what was true then, keeps
    it with what was true then.
    """

    conformance: tuple[int, str] = (-1, "")
    terminology: tuple[int, str] = (-1, "")
    profiles: Lru[str, Profile | None] = field(default_factory=lambda: Lru(MOST_NODES))
    resources: Lru[tuple[str, str], tuple[Json | None] | None] = field(default_factory=lambda: Lru(MOST_TEXT))
    lists: Lru[str, tuple[Any, ...] | None] = field(default_factory=lambda: Lru(10))
    verdicts: Lru[Coded, Verdict | None] = field(default_factory=lambda: Lru(MOST_VERDICTS))

    def at(self, conformance: tuple[int, str], terminology: tuple[int, str]) -> Kept:
        """Return what is remembered of other states: of what has not changed, the same."""
        found = Kept(conformance, terminology)
        if conformance == self.conformance:
            found = replace(found, profiles=self.profiles, resources=self.resources, lists=self.lists)
        if terminology == self.terminology:
            found = replace(found, verdicts=self.verdicts)
        return found


OWN: Lru[str, Profile | None] = Lru(MOST_NODES)
"""R4's own definitions, compiled."""

NOTHING = Kept()
_KEPT: WeakKeyDictionary[Store, Kept] = WeakKeyDictionary()
_EPOCHS = "SELECT name, value FROM epoch WHERE name IN ('conformance', 'terminology')"


async def kept(session: Session) -> Kept:
    """Return what is remembered of the states that are in force."""
    async with session.connection() as conn:
        epochs = await _epochs(conn)
    conformance = epochs.get("conformance", 0), _seen("StructureDefinition", "Questionnaire")
    terminology = epochs.get("terminology", 0), _seen("ValueSet", "CodeSystem")
    if session.conn is not None:
        return Kept(conformance, terminology)
    found = _KEPT.get(session.store, NOTHING)
    if (found.conformance, found.terminology) != (conformance, terminology):
        found = _KEPT[session.store] = found.at(conformance, terminology)
    return found


async def _epochs(conn: AsyncConnection[Any]) -> dict[str, int]:
    cursor = await conn.execute(_EPOCHS, binary=True)
    return dict(await cursor.fetchall())


def _seen(*types: str) -> str:
    """Return what the caller may see of some types: answers are kept apart by it."""
    return "".join(plan.known(name, "r") for name in types)
