"""`healthbuddy serve`: from nothing to a server with data on it, and down again cleanly."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from fhir_server.commands import database
from fhir_server.commands.binding import addresses, listen
from fhir_server.commands.first import FirstStartError, Made, prepared, shown
from fhir_server.commands.terminal import fail, say, warn
from fhir_server.rest.rates_redis import RatesError
from fhir_server.settings import Settings
from fhir_server.setup.definitions import SetupError, ensure_definitions
from fhir_server.storage.embedded import EmbeddedError, EmbeddedPostgres
from fhir_server.supervisor import StartError, Supervisor
from fhir_server.tls import CertificateError, certificate_of
from resources.definitions import definitions

OPEN = (
    "\nThis server is OPEN (HEALTHBUDDY_AUTHORIZATION=open): every program and every person on this machine reads and"
    " writes everything, and nothing is audited unless HEALTHBUDDY_AUDIT=on. Never for real people's data."
)


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one")] = None,
    workers: Annotated[int | None, typer.Option(help="Web worker processes")] = None,
    demo: Annotated[bool, typer.Option(help="Load demo data at the first start")] = True,
    ready_fd: Annotated[int | None, typer.Option(hidden=True)] = None,
) -> None:
    """Start the server, with everything that it needs."""
    given = {"host": host, "port": port, "workers": workers, "demo_patients": None if demo else 0}
    settings = Settings.model_validate({name: value for name, value in given.items() if value is not None})
    listener = listen(addresses(settings), settings.port)
    settings = settings.model_copy(update={"port": listener.getsockname()[1]})
    _interruptible()
    try:
        certificate_of(settings)
        ensure_definitions(settings.cache_dir, say=say)
    except (SetupError, CertificateError) as error:
        raise fail(str(error)) from error
    definitions()
    with database.running(settings) as (ready_settings, server):
        database.migrate(ready_settings)
        database.unlock(ready_settings)
        _supervise(ready_settings, listener, server, ready_fd)
    say("Stopped.")


def _supervise(
    settings: Settings, listener: socket.socket, server: EmbeddedPostgres | None, ready_fd: int | None
) -> None:
    wants_demo = server is not None and settings.demo_patients > 0
    loader = DemoLoad(settings) if wants_demo and DemoLoad.is_due(settings) else None
    url = settings.own_base
    text = banner(settings)
    if settings.authorization == "smart":
        made = _prepared(settings, wants_demo, loader is not None)
        if made:
            say(shown(made))

    def ready() -> None:
        if ready_fd is not None:
            os.write(ready_fd, url.encode() + b"\n")
            os.close(ready_fd)
        elif loader is not None:
            loader.begin(url)
        else:
            say(text)

    def tick() -> None:
        if server is not None:
            keep_alive(server)
        if loader is not None and loader.just_ended():
            say(text)

    if settings.authorization == "open":
        warn(OPEN)
    try:
        Supervisor(settings, listener, every_tick=tick, when_ready=ready).run()
    except (StartError, RatesError) as error:
        raise fail(str(error)) from error
    finally:
        if loader is not None:
            loader.end()


def _prepared(settings: Settings, demo: bool, loading: bool) -> list[Made]:
    """Return the accounts that were made; exits where nobody could get in."""
    try:
        return prepared(settings, demo=demo, loading=loading)
    except FirstStartError as error:
        raise fail(str(error)) from error


def banner(settings: Settings) -> str:
    """Return what to open and what to try."""
    url, smart = settings.own_base, settings.authorization == "smart"
    curl = """curl -H "Authorization: Bearer $TOKEN" """ if smart else "curl "
    token = "  TOKEN=$(.venv/bin/healthbuddy token)\n" if smart else ""
    return f"""
Health Buddy is running. Open {url.removesuffix("/fhir")}/ or try:

{token}  {curl}'{url}/Patient?_count=3&_pretty=true'
  {curl}'{url}/Observation?code=http://loinc.org|8867-4&_sort=-date&_count=5'
  {curl}'{url}/Condition?code=http://snomed.info/sct|44054006&_include=Condition:patient&_pretty=true'

Ctrl-C stops it."""


def keep_alive(server: EmbeddedPostgres) -> None:
    """Start the embedded database again where it died; the workers reconnect by themselves."""
    if server.status().pid is None:
        say("The database ended; starting it again …")
        try:
            server.ensure_running()
        except EmbeddedError as error:
            say(str(error))


def _interruptible() -> None:
    """Let SIGTERM end what runs before the supervisor takes over as Ctrl-C does."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


class DemoLoad:
    """The first start's demo data, loaded by a process of its own while the server already answers."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._process: subprocess.Popen[bytes] | None = None
        self._begun = self.marker(settings)
        self._begun.touch()

    @staticmethod
    def marker(settings: Settings) -> Path:
        """Return the file that is there while the demo data are incomplete."""
        return settings.data_dir / "demo-incomplete"

    @classmethod
    def is_due(cls, settings: Settings) -> bool:
        """Whether this is the first start, or the first one was cut short."""
        return cls.marker(settings).exists() or database.is_empty(settings)

    def begin(self, url: str) -> None:
        """Start loading."""
        amount = (f"--patients={self._settings.demo_patients}", f"--seed={self._settings.demo_seed}")
        command = (sys.executable, "-m", "fhir_server.cli", "demo", f"--base={url}", *amount)
        self._process = subprocess.Popen(command, start_new_session=True)

    def just_ended(self) -> bool:
        """Whether loading has ended since the last call."""
        if self._process is None or (code := self._process.poll()) is None:
            return False
        self._process = None
        if code == 0:
            self._begun.unlink(missing_ok=True)
        return True

    def end(self) -> None:
        """Stop loading; the next start goes on."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait()
