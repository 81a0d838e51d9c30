"""Is it alive, and is it ours: a process id in a file may have been given to somebody else since."""

from __future__ import annotations

import subprocess
from pathlib import Path


def postmaster(pgdata: Path) -> int | None:
    """Return the process id of the PostgreSQL that runs on `pgdata`, None where none does."""
    try:
        pid = int((pgdata / "postmaster.pid").read_text().split("\n", 1)[0])
    except (FileNotFoundError, ValueError):
        return None
    command = command_line(pid)
    return pid if "postgres" in command and str(pgdata) in command else None


def command_line(pid: int) -> str:
    """Return the command that process `pid` was started with, '' where there is no such process (or a zombie)."""
    proc = Path("/proc")
    if (proc / "self").exists():
        try:
            return (proc / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except (FileNotFoundError, ProcessLookupError):
            return ""
    shown = subprocess.run(
        ["ps", "-ww", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    return shown.stdout
