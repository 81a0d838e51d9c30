"""`healthbuddy doctor`: what is in order on this machine, and what would help where it is not."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import psycopg
import typer

from fhir_server.commands import database
from fhir_server.commands.terminal import out
from fhir_server.commands.tokens import VARIABLE
from fhir_server.settings import PREFIX, Settings
from fhir_server.setup.definitions import PACKAGE_FILE, PACKAGE_SHA256, sha256
from fhir_server.storage.embedded_host import wheel_version
from fhir_server.storage.schema import schema
from fhir_server.version import VERSION
from resources.definitions import cache_file
from resources.definitions import definitions as load_definitions
from resources.definitions.vocabulary import vocabulary_file

GIB = 1 << 30
NEEDED_BYTES = 2 * GIB
FLUSHES = 20
OLDEST_POSTGRES = 150_000


class Finding(NamedTuple):
    """One line of the report."""

    good: bool
    about: str
    text: str


def doctor() -> None:
    """Check versions, settings, definitions, disk and database; exits with 1 where something is wrong."""
    settings = Settings()
    os.environ["HEALTHBUDDY_CACHE_DIR"] = str(settings.cache_dir)
    findings = [finding for check in CHECKS for finding in _guarded(check, settings)]
    for good, about, text in findings:
        mark = "[green]ok[/]     " if good else "[bold red]problem[/]"
        out.print(mark, f"{about:12}", end=" ")
        out.print(text, markup=False, soft_wrap=True)
    if not all(finding.good for finding in findings):
        raise typer.Exit(1)


def _guarded(check: Callable[[Settings], list[Finding]], settings: Settings) -> list[Finding]:
    try:
        return check(settings)
    except typer.Exit:  # a RuntimeError, whose reason was told already
        return [Finding(False, check.__name__.strip("_"), "see above")]
    except (OSError, RuntimeError, psycopg.Error) as error:
        return [Finding(False, check.__name__.strip("_"), str(error).strip())]


def _versions(_settings: Settings) -> list[Finding]:
    python = ".".join(map(str, sys.version_info[:3]))
    text = f"Health Buddy {VERSION}, Python {python}, embedded PostgreSQL {wheel_version()}"
    return [Finding(sys.version_info >= (3, 11), "versions", text)]


def _names(_settings: Settings) -> list[Finding]:
    known = {PREFIX + name.upper() for name in Settings.model_fields} | {f"{PREFIX}CONFIG", VARIABLE}
    unknown = sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)
    text = f"nothing reads {', '.join(unknown)}" if unknown else "every HEALTHBUDDY_ variable is known"
    return [Finding(not unknown, "settings", text)]


def _definitions(settings: Settings) -> list[Finding]:
    if not (cache_file().exists() and vocabulary_file().exists()):
        return [Finding(False, "definitions", "not compiled yet: run `healthbuddy definitions`")]
    package = settings.cache_dir / PACKAGE_FILE
    if package.exists() and sha256(package) != PACKAGE_SHA256:
        return [Finding(False, "definitions", f"{package} is damaged: run `healthbuddy definitions --again`")]
    began = time.perf_counter()
    types = len(load_definitions().resource_types)
    took = time.perf_counter() - began
    return [
        Finding(
            types >= 146, "definitions", f"R4 4.0.1, {types} resource types, loaded in {took * 1000:.0f} ms"
        )
    ]


def _disk(settings: Settings) -> list[Finding]:
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(settings.data_dir).free
    flush = flush_ms(settings.data_dir)
    return [
        Finding(free > NEEDED_BYTES, "disk", f"{free / GIB:.0f} GiB free in {settings.data_dir}"),
        Finding(
            True,
            "disk",
            f"a flush takes {flush:.2f} ms, so one connection commits at most {1000 / flush:,.0f}/s",
        ),
    ]


def flush_ms(folder: Path) -> float:
    """Return the median milliseconds that the disk takes to make one written page safe."""
    times = []
    with tempfile.TemporaryFile(dir=folder) as file:
        for _ in range(FLUSHES):
            file.write(bytes(8192))
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            times.append(time.perf_counter() - began)
    return sorted(times)[FLUSHES // 2] * 1000


def _database(settings: Settings) -> list[Finding]:
    kind = "embedded" if settings.embedded else "external"
    with (
        database.running(settings) as (ready, _server),
        psycopg.connect(ready.database_url, connect_timeout=10) as conn,
    ):
        number = conn.info.server_version
        names = ("fsync", "synchronous_commit", "full_page_writes", "server_encoding")
        rows: dict[str, str] = dict(
            conn.execute(
                "SELECT name, setting FROM pg_settings WHERE name = ANY(%s)", (list(names),)
            ).fetchall()
        )
        state = schema(ready.database_url)
    durable = all(rows.get(name) != "off" for name in names[:3])
    safe = (
        "every commit is on disk"
        if durable
        else "NOT durable: fsync, synchronous_commit or full_page_writes is off"
    )
    at = state.current or "nothing"
    return [
        Finding(
            number >= OLDEST_POSTGRES, "database", f"{kind} PostgreSQL {number // 10000}.{number % 10000}"
        ),
        Finding(durable, "database", safe),
        Finding(rows.get("server_encoding") == "UTF8", "database", f"encoding {rows.get('server_encoding')}"),
        Finding(
            state.ready,
            "schema",
            f"at {at}" if state.ready else f"at {at}, not {state.head}: healthbuddy migrate",
        ),
    ]


CHECKS = (_versions, _names, _definitions, _disk, _database)
