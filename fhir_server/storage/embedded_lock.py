"""A lock on a file that the kernel releases when its holder dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self


class FileLock:
    """An advisory lock (`flock`) on `path`, exclusive or shared; `own` is called on the file when it is made."""

    def __init__(self, path: Path, own: Callable[[Path], None] | None = None) -> None:
        self.path = path
        self._own = own
        self._fd: int | None = None
        self._pid = 0

    def acquire(self, *, shared: bool = False, blocking: bool = True) -> bool:
        """Return whether the lock is held now; only False where it may not block."""
        how = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if blocking else fcntl.LOCK_NB)
        while True:
            fd = self._open()
            try:
                fcntl.flock(fd, how)
                current = self.path.stat().st_ino == os.fstat(fd).st_ino
            except BlockingIOError:
                os.close(fd)
                return False
            except FileNotFoundError:
                current = False
            if current:
                self._fd, self._pid = fd, os.getpid()
                return True
            os.close(fd)  # the file was removed while we waited: lock the new one

    def release(self) -> None:
        """Let go; a forked child of the holder changes nothing."""
        if self._fd is not None and self._pid == os.getpid():
            os.close(self._fd)
        self._fd = None

    def _open(self) -> int:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            return os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if self._own is not None:
            self._own(self.path)
        return fd

    def __enter__(self) -> Self:
        self.acquire()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.release()
