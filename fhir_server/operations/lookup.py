"""What FHIRPath may ask of the server while it runs in a thread of its own: resources, value sets, profiles.

The event loop that the request belongs to does the asking; each look-up has a short time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

from fhir_server.access import seen
from fhir_server.concepts import catalog
from fhir_server.concepts import lookup as concepts
from fhir_server.concepts.model import UnknownError
from fhir_server.conformance.validating import known, validated, verdicts
from fhir_server.exchange import Session
from fhir_server.search.context import Context
from fhir_server.search.match import match_rows
from fhir_server.search.params.reference import local
from resources import fhirpath
from resources.codec.json import parse_json
from resources.definitions import definitions
from resources.definitions.structures import published_structure
from resources.outcome import FhirError
from resources.validate.asks import Coded
from resources.validate.explain import errors
from resources.validate.options import Options

T = TypeVar("T")
Json = dict[str, Any]
SECONDS = 2.0
MOST_LOOKUPS = 100


class Asking:
    """The look-ups of one evaluation; a bounded number of them."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.loop = asyncio.get_running_loop()
        self.left = MOST_LOOKUPS

    def _ask(self, question: Coroutine[Any, Any, T]) -> T:
        self.left -= 1
        if self.left < 0:
            question.close()
            raise FhirError(400, "too-costly", f"An expression may look up at most {MOST_LOOKUPS} resources")
        try:
            return asyncio.run_coroutine_threadsafe(question, self.loop).result(SECONDS)
        except TimeoutError:
            raise FhirError(400, "too-costly", "A look-up of the expression took too long") from None

    def resource(self, reference: str) -> Json | None:
        """Return the resource that a reference names here, None where there is none."""
        found = local(reference, Context.bases)
        return None if found is None else self._ask(self._read(*found))

    async def _read(self, type_name: str, id_: str) -> Json | None:
        async with self.session.connection() as conn:
            row = await seen.current(conn, type_name, id_)
        return parse_json(row.json()) if row is not None and row.live else None

    def structure(self, url: str) -> Json | None:
        """Return the StructureDefinition of a url: one that is stored here, else R4's own."""
        return self._ask(self._structure(url)) or published_structure(url)

    async def _structure(self, url: str) -> Json | None:
        address, _, version = url.partition("|")
        pairs = [("url", address), *([("version", version)] if version else [])]
        rows = await match_rows(self.session, "StructureDefinition", pairs, limit=1)
        return parse_json(rows[0].json()) if rows else None

    def member_of(self, value: Any, url: str) -> bool | None:
        """Return whether a code, Coding or CodeableConcept has a code of a value set.

        Errors: 400 not-supported where that cannot be told
        """
        questions = [Coded(url, system, code) for system, code in _codings(value) or [(None, "")]]
        found = self._ask(verdicts(self.session, questions))
        if any(one.member for one in found):
            return True
        missing = next((one.text for one in found if one.member is None), None)
        if missing is not None:
            raise FhirError(400, "not-supported", f"memberOf('{url[:200]}') cannot be told: {missing}")
        return False

    def conforms_to(self, value: Any, url: str) -> bool | None:
        """Return whether a resource conforms to a profile, None where nobody here knows the profile.

        Errors: 400 not-supported for an element that is no resource
        """
        if not isinstance(value, dict) or not definitions().is_resource(value.get("resourceType")):
            raise FhirError(400, "not-supported", "conformsTo() with a profile takes a resource")
        return self._ask(self._conforms(value, url))

    async def _conforms(self, resource: Json, url: str) -> bool | None:
        if not await known(self.session, url):
            return None
        options = Options(profiles=(url,), claims=False)
        return not any(errors(await validated(self.session, resource, options)))

    def subsumes(self, first: Any, second: Any) -> bool | None:
        """Return whether a code of the first subsumes one of the second."""
        return any(self._subsumes(above, below) for above in _codings(first) for below in _codings(second))

    def _subsumes(self, above: tuple[str | None, str], below: tuple[str | None, str]) -> bool:
        if above == below:
            return True
        system = above[0]
        if not system or system != below[0]:
            return False
        return self._ask(self._is_above(system, above[1], below[1]))

    async def _is_above(self, url: str, above: str, below: str) -> bool:
        async with self.session.connection() as conn:
            system = await catalog.system(conn, url)
            if system is None:
                raise FhirError(400, "not-supported", f"The code system '{url[:200]}' is not known here")
            try:
                found = await concepts.subsumes(conn, system, above, below)
            except UnknownError as problem:
                raise FhirError(400, "not-supported", f"subsumes(): {problem}"[:1_000]) from None
        return found in ("equivalent", "subsumes")


def _codings(value: Any) -> list[tuple[str | None, str]]:
    if isinstance(value, str):
        return [(None, value)]
    found = value.get("coding", [value]) if isinstance(value, dict) else []
    return [(one.get("system", ""), one["code"]) for one in found if "code" in one]


_ASKING: ContextVar[Asking | None] = ContextVar("asking", default=None)


@contextmanager
def asking(session: Session) -> Iterator[Asking]:
    """Let expressions that are evaluated inside, in other threads, ask by `session`."""
    one = Asking(session)
    mark = _ASKING.set(one)
    try:
        yield one
    finally:
        _ASKING.reset(mark)


def _current() -> Asking:
    found = _ASKING.get()
    if found is None:
        raise FhirError(400, "not-supported", "FHIRPath: nothing can be looked up here")
    return found


def _structure(url: str) -> Json | None:
    found = _ASKING.get()
    return published_structure(url) if found is None else found.structure(url)


def connect() -> None:
    """Give FHIRPath its look-ups, process-wide."""
    fhirpath.register(
        member_of=lambda value, url: _current().member_of(value, url),
        subsumes=lambda first, second: _current().subsumes(first, second),
        conforms_to=lambda value, url: _current().conforms_to(value, url),
        structure=_structure,
    )
