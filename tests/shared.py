"""The test data that lie beside the repository, in `../shared`."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"


def shared_path(name: str) -> Path:
    """Return the folder or file `name` of the shared test data ('synthea', 'r4-examples', 'patch-r4', …).

    Skips the test where `../shared` is absent, and fails where it is there but `name` is missing or unreadable.
    """
    if not SHARED.is_dir():
        pytest.skip(f"the shared test data are not beside this repository ({SHARED} is absent)")
    path = SHARED / "testdata" / name
    if not path.exists():
        pytest.fail(f"{path} is missing although {SHARED} is there")
    if not os.access(path, os.R_OK | (os.X_OK if path.is_dir() else 0)):
        pytest.fail(f"{path} cannot be read")
    return path


def r4_examples() -> dict[str, bytes]:
    """Return the specification's example resources in JSON by file name, sorted."""
    with zipfile.ZipFile(shared_path("r4-examples") / "r4-examples.zip") as archive:
        return {name: archive.read(name) for name in sorted(archive.namelist())}
