"""Backups: sealed, whole, comparable; readable as long as their key, and never for who was erased.

Source: 45 CFR 164.308(a)(7)(ii) (data backup, restoration, testing); Regulation (EU) 2016/679, Article 32(1)(c)
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner, Result

from fhir_server.cli import app
from fhir_server.crypto import keystore
from fhir_server.storage.embedded import EmbeddedPostgres
from tests.conftest import OWNER
from tests.integration.sealed.conftest import Sealed
from tests.integration.sealed.test_erase import erased, record
from tests.integration.web import client

MARK = "Quagmirella"


@pytest.fixture
def environment(database_url: str, sealed: Sealed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let commands work on this module's database."""
    monkeypatch.setenv("HEALTHBUDDY_DATABASE_URL", database_url)
    for name, value in sealed.items():
        monkeypatch.setenv(f"HEALTHBUDDY_{name.upper()}", str(value))
    monkeypatch.setattr("fhir_server.operations.erase.SETTLED_S", 0.01)


@pytest.fixture
def empty_url(postgres: EmbeddedPostgres) -> Iterator[str]:
    """Yield the conninfo of a database without anything."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(postgres.admin_conninfo(), autocommit=True) as conn:
        conn.execute(f"CREATE DATABASE {name} OWNER {OWNER}")
    yield postgres.conninfo(name)
    with psycopg.connect(postgres.admin_conninfo(), autocommit=True) as conn:
        conn.execute(f"DROP DATABASE {name} WITH (FORCE)")


def run(*words: str | Path, code: int = 0) -> Result:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == code, (result.output, result.exception)
    return result


def filled(database_url: str, sealed: Sealed, start: str) -> None:
    async def fill() -> None:
        async with client(database_url, **sealed) as web:
            await record(web, f"{start}1", f"{start}2")

    asyncio.run(fill())


def asked(database_url: str, sealed: Sealed, *paths: str) -> list[tuple[int, Any]]:
    async def ask() -> list[tuple[int, Any]]:
        async with client(database_url, **sealed) as web:
            return [(answer.status_code, answer.json()) for answer in [await web.get(path) for path in paths]]

    return asyncio.run(ask())


@pytest.mark.usefixtures("environment")
def test_a_backup_is_unreadable_private_and_restores_to_the_same_rows(
    database_url: str, sealed: Sealed, tmp_path: Path
) -> None:
    filled(database_url, sealed, "a")
    run("backup", tmp_path)
    (file,) = tmp_path.glob("*.hbbackup")
    assert file.stat().st_mode & 0o777 == 0o600
    content = file.read_bytes()
    assert (
        MARK.encode() not in content and MARK.casefold().encode() not in content and b"PGDMP" not in content
    )
    assert "sealed versions opened" in run("backup", "test", file).output


@pytest.mark.usefixtures("environment")
def test_an_altered_or_cut_backup_is_refused_before_anything_is_kept(
    database_url: str, sealed: Sealed, tmp_path: Path, empty_url: str
) -> None:
    filled(database_url, sealed, "b")
    run("backup", tmp_path / "one")
    data = bytearray((tmp_path / "one").read_bytes())
    (tmp_path / "cut").write_bytes(data[:-40])
    data[-100] ^= 1
    (tmp_path / "altered").write_bytes(data)
    for name in ("cut", "altered"):
        assert "cut" in run("backup", "test", tmp_path / name, "--scratch", empty_url, code=1).output
        with psycopg.connect(empty_url) as conn:
            assert conn.execute("SELECT count(*) FROM pg_class WHERE relname = 'resource'").fetchone() == (0,)


@pytest.mark.usefixtures("environment")
def test_a_backup_whose_key_has_expired_is_lost(
    database_url: str, sealed: Sealed, keys_url: str, tmp_path: Path
) -> None:
    filled(database_url, sealed, "c")
    run("backup", tmp_path / "old")
    with psycopg.connect(keys_url) as conn:
        conn.execute("UPDATE backup_key SET expires = clock_timestamp() - interval '1 second'")
    assert "expired" in run("backup", "test", tmp_path / "old", code=1).output
    run("backup", tmp_path / "new")
    with psycopg.connect(keys_url) as conn:
        assert conn.execute("SELECT count(*) FROM backup_key").fetchone() == (1,)


@pytest.mark.usefixtures("environment")
def test_who_was_erased_since_stays_erased_in_a_restored_database(
    database_url: str, sealed: Sealed, tmp_path: Path, empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(database_url, sealed, "d")
    run("backup", tmp_path / "before")

    async def erase() -> dict[str, Any]:
        async with client(database_url, **sealed) as web:
            return await erased(web, "d1")

    certificate = asyncio.run(erase())
    assert (
        "none can be read"
        in run("erase", "verify", certificate["id"], "--backup", tmp_path / "before").output
    )
    monkeypatch.setenv("HEALTHBUDDY_DATABASE_URL", empty_url)
    assert "erased again" in run("restore", tmp_path / "before").output
    (gone, kept, shared) = asked(empty_url, sealed, "Patient/d1", "Patient/d2", "Appointment/d1-a")
    assert (gone[0], kept[0], shared[0]) == (404, 200, 200)
    assert "not empty" in run("restore", tmp_path / "before", code=1).output


@pytest.mark.usefixtures("environment")
def test_keys_are_backed_up_apart_and_come_back_with_the_wrapping_key(
    database_url: str, sealed: Sealed, keys_url: str, tmp_path: Path, postgres: EmbeddedPostgres
) -> None:
    filled(database_url, sealed, "k")
    run("backup", "keys", tmp_path / "keys")
    name = psycopg.conninfo.conninfo_to_dict(keys_url)["dbname"]
    with psycopg.connect(postgres.admin_conninfo(), autocommit=True) as conn:
        conn.execute(f"DROP DATABASE {name} WITH (FORCE)")
        conn.execute(f"CREATE DATABASE {name} OWNER {OWNER}")
    run("restore", tmp_path / "keys")
    ((status, body),) = asked(database_url, sealed, "Patient/k1")
    assert status == 200 and body["name"][0]["family"] == MARK


@pytest.mark.usefixtures("environment")
def test_verification_fails_where_something_is_left(database_url: str, sealed: Sealed) -> None:
    filled(database_url, sealed, "v")

    async def erase() -> dict[str, Any]:
        async with client(database_url, **sealed) as web:
            return await erased(web, "v1")

    told = asyncio.run(erase())
    assert "No row" in run("erase", "verify", told["id"]).output
    with psycopg.connect(database_url) as conn:
        ((subject,),) = conn.execute("SELECT subject FROM erasure WHERE id = %s", (told["id"],)).fetchall()
        conn.execute("INSERT INTO idx_string (rid, param, norm, exact) VALUES (%s, 1, 'x', 'x')", (subject,))
    assert "1 rows of idx_string" in run("erase", "verify", told["id"], code=1).output
    assert "no erasure" in run("erase", "verify", "nonsense", code=1).output


def test_the_key_store_of_a_url_is_named_beside_it() -> None:
    url = "postgresql://u:p@h:1/main?passfile=%2Fp"
    assert keystore.beside(url) == "postgresql://u:p@h:1/main_keys?passfile=%2Fp"
    assert "dbname=main_keys" in keystore.beside("host=h dbname=main")


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("words", [("client", "list"), ("user", "list"), ("key", "list"), ("key", "signing")])
def test_commands_work_on_a_database_whose_secrets_are_sealed(
    database_url: str, sealed: Sealed, words: tuple[str, ...]
) -> None:
    filled(database_url, sealed, "l")
    run(*words)
