"""From the first run the server is secured: people, an app and this machine's own commands get in, nobody else does.

Source: SMART App Launch 2.2, backend-services
"""

from __future__ import annotations

import base64
import hashlib
import html
import os
import re
import stat
import subprocess
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

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


VERIFIER = "v" * 64
CHALLENGE = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
BACK = "http://localhost:3000/"


def launched(server: LiveServer, role: str, scope: str) -> dict[str, Any]:
    """Return what the token endpoint tells the demo app that a demo person signed in for and said yes to."""
    _, email, password, _ = next(row for row in ACCOUNT.findall(server.log.read_text()) if row[0] == role)
    asked = {
        "response_type": "code",
        "client_id": "demo-app",
        "redirect_uri": BACK,
        "scope": scope,
        "state": "s" * 22,
        "aud": server.base,
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    with httpx.Client(base_url=server.root, timeout=30) as browser:
        page = _followed(browser, browser.get("/auth/authorize", params=asked))
        page = _sent(browser, page, email=email, password=password)
        if page.url.path == "/auth/patient":  # whose record? There is one to choose
            (link,) = re.findall(r'href="(/auth/consent[^"]*patient=[^"]*)"', page.text)
            page = browser.get(html.unescape(link))
        done = _sent(browser, page, decision="allow")
        back = parse_qs(urlsplit(done.headers["location"]).query)
        form = {
            "grant_type": "authorization_code",
            "client_id": "demo-app",
            "redirect_uri": BACK,
            "code": back["code"][0],
            "code_verifier": VERIFIER,
        }
        answer = browser.post("/auth/token", data=form, headers={"Origin": "http://localhost:3000"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["access-control-allow-origin"] == "http://localhost:3000"
    told: dict[str, Any] = answer.json()
    return told


def _followed(browser: httpx.Client, answer: httpx.Response) -> httpx.Response:
    """Return the page to which redirects lead, or the redirect back to the app."""
    while answer.is_redirect and not answer.headers["location"].startswith(BACK):
        answer = browser.get(answer.headers["location"])
    return answer


def _sent(browser: httpx.Client, page: httpx.Response, **entered: str) -> httpx.Response:
    """Return what follows on sending a page's form as it is shown, with what a person enters."""
    shown = re.findall(r'<input[^>]*name="([^"]+)"[^>]*value="([^"]*)"', page.text)
    kept = [(name, html.unescape(value)) for name, value in shown if not name.startswith(("kinds", "type"))]
    fields: dict[str, Any] = dict(kept) | entered
    return _followed(browser, browser.post(page.url.path, data=fields))


def test_the_demo_patient_lets_the_demo_app_see_her_record_and_nobody_elses(first: LiveServer) -> None:
    told = launched(first, "patient", "openid fhirUser launch/patient patient/*.rs")
    assert told["patient"] == "demo-7-0000"
    mine = get(first, "Patient", told["access_token"]).json()
    assert [entry["resource"]["id"] for entry in mine["entry"]] == ["demo-7-0000"]
    assert get(first, "Patient/demo-7-0001", told["access_token"]).status_code == 404
    subjects = {
        entry["resource"]["subject"]["reference"]
        for entry in get(first, "Observation?_count=1000", told["access_token"]).json()["entry"]
        if entry["search"]["mode"] == "match"
    }
    assert subjects == {"Patient/demo-7-0000"}


def test_the_demo_caregiver_sees_the_child_that_she_acts_for(first: LiveServer) -> None:
    told = launched(first, "caregiver", "openid fhirUser launch/patient patient/*.rs")
    assert told["patient"] == "demo-7-0001"
    assert get(first, "Patient/demo-7-0001", told["access_token"]).status_code == 200
    assert get(first, "Patient/demo-7-0000", told["access_token"]).status_code == 404


def test_the_demo_clinician_is_asked_for_a_second_factor(first: LiveServer) -> None:
    _, email, password, _ = next(
        row for row in ACCOUNT.findall(first.log.read_text()) if row[0] == "clinician"
    )
    with httpx.Client(base_url=first.root, timeout=30) as browser:
        page = _sent(browser, browser.get("/auth/sign-in"), email=email, password=password)
        assert page.url.path.startswith("/auth/mfa"), page.url


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
