"""What a search asks of terminology, found before the search is read; `library.register` says who answers.

Reading a search never waits. Where it needs the codes of a value set, or the codes above or below one, and they are
not at hand, it stops; they are looked up, and it is read again: so a modifier works wherever a criterion can stand.
What cannot be listed completely is an error that names what is missing, told together with all other problems.

Source: http://hl7.org/fhir/R4/search.html#modifiers (`:in :not-in :above :below`)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from typing import TypeVar

from fhir_server.exchange import Session
from fhir_server.search import homonyms
from fhir_server.search.codeset import Answer, Answers, CodeSet, Key
from fhir_server.search.library import answer
from resources.outcome import FhirError

T = TypeVar("T")

MOST_ASKED = 100
"""The most value sets, hierarchies and lists of ids without a type that one search may name."""

_HELD: ContextVar[Answers | None] = ContextVar("terminology", default=None)


class _NeededError(Exception):
    """Reading cannot go on without the answer to a question."""

    def __init__(self, key: Key) -> None:
        self.key = key
        super().__init__(key)


async def understood(session: Session, read: Callable[[], Awaitable[T]]) -> T:
    """Return what `read` returns, run again until everything that it asks of terminology has been looked up.

    Errors: 400 too-costly where that is more than a hundred value sets; 503 where codes cannot be told just now; what
            `read` raises
    """
    held = Answers()
    mark = _HELD.set(held)
    try:
        while True:
            try:
                return await read()
            except _NeededError as needed:
                if len(held.known) == MOST_ASKED:
                    text = f"One search may name at most {MOST_ASKED} value sets, hierarchies of codes and lists of ids"
                    raise FhirError(400, "too-costly", text) from None
                about_ids = needed.key[0] == homonyms.IDS
                found = await (
                    homonyms.answer(session, needed.key) if about_ids else answer(session, held, needed.key)
                )
                if isinstance(found, FhirError) and found.status >= 500:
                    raise found from None
                held.known[needed.key] = found
    finally:
        _HELD.reset(mark)


def value_set(address: str) -> CodeSet:
    """Return the codes of a value set.

    Shape:  `address` is a canonical (`url`, `url|version`) or a reference to a ValueSet stored here
    Errors: 400 not-supported, naming what is missing where it cannot be listed completely
    """
    return _held(("in", address))


def hierarchy(direction: str, system: str, code: str) -> CodeSet:
    """Return a code and all codes that it subsumes (`below`) or that subsume it (`above`).

    Errors: 400 not-supported where the code system is not known completely or does not have the code
    """
    return _held((direction, system, code))


def case_sensitive() -> CodeSet:
    """Return the code systems stored here that say so of themselves, as ("", url); R4's own are not among them."""
    return _held(("case",))


def only_one(types: Sequence[str], ids: Sequence[str]) -> None:
    """Refuse ids that name resources of several of `types`, where there is somebody to ask.

    Errors: 400 value
    """
    if _HELD.get() is not None and len(types) > 1 and ids:
        _held((homonyms.IDS, ",".join(types), *ids))


def _held(key: Key) -> CodeSet:
    held = _HELD.get()
    if held is None:
        raise FhirError(
            400, "not-supported", "Value sets and hierarchies of codes cannot be asked about here"
        )
    if key not in held.known:
        raise _NeededError(key)
    found: Answer = held.known[key]
    if isinstance(found, FhirError):
        raise FhirError(found.status, issues=found.issues)
    return found
