"""Which files there are to load, and in what order."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

SUFFIXES = (".json", ".ndjson", ".jsonl", ".xml")
FIRST = re.compile(
    r"(hospital|practitioner|organization|location|payer)s?(Information)?[\W_\d]", re.IGNORECASE
)
"""Names of files that others refer to by conditional references (Synthea writes such), or of bulk export types."""


def discover(paths: Iterable[Path]) -> list[list[Path]]:
    """Return the files below `paths` in stages: all of one stage are loaded before the next begins.

    Errors: FileNotFoundError
    """
    files = sorted({file.resolve(): file for path in paths for file in _below(path)}.values())
    first = [file for file in files if FIRST.match(file.name)]
    chosen = set(first)
    return [stage for stage in (first, [file for file in files if file not in chosen]) if stage]


def kind(path: Path) -> str:
    """Return the suffix that says what is inside, whether compressed or not: '.json', '.ndjson', …; '' for others."""
    name = path.name.lower().removesuffix(".gz")
    return next((suffix for suffix in SUFFIXES if name.endswith(suffix)), "")


def open_bytes(path: Path) -> IO[bytes]:
    """Return the file open for reading, decompressed."""
    if path.name.lower().endswith(".gz"):
        return gzip.open(path, "rb")  # type: ignore[return-value]
    return path.open("rb")


def _below(path: Path) -> Iterator[Path]:
    if path.is_dir():
        yield from (file for file in path.rglob("*") if kind(file) and file.is_file())
    elif path.exists():
        yield path
    else:
        raise FileNotFoundError(f"{path} does not exist")
