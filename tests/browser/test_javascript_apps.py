"""Apps in JavaScript that others wrote, in Chromium and under node, against a server that listens.

They are installed as `apps/package-lock.json` says, into `.cache`; without npm or a network the tests are skipped.
Source: SMART App Launch 2.2 (EHR and standalone launch)
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import threading
from collections.abc import Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import psycopg
import pytest
from playwright.sync_api import Browser, Page, expect

from fhir_server.auth import clients
from fhir_server.auth.clients import CODE, REFRESH, Client
from tests.browser.conftest import Site
from tests.browser.test_pages import person, sign_in
from tests.live import ROOT
from tests.nightly import NIGHTLY, filled

APPS = Path(__file__).parent / "apps"
LISTED = "package.json", "package-lock.json", ".npmrc"
LAUNCH = """<script src="/fhir-client.js"></script>
<script>FHIR.oauth2.authorize({clientId: CLIENT, scope: SCOPE, redirectUri: "/CLIENT.html",
  pkceMode: "required"})</script>"""
READY = """<script src="/fhir-client.js"></script><pre></pre>
<script>
const show = (told) => { document.querySelector("pre").textContent = JSON.stringify(told) };
FHIR.oauth2.ready().then(async (client) => {
  const token = client.state.tokenResponse;
  if (!client.patient.id) return show({token, user: client.getFhirUser()});
  const patient = await client.patient.read();
  const pulses = await client.request("Observation?patient=" + patient.id, {flat: true});
  const hidden = await client.request("Patient/bo").then(
    () => "seen", (error) => error.status || error.statusCode || String(error));
  const user = client.getFhirUser();
  show({token, patient, pulses, hidden, user});
}).catch((error) => show({error: String(error)}));
</script>"""
SCOPES = {
    "alone": "openid fhirUser launch/patient offline_access patient/*.rs",
    "launched": "openid fhirUser launch patient/*.rs",
    "ehr": "openid fhirUser launch:create user/*.rs",
}


@pytest.fixture(scope="module")
def installed() -> Path:
    """Return the folder with the apps' packages."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        pytest.skip("there is no node with npm on this machine")
    key = sha256(b"".join((APPS / name).read_bytes() for name in LISTED)).hexdigest()[:12]
    folder = ROOT / ".cache" / f"apps-{key}"
    if not (folder / "done").exists():
        folder.mkdir(parents=True, exist_ok=True)
        for name in LISTED:
            shutil.copy(APPS / name, folder / name)
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
        if ran.returncode:
            pytest.skip(f"the apps' packages cannot be had here: {ran.stderr[-200:]}")
        (folder / "done").touch()
    return folder / "node_modules"


@pytest.fixture
def page(chromium: Browser) -> Iterator[Page]:
    """Yield a window; that it reports answers with 404 is right here."""
    with chromium.new_context() as context:
        yield context.new_page()


@pytest.fixture(scope="module")
def home(installed: Path) -> Iterator[str]:
    """Yield the address of a web server with the apps' pages: another origin than the FHIR server's."""
    script = (installed / "fhirclient" / "build" / "fhir-client.js").read_bytes()
    pages = {"/fhir-client.js": script, "/favicon.ico": b"", "/node.html": b"back"}
    for name, scope in SCOPES.items():
        launch = LAUNCH.replace("/CLIENT", f"/{name}").replace("CLIENT", json.dumps(name))
        pages[f"/{name}-launch.html"] = launch.replace("SCOPE", json.dumps(scope)).encode()
        pages[f"/{name}.html"] = READY.encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            self.send_response(200 if path in pages else 404)
            self.send_header("Content-Type", "text/javascript" if path.endswith("js") else "text/html")
            self.end_headers()
            self.wfile.write(pages.get(path, b""))

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join(10)


@pytest.fixture(scope="module")
def known(site: Site, home: str) -> Site:
    """Return the server once it knows the apps, two people and their records."""

    async def add() -> None:
        async with await psycopg.AsyncConnection.connect(site.database_url, autocommit=True) as conn:
            await clients.add(conn, NIGHTLY)
            for name, scope in SCOPES.items():
                await clients.add(
                    conn,
                    Client(
                        id=name, name=f"The {name}", kind="public",
                        redirect_uris=[f"{home}/{name}.html", f"{home}/node.html"],
                        launch_uri=f"{home}/{name}-launch.html", grants=[CODE, REFRESH], scopes=scope.split(),
                    ),
                )  # fmt: skip

    ran = threading.Thread(target=lambda: asyncio.run(add()))  # beside the loop of the browser's driver
    ran.start()
    ran.join(30)
    filled(f"{site.base}/fhir")
    site.app.state.desk.settings = site.app.fhir.settings.model_copy(update={"mfa_roles": ()})
    person(site, "ana@example.org", "patient", "Patient/ana")
    person(site, "doctor@example.org", "clinician", "Practitioner/doctor")
    return site


def told(page: Page) -> dict[str, Any]:
    """Return what an app shows of its launch."""
    shown = page.locator("pre")
    expect(shown).not_to_be_empty(timeout=15_000)
    found: dict[str, Any] = json.loads(shown.inner_text())
    assert "error" not in found, found
    return found


def agreed(page: Page, site: Site, email: str) -> None:
    """Sign in where that is asked for, and allow what the app asks for."""
    page.wait_for_url("**/auth/sign-in?**")
    sign_in(page, site, email)
    page.get_by_role("button", name="Allow", exact=True).click()


def test_fhirclient_launches_alone_in_a_browser(page: Page, known: Site, home: str) -> None:
    page.goto(f"{home}/alone-launch.html?{urlencode({'iss': known.base + '/fhir'})}")
    agreed(page, known, "ana@example.org")
    found = told(page)
    assert found["patient"]["id"] == "ana"
    assert [one["id"] for one in found["pulses"]] == ["pulse-ana"]
    assert found["hidden"] == 404
    assert found["user"].endswith("Patient/ana")
    assert found["token"]["refresh_token"]


def test_fhirclient_is_launched_from_an_ehr_in_a_browser(page: Page, known: Site, home: str) -> None:
    page.goto(f"{home}/ehr-launch.html?{urlencode({'iss': known.base + '/fhir'})}")
    agreed(page, known, "doctor@example.org")
    token = told(page)["token"]["access_token"]
    context = {"client_id": "launched", "patient": "ana", "need_patient_banner": False}
    started = httpx.post(
        f"{known.base}/auth/launches", json=context, headers={"Authorization": f"Bearer {token}"}
    )
    assert started.status_code == 201, started.text
    page.goto(started.json()["launch_url"])
    page.get_by_role("button", name="Allow", exact=True).click()
    found = told(page)
    assert found["patient"]["id"] == "ana"
    assert found["token"]["need_patient_banner"] is False
    assert [one["id"] for one in found["pulses"]] == ["pulse-ana"]
    assert found["user"].endswith("Practitioner/doctor")
    assert found["hidden"] == 404


@pytest.mark.parametrize("library", ["openid-client", "oauth4webapi"])
def test_openid_libraries_launch_from_node(
    page: Page, known: Site, home: str, installed: Path, library: str
) -> None:
    script = installed.parent / f"{library}.mjs"
    shutil.copy(APPS / script.name, script)
    redirect = f"{home}/node.html"
    command = ["node", str(script), known.base, "alone", redirect, SCOPES["alone"]]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as app:
        assert app.stdin is not None
        assert app.stdout is not None
        start = app.stdout.readline()
        assert start, app.stderr and app.stderr.read()
        page.goto(start.strip())
        agreed(page, known, "ana@example.org")
        page.wait_for_url(f"{redirect}?**")
        out, errors = app.communicate(page.url + "\n", timeout=30)
    assert app.returncode == 0, errors
    found = json.loads(out)
    assert found == {"sub": "ana", "patient": "ana", "status": 200, "hidden": 404, "renewed": True}
