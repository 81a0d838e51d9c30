"""Secrets in files that only their owner can read."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

SECRET = 0o600
FOLDER = 0o700


class SecretFileError(Exception):
    """A secret's file is not as it must be; the text says what to do."""


def secret_file(path: Path, make: Callable[[], bytes]) -> bytes:
    """Return what a secret's file holds, made by whoever comes first.

    Errors: SecretFileError where others than its owner may read it, or where it is empty
    """
    if not path.exists():
        _create(path, make())
    return read_secret(path)


def read_secret(path: Path) -> bytes:
    """Return what a secret's file holds; raises SecretFileError where others may read it."""
    with path.open("rb") as file:
        mode = os.fstat(file.fileno()).st_mode
        if not stat.S_ISREG(mode) or mode & 0o077:
            raise SecretFileError(f"{path} may be read by its owner alone: chmod 600 {path}")
        content = file.read()
    if not content:
        raise SecretFileError(f"{path} is empty: bring it back from its backup")
    return content


def replace_secret(path: Path, content: bytes) -> None:
    """Put other content into a secret's file, at once and durably."""
    draft = _draft(path, content)
    try:
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _create(path: Path, content: bytes) -> None:
    """Write a new file at once or not at all; whoever was first wins."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=FOLDER)
    draft = _draft(path, content)
    try:
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()


def _draft(path: Path, content: bytes) -> Path:
    """Return a file beside `path` that has the content, on disk."""
    draft = path.with_name(f"{path.name}.{os.getpid()}.draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, SECRET)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    return draft
