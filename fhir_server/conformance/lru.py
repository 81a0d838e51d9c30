"""A cache that is bounded by the size of what it holds, and safe between threads."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Generic, TypeVar

K = TypeVar("K")
V = TypeVar("V")


class Lru(Generic[K, V]):
    """Keeps what was asked for last; beyond `most` the longest unused go."""

    __slots__ = ("_kept", "_lock", "most", "size")

    def __init__(self, most: int) -> None:
        self.most = most
        self.size = 0
        self._kept: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        """Return how many are kept."""
        return len(self._kept)

    def get(self, key: K, missing: V) -> V:
        """Return what is kept under `key`, else `missing`."""
        with self._lock:
            found = self._kept.get(key)
            if found is None:
                return missing
            self._kept.move_to_end(key)
            return found[0]

    def put(self, key: K, value: V, size: int = 1) -> None:
        """Keep `value`; one larger than all may be is not kept."""
        with self._lock:
            old = self._kept.pop(key, None)
            self.size -= old[1] if old is not None else 0
            if size > self.most:
                return
            self._kept[key] = value, size
            self.size += size
            while self.size > self.most:
                _, (_, gone) = self._kept.popitem(last=False)
                self.size -= gone

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._kept.clear()
            self.size = 0
