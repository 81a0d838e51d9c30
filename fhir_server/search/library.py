"""What searches ask of terminology, and the answers that a process remembers.

Answers are kept as long as no ValueSet and no CodeSystem is written (one row of the table `epoch` says so), so that a
change holds at the next search, in every process. Inside a transaction nothing is kept: it may yet be undone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from psycopg import AsyncConnection

from fhir_server.exchange import Session
from fhir_server.search import plan
from fhir_server.search.codeset import Answer, Answers, CodeSet, Key, PassingError
from fhir_server.search.hashing import is_case_sensitive
from fhir_server.search.run import run
from fhir_server.search.stored import document
from fhir_server.storage import epochs
from fhir_server.storage.rows import type_number
from fhir_server.storage.store import Store
from resources.outcome import FhirError

MOST_KEPT = 500_000
"""The most codes that a process remembers."""

Epoch = tuple[int, str]
"""A number that every write of a ValueSet or CodeSystem raises, and what the caller may see of them."""

Question = Callable[[AsyncConnection[Any], Key], Awaitable[CodeSet]]
"""What finds the codes that a key asks for; raises FhirError where they cannot be told."""

_QUESTIONS: dict[str, Question] = {}


def register(kind: str, question: Question) -> None:
    """Let `question` answer the keys of a kind, process-wide."""
    _QUESTIONS[kind] = question


@dataclass(slots=True)
class _Kept:
    """What a process remembers of one epoch."""

    epoch: Epoch = (-1, "")
    answers: dict[Key, Answer] = field(default_factory=dict)
    size: int = 0

    def keep(self, key: Key, found: Answer) -> None:
        """Remember an answer; begin anew where that is too much."""
        size = len(found.codes) if isinstance(found, CodeSet) else 1
        if self.size + size > MOST_KEPT:
            self.answers, self.size = {}, 0
        self.answers[key] = found
        self.size += size


_KEPT: WeakKeyDictionary[Store, _Kept] = WeakKeyDictionary()


async def answer(session: Session, asked: Answers, key: Key) -> Answer:
    """Return the codes that `key` asks for, or the error that says why they cannot be told."""
    async with session.connection() as conn:
        if asked.epoch is None:
            asked.epoch = await _epoch(conn)
        kept = _kept(session, asked.epoch)
        found = kept.answers.get(key)
        if found is None:
            found = await _asked(conn, key)
            if not (isinstance(found, PassingError) or (isinstance(found, CodeSet) and found.passing)):
                kept.keep(key, found)
    return found


async def _asked(conn: AsyncConnection[Any], key: Key) -> Answer:
    question = _QUESTIONS.get(key[0])
    if question is None:
        return FhirError(400, "not-supported", "Value sets and hierarchies of codes are not known here")
    try:
        return await question(conn, key)
    except FhirError as problem:
        return problem


async def _epoch(conn: AsyncConnection[Any]) -> Epoch:
    seen = plan.known("ValueSet", "r") + plan.known("CodeSystem", "r")
    return await epochs.current(conn, "terminology"), seen


def _kept(session: Session, epoch: Epoch) -> _Kept:
    """Return what is remembered of an epoch; a transaction, whose own writes end it last, begins with nothing."""
    if session.conn is not None:
        return _Kept(epoch)
    kept = _KEPT.setdefault(session.store, _Kept())
    if kept.epoch != epoch:
        kept = _KEPT[session.store] = _Kept(epoch)
    return kept


async def _case(conn: AsyncConnection[Any], _key: Key) -> CodeSet:
    """Return the stored code systems that are case-sensitive beyond those whose codes are hashed as such."""
    seen = plan.known("CodeSystem", "r")
    text = (
        f"SELECT d.json ->> 'url' FROM (SELECT {document('r')} AS json FROM resource r"
        f" WHERE r.type = {type_number('CodeSystem')} AND r.live{' AND ' + seen if seen else ''}"
        " AND position('\"caseSensitive\":true'::bytea in r.tail) > 0 OFFSET 0) d"
        " WHERE d.json ->> 'caseSensitive' = 'true'"
    )
    rows = await run(conn, text, ())
    return CodeSet.of(("", url) for (url,) in rows if url and not is_case_sensitive(url))


register("case", _case)
