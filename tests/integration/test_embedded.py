"""The embedded PostgreSQL starts from nothing, is shared, and recovers from whatever killed it."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import signal
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from fhir_server.storage.embedded import EmbeddedError, EmbeddedPostgres
from fhir_server.storage.embedded_process import command_line, postmaster


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="hb-embedded-"))
    path.chmod(0o711)
    yield path / "data"
    EmbeddedPostgres(path / "data").stop(force=True, remove=True)
    shutil.rmtree(path)


@pytest.fixture
def server(folder: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(folder, options={"shared_buffers": "32MB"})
    server.ensure_running()
    yield server
    server.stop(force=True)


def setting(server: EmbeddedPostgres, name: str) -> str:
    with psycopg.connect(server.conninfo()) as conn:
        row = conn.execute("SELECT current_setting(%s)", (name,)).fetchone()
    assert row is not None
    return str(row[0])


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 10
    while command_line(pid) and time.monotonic() < deadline:
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("fsync", "on"),
        ("synchronous_commit", "on"),
        ("full_page_writes", "on"),
        ("data_checksums", "on"),
        ("listen_addresses", ""),
        ("password_encryption", "scram-sha-256"),
        ("shared_buffers", "32MB"),
        ("server_encoding", "UTF8"),
        ("log_min_error_statement", "panic"),
    ],
)
def test_it_runs_durable_and_closed_to_the_network(server: EmbeddedPostgres, name: str, value: str) -> None:
    assert setting(server, name) == value


def test_the_collation_is_the_same_everywhere(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.conninfo()) as conn:
        row = conn.execute(
            "SELECT datlocprovider, datlocale FROM pg_database WHERE datname = current_database()"
        ).fetchone()
    assert row == ("b", "C.UTF-8")


def test_the_application_is_no_superuser_and_may_create_our_extension(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.conninfo()) as conn:
        conn.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
        assert conn.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() == (
            False,
        )


def test_passwords_lie_in_a_private_file_and_not_in_the_conninfo(server: EmbeddedPostgres) -> None:
    password = server.passfile.read_text().splitlines()[0].rsplit(":", 1)[1]
    assert stat.S_IMODE(server.passfile.stat().st_mode) == 0o600
    assert password not in server.conninfo() + server.admin_conninfo()


def test_a_wrong_password_is_refused(server: EmbeddedPostgres) -> None:
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(server.conninfo(), password="guess")


def test_what_was_committed_survives_the_kill_of_the_database(server: EmbeddedPostgres) -> None:
    with psycopg.connect(server.conninfo(), autocommit=True) as conn:
        conn.execute("CREATE TABLE survivor AS SELECT 42 AS n")
    killed = server.status().pid
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    wait_until_gone(killed)
    server.ensure_running()
    with psycopg.connect(server.conninfo()) as conn:
        assert conn.execute("SELECT n FROM survivor").fetchone() == (42,)
    assert server.status().pid != killed


def test_leftovers_of_a_killed_database_do_not_stop_the_next_start(server: EmbeddedPostgres) -> None:
    pidfile = server.pgdata / "postmaster.pid"
    old = pidfile.read_text()
    server.stop(force=True)
    pidfile.write_text(
        old.replace(old.split("\n", 1)[0], str(os.getpid()), 1)
    )  # the id is another process's now
    (server.socket_dir / ".s.PGSQL.5432.lock").write_text(f"{os.getpid()}\n")
    (server.socket_dir / ".s.PGSQL.5432").touch()
    assert postmaster(server.pgdata) is None
    server.ensure_running()
    assert setting(server, "fsync") == "on"


def hold(folder: Path, ready: object, leave: object) -> None:
    EmbeddedPostgres(folder).ensure_running()
    ready.set()  # type: ignore[attr-defined]
    leave.wait(30)  # type: ignore[attr-defined]


def test_it_stays_up_while_another_process_uses_it_and_not_for_a_killed_one(folder: Path) -> None:
    context = multiprocessing.get_context("spawn")
    ready, leave = context.Event(), context.Event()
    other = context.Process(target=hold, args=(folder, ready, leave))
    server = EmbeddedPostgres(folder)
    server.ensure_running()
    other.start()
    assert ready.wait(30)
    assert server.stop() is False
    assert server.status().pid is not None
    other.kill()
    other.join()
    assert server.stop() is True
    assert server.status().pid is None


def test_many_processes_may_start_it_at_once(folder: Path) -> None:
    context = multiprocessing.get_context("spawn")
    leave = context.Event()
    ready = [context.Event() for _ in range(3)]
    others = [context.Process(target=hold, args=(folder, event, leave)) for event in ready]
    for process in others:
        process.start()
    assert all(event.wait(30) for event in ready)
    leave.set()
    for process in others:
        process.join()
    assert [process.exitcode for process in others] == [0, 0, 0]
    assert EmbeddedPostgres(folder).stop() is True


def test_data_of_another_version_are_refused_with_the_steps_to_move_them(folder: Path) -> None:
    server = EmbeddedPostgres(folder)
    server.ensure_running()
    server.stop(force=True)
    version = server.pgdata / "PG_VERSION"
    ours = version.read_text()
    version.write_text("17\n")
    try:
        with pytest.raises(EmbeddedError, match=r"(?s)written by PostgreSQL 17.*pg_dump.*pg_restore"):
            server.ensure_running()
    finally:
        version.write_text(ours)
        server.stop(force=True)


def test_a_half_made_cluster_is_made_anew(folder: Path) -> None:
    folder = folder.with_name("half-made")
    (folder / "pgdata.new").mkdir(parents=True)
    (folder / "pgdata.new" / "PG_VERSION").write_text("18\n")
    with EmbeddedPostgres(folder, durable=False) as server:
        assert setting(server, "server_version").startswith("18.")
    server.stop(remove=True)


def test_a_path_too_long_for_a_socket_gets_a_short_socket_folder(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / ("x" * 120), durable=False)
    try:
        server.ensure_running()
        assert setting(server, "fsync") == "off"
    finally:
        server.stop(force=True, remove=True)


def test_a_socket_folder_that_somebody_else_made_is_not_used(folder: Path, tmp_path: Path) -> None:
    server = EmbeddedPostgres(folder)
    server.ensure_running()
    server.stop(force=True)
    place = server.socket_dir
    place.rename(place.with_name("aside"))
    place.symlink_to(tmp_path)
    try:
        with pytest.raises(EmbeddedError, match="is not ours"):
            server.ensure_running()
    finally:
        place.unlink()
        place.with_name("aside").rename(place)
        server.stop(force=True)
