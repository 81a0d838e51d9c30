"""The settings that the embedded PostgreSQL runs with."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

MIB = 1 << 20

DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}
THROWAWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "shared_buffers": "64MB"}
THROWAWAY |= {"max_wal_size": "512MB", "autovacuum_naptime": "1h", "logging_collector": "off"}

NO_HEALTH_DATA_IN_LOGS = {
    "log_error_verbosity": "terse",
    "log_min_error_statement": "panic",
    "log_parameter_max_length_on_error": "0",
    "log_min_duration_statement": "-1",
    "log_statement": "none",
}


def configuration(socket_dir: Path, port: int, *, durable: bool, options: Mapping[str, str]) -> str:
    """Return the text of our postgresql.conf part; `options` win."""
    memory = usable_memory() // MIB
    values = {
        "listen_addresses": "",
        "port": str(port),
        "unix_socket_directories": str(socket_dir),
        "unix_socket_permissions": "0700",
        "password_encryption": "scram-sha-256",
        "max_connections": "120",
        "shared_buffers": f"{min(max(memory // 8, 128), 1024)}MB",
        "effective_cache_size": f"{max(memory // 2, 256)}MB",
        "work_mem": "16MB",
        "maintenance_work_mem": f"{min(max(memory // 32, 64), 256)}MB",
        "max_wal_size": "2GB",
        "checkpoint_timeout": "15min",
        "random_page_cost": "1.1",
        "effective_io_concurrency": "32",
        "jit": "off",
        "timezone": "UTC",
        "logging_collector": "on",
        "log_directory": str(socket_dir.parent / "log") if socket_dir.name == "run" else "log",
        "log_filename": "postgresql-%u.log",
        "log_truncate_on_rotation": "on",
        "log_rotation_age": "1d",
        "log_checkpoints": "off",
        **NO_HEALTH_DATA_IN_LOGS,
        **(DURABLE if durable else THROWAWAY),
        **options,
    }
    lines = (f"{name} = {_quoted(value)}" for name, value in values.items())
    return (
        "# Written at each start; set HEALTHBUDDY_POSTGRES_OPTIONS instead of editing.\n"
        + "\n".join(lines)
        + "\n"
    )


def _quoted(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def usable_memory() -> int:
    """Return the bytes of memory that this machine, or this container, has."""
    physical = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
    except OSError:
        return physical
    return min(physical, int(limit)) if limit.isdigit() else physical
