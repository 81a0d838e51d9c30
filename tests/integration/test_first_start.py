"""From the first run the server is secured: people, an app and this machine's own commands get in, nobody else does.

Source: SMART App Launch 2.2, backend-services
"""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator

import httpx
import pytest

from tests.live import ROOT, SMALL, LiveServer, eventually, serving

ACCOUNT = re.compile(r"^  (\w+) +(\w+@demo\.example) +(\S+) +(\S*)$", re.MULTILINE)
ROLES = ["patient", "caregiver", "clinician", "operator", "auditor"]
DEMO = {"demo_patients": "3", "authorization": "smart", "workers": "1"}


@pytest.fixture(scope="module")
def first() -> Iterator[LiveServer]:
    with serving(**{**SMALL, **DEMO}) as server:
        assert eventually(lambda: "Ctrl-C stops it" in server.log.read_text(), 90), server.log.read_text()
        yield server


def command(server: LiveServer, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
    given = {f"HEALTHBUDDY_{name.upper()}": value for name, value in server.settings.items()}
    return subprocess.run(
        [sys.executable, "-m", "fhir_server.cli", *arguments],
        cwd=ROOT,
        env=os.environ | given | more,
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )


def token(server: LiveServer, *arguments: str) -> str:
    done = command(server, "token", *arguments)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def get(server: LiveServer, path: str, token: str) -> httpx.Response:
    return httpx.get(f"{server.base}/{path}", headers={"Authorization": f"Bearer {token}"}, timeout=20)


def test_accounts_are_told_with_passwords_that_differ(first: LiveServer) -> None:
    told = ACCOUNT.findall(first.log.read_text())
    assert [role for role, *_ in told] == ROLES
    assert [user for *_, user in told][:3] == [
        "Patient/demo-7-0000",
        "RelatedPerson/demo-7-0001-relatedperson-1",
        "Practitioner/demo-family",
    ]
    assert len({password for _, _, password, _ in told}) == len(told)
    assert all(len(password) >= 16 for _, _, password, _ in told)


def test_nobody_gets_in_without_a_token(first: LiveServer) -> None:
    for path in ("Patient", "Patient/demo-7-0000", "Patient/demo-7-0000/_history"):
        answer = first.get(path)
        assert (answer.status_code, answer.json()["issue"][0]["code"]) == (401, "login")
        assert answer.headers["www-authenticate"].startswith("Bearer ")
    assert first.get("metadata").status_code == 200


def test_the_demo_data_were_loaded_by_a_command_with_a_token(first: LiveServer) -> None:
    found = get(first, "Patient?_summary=count", token(first)).json()
    assert found["total"] == 3
    consent = get(first, "Consent?actor=RelatedPerson/demo-7-0001-relatedperson-1", token(first)).json()
    assert [entry["resource"]["patient"]["reference"] for entry in consent["entry"]] == [
        "Patient/demo-7-0001"
    ]


def test_a_token_can_be_asked_for_less(first: LiveServer) -> None:
    narrow = token(first, "--scope", "system/Patient.rs")
    assert get(first, "Patient/demo-7-0000", narrow).status_code == 200
    assert get(first, "Observation", narrow).status_code == 403


def test_the_keys_are_their_owners_alone(first: LiveServer) -> None:
    files = [file for file in (first.data / "keys").rglob("*") if file.is_file()]
    assert files
    assert [file.name for file in files if stat.S_IMODE(file.stat().st_mode) & 0o077] == []


def test_a_command_without_the_key_says_what_is_missing(first: LiveServer, tmp_path: object) -> None:
    done = command(first, "reindex", "--base", first.base, HEALTHBUDDY_DATA_DIR=str(tmp_path))
    assert done.returncode == 1
    assert "HEALTHBUDDY_TOKEN" in done.stderr
    given = token(first)
    done = command(
        first,
        "reindex",
        "--type=Patient",
        "--base",
        first.base,
        HEALTHBUDDY_DATA_DIR=str(tmp_path),
        HEALTHBUDDY_TOKEN=given,
    )
    assert done.returncode == 0, done.stderr


def test_no_secret_is_in_the_log(first: LiveServer) -> None:
    given = token(first)
    get(first, "Patient/demo-7-0000", given)
    assert given not in first.log.read_text()
    assert "BEGIN" not in first.log.read_text()


def test_browsers_of_the_demo_app_may_call_and_others_may_not(first: LiveServer) -> None:
    asking = {"Origin": "http://localhost:3000", "Access-Control-Request-Method": "GET"}
    allowed = httpx.options(f"{first.base}/Patient", headers=asking, timeout=20)
    assert allowed.headers["access-control-allow-origin"] == "http://localhost:3000"
    asking["Origin"] = "http://localhost:3001"
    refused = httpx.options(f"{first.base}/Patient", headers=asking, timeout=20)
    assert "access-control-allow-origin" not in refused.headers
    public = httpx.get(f"{first.base}/.well-known/smart-configuration", headers=asking, timeout=20)
    assert public.headers["access-control-allow-origin"] == "*"


def test_the_next_start_shows_no_password_and_makes_no_account(first: LiveServer) -> None:
    assert first.stop() == 0
    before = len(first.log.read_text())
    first.start()
    assert eventually(lambda: "Ctrl-C stops it" in first.log.read_text()[before:], 30)
    assert ACCOUNT.findall(first.log.read_text()[before:]) == []
    assert get(first, "Patient/demo-7-0000", token(first)).status_code == 200
