"""What a process remembers of terminology: which code systems and value sets there are, not their concepts.

It holds as long as the epoch of terminology, which every write of a CodeSystem, ValueSet or ConceptMap and every load
ends; the epoch is read once for each round of questions. Inside a transaction nothing is remembered: its own writes end
the epoch last, and may yet be undone.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Hashable
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

from psycopg.pq import TransactionStatus

from fhir_server.concepts.model import Conn, Json
from fhir_server.search import plan
from fhir_server.storage import epochs

T = TypeVar("T")

MOST_KEPT = 200_000
"""The most codes in value sets that a process remembers, with what it remembers besides."""
SEEN = ("CodeSystem", "ValueSet", "ConceptMap")

Key = tuple[str, Hashable]


@dataclass(slots=True)
class Memory:
    """What is remembered of one epoch; `own` are the ids of the ValueSets among it."""

    epoch: tuple[int, str] = (-1, "")
    kept: dict[Key, Any] = field(default_factory=dict)
    own: set[int] = field(default_factory=set)
    size: int = 0

    def keep(self, key: Key, found: Any, size: int) -> None:
        """Remember something that is not too much by itself; begin anew where all is."""
        if size > MOST_KEPT:
            return
        self.size += size
        if self.size > MOST_KEPT:
            self.kept, self.own, self.size = {}, set(), size
        self.kept[key] = found


_HELD: ContextVar[Memory | None] = ContextVar("terminology memory", default=None)
_KEPT: dict[tuple[str, int, str], Memory] = {}
"""By database: a process mostly has one."""


@asynccontextmanager
async def remembering(conn: Conn) -> AsyncIterator[None]:
    """Let questions within be answered from memory, as far as the epoch that is in force now allows."""
    if _HELD.get() is not None or conn.info.transaction_status != TransactionStatus.IDLE:
        yield
        return
    mark = _HELD.set(await _current(conn))
    try:
        yield
    finally:
        _HELD.reset(mark)


async def _current(conn: Conn) -> Memory:
    info = conn.info
    place = (info.host, info.port, info.dbname)
    epoch = await epochs.current(conn, "terminology"), "".join(plan.known(name, "r") for name in SEEN)
    found = _KEPT.get(place)
    if found is None or found.epoch != epoch:
        found = _KEPT[place] = Memory(epoch)
    return found


async def asked(key: Key, ask: Callable[[], Awaitable[T]]) -> T:
    """Return what `ask` returns, from memory where it was asked before; that there is nothing is forgotten if implied.

    A code system that is imported later, which ends no epoch, may imply a value set.
    """
    held = _HELD.get()
    if held is None:
        return await ask()
    if key in held.kept:
        known: T = held.kept[key]
        return known
    found = await ask()
    if found is None and key[0] == "implied":
        return found
    size = _size(found) if isinstance(found, dict) else 1
    held.keep(key, found, size)
    if isinstance(found, dict) and key in held.kept:
        held.own.add(id(found))
    return found


def remembered(resource: Json) -> bool:
    """Whether a ValueSet is the very one that is remembered, so that what is made of it can be, too."""
    held = _HELD.get()
    return held is not None and id(resource) in held.own


def _size(resource: Json) -> int:
    """Return how many codes a ValueSet lists, roughly."""
    compose = resource.get("compose", {})
    rules = [*compose.get("include", ()), *compose.get("exclude", ())]
    listed = sum(len(rule.get("concept", ())) for rule in rules)
    return 1 + listed + len(resource.get("expansion", {}).get("contains", ()))
