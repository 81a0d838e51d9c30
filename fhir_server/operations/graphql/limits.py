"""What one GraphQL request may cost, and how much of it is left."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from resources.fhirpath import USER
from resources.fhirpath import Limits as PathLimits
from resources.outcome import FhirError


@dataclass(frozen=True, slots=True)
class Limits:
    """The most of everything.

    Units:  `text` in characters, `tokens` of the document, `depth` in nested selections, `fields` after fragments
            are spread, `searches` and `resources` read from the database, `matches` of one list, `values` of the
            answer and `answer` in bytes, `path_seconds` for all FHIRPath together, `seconds` for the whole
            request, `body` in bytes, `choices` of values to choose elements by, and of fields of one name
    """

    text: int = 100_000
    tokens: int = 10_000
    depth: int = 25
    fields: int = 5_000
    searches: int = 100
    resources: int = 10_000
    matches: int = 1_000
    values: int = 500_000
    answer: int = 20 << 20
    path_seconds: float = 2.0
    seconds: float = 20.0
    body: int = 1 << 20
    choices: int = 100


LIMITS = Limits()


class Budget:
    """What is left to one request."""

    __slots__ = ("_left", "limits", "seconds")

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.seconds = limits.path_seconds
        self._left = {
            name: getattr(limits, name) for name in ("fields", "searches", "resources", "values", "answer")
        }

    def spend(self, what: str, count: int = 1) -> None:
        """Take `count` off what is left of `what`; raises FhirError 400 'too-costly' where that is too little."""
        self._left[what] -= count
        if self._left[what] < 0:
            raise too_costly(f"more than {getattr(self.limits, what)} {_NAMES[what]}")

    @contextmanager
    def path(self) -> Iterator[PathLimits]:
        """Lend the limits of one FHIRPath evaluation; its time is taken off."""
        started = time.monotonic()
        if self.seconds <= 0:
            raise too_costly(f"FHIRPath takes more than {self.limits.path_seconds} seconds")
        try:
            yield PathLimits(USER.steps, min(USER.seconds, self.seconds), USER.text)
        finally:
            self.seconds -= time.monotonic() - started


_NAMES = {
    "fields": "fields (fragments spread)",
    "searches": "searches",
    "resources": "resources read",
    "values": "values in the answer",
    "answer": "bytes of answer",
}


def too_costly(what: str) -> FhirError:
    """Return the 400 'too-costly' for a request beyond a limit."""
    return FhirError(400, "too-costly", f"GraphQL: {what}: ask for less")
