"""The README's commands, each as a new user types it: bash and curl against a server with the demo data."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.web import JSON
from tests.live import ROOT, SMALL, LiveServer, eventually, serving

README = Path(__file__).parents[2] / "README.md"
REFUSED = {'"gender":"purple"': "422", "code:above": "400"}
"""What the README shows to be refused."""


def token(server: LiveServer) -> str:
    """Return what the README's `healthbuddy token` prints."""
    given = {f"HEALTHBUDDY_{name.upper()}": value for name, value in server.settings.items()}
    done = subprocess.run(
        [sys.executable, "-m", "fhir_server.cli", "token"],
        cwd=ROOT,
        env=os.environ | given,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return done.stdout.strip()


def commands() -> list[str]:
    """Return the curl commands of the section 'Five minutes', a continued one as one line."""
    block = re.search(r"^## Five minutes.*?^```sh\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    assert block is not None
    lines = block[1].replace("\\\n", " ").splitlines()
    return [line for line in lines if line.startswith("curl ")]


@pytest.fixture(scope="module")
def demo_server() -> Iterator[LiveServer]:
    """Yield a server as `make run` starts it, with the first of the demo people."""
    given = {**SMALL, "demo_patients": "2", "authorization": "smart", "workers": "1"}
    with serving(**given) as server:
        assert eventually(lambda: "Ctrl-C stops it" in server.log.read_text(), 90), server.log.read_text()
        yield server


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_every_command_is_answered_as_the_readme_says(demo_server: LiveServer) -> None:
    found = {}
    names = f"B={demo_server.base}; J='Content-Type: {JSON}'; H='Authorization: Bearer {token(demo_server)}'"
    for command in commands():
        script = f"{names}\n{command} -s -o /dev/null -w '%{{http_code}}'"
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False)
        found[command] = done.stdout[:1] + "xx" if done.stdout.startswith("2") else done.stdout
    wanted = {
        command: next((status for text, status in REFUSED.items() if text in command), "2xx")
        for command in found
    }
    assert len(found) > 10
    assert found == wanted
