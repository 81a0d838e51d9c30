"""The README's commands, each as a new user types it: bash and curl against a server with the demo data."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import httpx
import pytest

from fhir_server.demo import generate
from resources.codec.json import dump_json
from tests.integration.web import JSON

README = Path(__file__).parents[2] / "README.md"
REFUSED = {'"gender":"purple"': "422", "code:above": "400"}
"""What the README shows to be refused."""


def commands() -> list[str]:
    """Return the curl commands of the section 'Five minutes', a continued one as one line."""
    block = re.search(r"^## Five minutes.*?^```sh\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    assert block is not None
    lines = block[1].replace("\\\n", " ").splitlines()
    return [line for line in lines if line.startswith("curl ")]


@pytest.fixture(scope="module")
def demo_server(live_server: str) -> str:
    """Return the base of a server that has the first of the demo people."""
    for bundle in generate(patients=2, seed=7):
        answer = httpx.post(
            live_server, content=dump_json(bundle), headers={"Content-Type": JSON}, timeout=60
        )
        answer.raise_for_status()
    return live_server


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_every_command_is_answered_as_the_readme_says(demo_server: str) -> None:
    found = {}
    for command in commands():
        script = f"B={demo_server}; J='Content-Type: {JSON}'\n{command} -s -o /dev/null -w '%{{http_code}}'"
        done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False)
        found[command] = done.stdout[:1] + "xx" if done.stdout.startswith("2") else done.stdout
    wanted = {
        command: next((status for text, status in REFUSED.items() if text in command), "2xx")
        for command in found
    }
    assert len(found) > 10
    assert found == wanted
