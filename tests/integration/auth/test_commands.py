"""Clients and signing keys from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest
from joserfc.jwk import ECKey
from typer.testing import CliRunner

from fhir_server.auth.opaque import digest
from fhir_server.cli import app


@pytest.fixture
def database(fresh_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return a database that commands work on."""
    monkeypatch.setenv("HEALTHBUDDY_DATABASE_URL", fresh_database_url)
    monkeypatch.setenv("HEALTHBUDDY_DATA_DIR", str(tmp_path / "data"))
    return fresh_database_url


def _run(*words: str, code: int = 0) -> str:
    found = CliRunner().invoke(app, list(words))
    assert found.exit_code == code, found.output
    return found.output


def _row(database: str, what: str) -> tuple[object, ...]:
    with psycopg.connect(database) as conn:
        row = conn.execute(f"SELECT {what} FROM auth_client").fetchone()
    assert row is not None
    return row


def test_a_client_is_added_shown_rotated_and_removed(database: str) -> None:
    told = _run(
        "client",
        "add",
        "Heart App",
        "--kind",
        "secret",
        "--redirect",
        "https://heart.example/back",
        "--id",
        "heart",
    )
    secret = next(line.split()[1] for line in told.splitlines() if line.startswith("client_secret"))
    assert _row(database, "secret, state, origins") == (digest(secret), "active", ["https://heart.example"])
    assert "Heart App" in _run("client", "list")
    assert secret not in _run("client", "list")
    new = _run("client", "rotate", "heart").split()[1]
    assert new != secret
    assert _row(database, "secret, old_secret") == (digest(new), digest(secret))
    _run("client", "remove", "heart")
    assert "There is no client" in _run("client", "remove", "heart", code=1)


def test_a_backend_service_brings_its_keys(database: str, tmp_path: Path) -> None:
    key = ECKey.generate_key("P-384", {"kid": "one"})
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps({"keys": [key.as_dict(private=False)]}))
    _run(
        "client",
        "add",
        "Nightly",
        "--kind",
        "key",
        "--backend",
        "--keys",
        str(file),
        "--scope",
        "system/*.rs",
    )
    assert _row(database, "grants, scopes") == (["client_credentials"], ["system/*.rs"])


def test_a_client_with_its_private_key_is_refused(database: str, tmp_path: Path) -> None:
    key = ECKey.generate_key("P-384", {"kid": "one"})
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps({"keys": [key.as_dict(private=True)]}))
    told = _run("client", "add", "Nightly", "--kind", "key", "--backend", "--keys", str(file), code=1)
    assert "private" in told


@pytest.mark.parametrize(
    "uri", ["http://heart.example/back", "javascript:alert(1)", "https://x.example/#f", "back"]
)
def test_a_client_with_a_bad_redirect_uri_is_refused(database: str, uri: str) -> None:
    assert "redirect URI" in _run("client", "add", "X", "--redirect", uri, code=1)


def test_signing_keys_are_rotated_with_overlap(database: str) -> None:
    _run("key", "rotate", "--now")
    _run("key", "rotate")
    with psycopg.connect(database) as conn:
        rows = conn.execute(
            "SELECT signs > now(), ends IS NULL FROM auth_signing_key ORDER BY signs"
        ).fetchall()
    assert rows == [(False, False), (True, True)]
    assert _run("key", "signing").count("\n") >= 3
    _run("key", "rotate", "--now")
    with psycopg.connect(database) as conn:
        assert conn.execute("SELECT count(*) FROM auth_signing_key").fetchone() == (1,)
