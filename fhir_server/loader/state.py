"""What a load has done so far, on disk: an interrupted one goes on where it stopped."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from threading import Lock
from typing import IO


class State:
    """The digests of the pieces that were loaded; each is on disk when `add` returns."""

    def __init__(self, path: Path, *, anew: bool = False) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        if anew:
            path.unlink(missing_ok=True)
        self._done = set(path.read_text().split()) if path.exists() else set()
        self._file: IO[str] = path.open("a", buffering=1)
        self._lock = Lock()

    def __contains__(self, key: str) -> bool:
        return key in self._done

    def __len__(self) -> int:
        return len(self._done)

    def add(self, key: str) -> None:
        """Remember that the piece `key` is loaded."""
        with self._lock:
            self._done.add(key)
            self._file.write(key + "\n")

    def close(self, *, finished: bool) -> None:
        """Close the file; where all is `finished`, nothing is left to remember."""
        self._file.close()
        if finished:
            self.path.unlink(missing_ok=True)


def state_path(folder: Path, base: str, what: Iterable[str]) -> Path:
    """Return the state file in `folder` for loading `what` into `base`."""
    digest = hashlib.sha256("\0".join([base, *sorted(what)]).encode()).hexdigest()[:16]
    return folder / f"{digest}.txt"
