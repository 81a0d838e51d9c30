"""`healthbuddy audit` on the trail of a running server."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from fhir_server import cli
from fhir_server.audit.checkpoint import key_of, new_key
from fhir_server.audit.signer import append, sign
from fhir_server.crypto.files import secret_file
from fhir_server.storage import binary
from tests.integration.web import client_of, running


@pytest.fixture
async def trail(fresh_database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the database of a server that has answered and stopped, its trail signed."""
    monkeypatch.setenv("HEALTHBUDDY_DATABASE_URL", fresh_database_url)
    monkeypatch.setenv("HEALTHBUDDY_DATA_DIR", str(tmp_path))
    async with running(fresh_database_url, audit="on", data_dir=tmp_path) as app, client_of(app) as web:
        for n in range(5):
            await web.get(f"Patient/{n}")
    async with await psycopg.AsyncConnection.connect(fresh_database_url) as conn:
        binary.register(conn.adapters)
        made = await sign(conn, key_of(secret_file(tmp_path / "keys" / "audit-signing", new_key)))
    assert made is not None
    append(tmp_path / "audit-checkpoints.jsonl", made)
    return fresh_database_url


def _run(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli.app, ["audit", *words])
    return done.exit_code, done.output


def test_a_whole_trail_verifies(trail: str) -> None:
    code, said = _run("verify")
    assert (code, "5 entries under 1 signed checkpoints" in said) == (0, True)
    assert "Nothing was removed" in said


def test_a_removed_entry_is_found(trail: str) -> None:
    with psycopg.connect(trail) as conn:
        conn.execute("DELETE FROM audit_entry WHERE n = 3")
    code, said = _run("verify")
    assert code == 1
    assert "entries 3 to 3 were removed" in said


def test_old_entries_go_and_the_rest_verifies(trail: str) -> None:
    with psycopg.connect(trail) as conn:
        conn.execute("UPDATE audit_entry SET at = at - 10 * 86400000000::bigint WHERE n <= 3")
    assert "3 entries older than 7 days would be" in _run("retain", "--days", "7", "--dry-run")[1]
    assert "0 entries" in _run("retain", "--days", "30")[1]
    assert "3 entries older than 7 days were" in _run("retain", "--days", "7")[1]
    code, said = _run("verify")
    assert "3 let go by retention" in said
    assert code == 0, said
