"""Load stages of pieces in parallel, and once more what waited for something that came later."""

from __future__ import annotations

import contextlib
import pickle
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import IO, Any

from fhir_server.loader.pieces import Piece, Refusal
from fhir_server.loader.send import Outcome, Sender
from fhir_server.loader.state import State

ROUNDS = 3
SHOWN = 20


@dataclass
class Summary:
    """What a load came to; of the refusals only the first are kept, the rest is in the report file."""

    loaded: int = 0
    skipped: int = 0
    refused: int = 0
    first: list[Refusal] = field(default_factory=list)
    reasons: Counter[str] = field(default_factory=Counter)


Progress = Callable[[int, int], None]
"""Called with (bytes of files done, resources loaded) after each piece."""


class Loader:
    """One load; `report` takes each refusal as it becomes final."""

    def __init__(
        self,
        sender: Sender,
        state: State,
        *,
        parallel: int = 4,
        progress: Progress = lambda _bytes, _resources: None,
        report: Callable[[Refusal], None] = lambda _refusal: None,
    ) -> None:
        self.summary = Summary()
        self._sender, self._state, self._parallel = sender, state, parallel
        self._progress, self._report = progress, report

    def run(self, stages: Iterable[Iterable[Piece | Refusal]]) -> Summary:
        """Return what came of loading all stages, one after the other."""
        with contextlib.ExitStack() as stack:
            later = stack.enter_context(_Spool())
            for stage in stages:
                self._load(stage, later)
            for number in range(ROUNDS):
                before = self.summary.loaded
                waiting, later = later, stack.enter_context(_Spool())
                self._load(waiting.read(), later, last=number == ROUNDS - 1)
                if self.summary.loaded == before:
                    break
            for piece in later.read():
                self._count(self._sender.send(piece), piece)
        return self.summary

    def _load(self, pieces: Iterable[Piece | Refusal], later: _Spool, *, last: bool = False) -> None:
        running: dict[Future[Outcome], Piece] = {}
        with ThreadPoolExecutor(self._parallel, "load") as pool:
            try:
                for piece in pieces:
                    if isinstance(piece, Refusal):
                        self._refuse(piece)
                    elif piece.key in self._state:
                        self.summary.skipped += piece.count
                        self._progress(piece.weight, 0)
                    else:
                        running[pool.submit(self._sender.send, piece)] = piece
                    if len(running) >= self._parallel * 2:
                        self._collect(running, later, last)
                while running:
                    self._collect(running, later, last)
            except BaseException:  # Ctrl-C: what was sent is waited for and remembered, the rest is not begun
                running = {future: piece for future, piece in running.items() if not future.cancel()}
                while running:
                    self._collect(running, later, last)
                raise

    def _collect(self, running: dict[Future[Outcome], Piece], later: _Spool, last: bool) -> None:
        done, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in done:
            piece, outcome = running.pop(future), future.result()
            if outcome.refused and not outcome.loaded and piece.conditional and not last:
                later.write(piece)
            else:
                self._count(outcome, piece)

    def _count(self, outcome: Outcome, piece: Piece) -> None:
        self.summary.loaded += outcome.loaded
        if not outcome.refused:
            self._state.add(piece.key)
        for refusal in outcome.refused:
            self._refuse(refusal)
        self._progress(piece.weight, outcome.loaded)

    def _refuse(self, refusal: Refusal) -> None:
        self.summary.refused += 1
        self.summary.reasons[refusal.reason[:200]] += 1
        if len(self.summary.first) < SHOWN:
            self.summary.first.append(refusal)
        self._report(refusal)


class _Spool:
    """Pieces put aside, on disk."""

    def __enter__(self) -> _Spool:
        self._file: IO[Any] = tempfile.TemporaryFile()
        return self

    def __exit__(self, *_error: object) -> None:
        self._file.close()

    def write(self, piece: Piece) -> None:
        """Put `piece` aside."""
        pickle.dump(piece, self._file)

    def read(self) -> Iterator[Piece]:
        """Yield all pieces put aside."""
        self._file.seek(0)
        with contextlib.suppress(EOFError):
            while True:
                yield pickle.load(self._file)  # noqa: S301 - our own, unnamed file
