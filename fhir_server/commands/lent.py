"""A server for as long as a command lasts: the one that runs, else one started for the purpose."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import httpx

from fhir_server.commands.terminal import fail, say
from fhir_server.commands.tokens import Target, target
from fhir_server.settings import Settings


@contextlib.contextmanager
def lent_server(settings: Settings, base: str | None) -> Iterator[Target]:
    """Lend a server that answers, and how to get in: at `base`, the local one, or one started while this lasts."""
    url = base or settings.own_base
    if _answers(url):
        yield target(settings, url)
        return
    if base is not None:
        raise fail(f"No FHIR server answers at {base}")
    say("No server is running: starting one for this …")
    read, write = os.pipe()
    command = (
        sys.executable,
        "-m",
        "fhir_server.cli",
        "serve",
        "--port=0",
        "--no-demo",
        f"--ready-fd={write}",
    )
    process = subprocess.Popen(command, pass_fds=(write,), start_new_session=True)
    os.close(write)
    try:
        with os.fdopen(read) as ready:
            started = ready.readline().strip()
        if not started:
            raise fail("The server could not be started; its messages are above")
        yield target(settings, started)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def _answers(url: str) -> bool:
    try:
        return httpx.get(f"{url.rstrip('/')}/metadata", params={"_summary": "true"}, timeout=10).is_success
    except httpx.HTTPError:
        return False


def answered_by(base: str) -> str:
    """Return what tells the database of the server at `base` from others, '' where it does not say."""
    answer = httpx.get(f"{base.rstrip('/').removesuffix('/fhir')}/health/ready", timeout=10)
    try:
        told = answer.json()
    except ValueError:
        return ""
    return str(told.get("database", "")) if isinstance(told, dict) else ""
