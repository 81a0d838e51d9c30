"""Secrets in files: for their owner alone, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from fhir_server.crypto.files import SecretFileError, secret_file


def test_it_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "one"
    assert secret_file(path, lambda: b"first") == b"first"
    assert secret_file(path, lambda: b"second") == b"first"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o077 == 0
    assert [found.name for found in path.parent.iterdir()] == ["one"]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_one_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "one"
    path.write_bytes(b"x")
    path.chmod(mode)
    with pytest.raises(SecretFileError, match="chmod 600"):
        secret_file(path, lambda: b"y")


def test_an_empty_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "one"
    path.touch(0o600)
    with pytest.raises(SecretFileError, match="empty"):
        secret_file(path, lambda: b"y")
