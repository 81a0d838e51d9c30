"""One lock holds everything that pyproject.toml names, by hash, and no committed set-up file names a registry."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NAME = re.compile(r"[A-Za-z0-9._-]+")


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def wanted() -> set[str]:
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    return {plain(NAME.match(requirement)[0]) for group in groups for requirement in group}  # type: ignore[index]


def test_every_dependency_is_locked() -> None:
    locked = {plain(name) for name in re.findall(r"^([A-Za-z0-9._-]+)==", LOCK, re.MULTILINE)}
    assert wanted() - locked == set(), "run: make lock"


def test_every_locked_package_has_hashes() -> None:
    sections = re.split(r"^(?=[A-Za-z0-9._-]+==)", LOCK, flags=re.MULTILINE)[1:]
    assert [section.split()[0] for section in sections if "--hash=sha256:" not in section] == []


def test_heavy_parts_are_extras() -> None:
    base = {plain(NAME.match(requirement)[0]) for requirement in PROJECT["dependencies"]}  # type: ignore[index]
    assert base & {"numpy", "pandas", "medspacy", "duckdb", "onnxruntime", "opencv-python-headless"} == set()


@pytest.mark.parametrize("name", ["requirements.lock", "pyproject.toml", "Makefile", ".ci/run", "scripts"])
def test_no_registry_is_named(name: str) -> None:
    listed = [ROOT / name] if (ROOT / name).is_file() else sorted((ROOT / name).iterdir())
    pattern = re.compile(r"https?://(?!127\.0\.0\.1|localhost)\S*|--(extra-)?index-url[ =]\S+")
    assert [
        match[0] for path in listed if path.is_file() for match in pattern.finditer(path.read_text())
    ] == []


@pytest.mark.parametrize("name", ["scripts/bootstrap", "scripts/lock", ".ci/run"])
def test_scripts_are_posix_sh_and_executable(name: str) -> None:
    path = ROOT / name
    assert path.stat().st_mode & 0o111
    assert path.read_text().startswith("#!/bin/sh\n")
    assert subprocess.run(["sh", "-n", str(path)], check=False).returncode == 0
