"""Clients that others wrote, on a server that listens and asks everybody for a token: people's browsers are httpx.

Source: SMART App Launch 2.2 (standalone launch, backend services); RFC 6749, RFC 7636, RFC 7523.
"""

from __future__ import annotations

import asyncio
import html
import re
import secrets
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urljoin

import httpx
import psycopg
import pytest
import uvicorn
from authlib.integrations.httpx_client import AsyncOAuth2Client, OAuthError
from fhirclient.client import FHIRClient
from fhirclient.models.observation import Observation
from fhirclient.models.patient import Patient
from fhirclient.server import FHIRNotFoundException
from fhirpy import SyncFHIRClient
from fhirpy.base.exceptions import AuthorizationError, ForbiddenError, ResourceNotFound

from fhir_server.app import create_app
from fhir_server.auth import accounts, clients, passwords
from fhir_server.auth.clients import CODE, REFRESH, Client
from fhir_server.settings import Settings
from tests.nightly import NIGHTLY, filled, signed_in

START_SECONDS = 30
REDIRECT = "https://app.example.org/back"
EMAIL, PASSWORD = "ana@example.org", "correct horse battery staple"
SCOPE = "openid fhirUser launch/patient offline_access patient/*.rs"
_FIELD = re.compile(r'<input type="(hidden|checkbox)" name="([^"]+)"(?: value="([^"]*)")?')


class Site:
    """A server that listens."""

    def __init__(self, root: str) -> None:
        self.root, self.base = root, f"{root}/fhir"

    def configuration(self) -> dict[str, Any]:
        """Return what a client finds out by itself."""
        found: dict[str, Any] = httpx.get(f"{self.base}/.well-known/smart-configuration").json()
        return found


@pytest.fixture(scope="module")
def site(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Yield the server, with Ana's account and record, somebody else's record, and three apps."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        root = f"http://127.0.0.1:{listener.getsockname()[1]}"
        folder = tmp_path_factory.mktemp("data")
        with _listening(listener, _settings(database_url, root, folder)):
            asyncio.run(_known(database_url))
            site = Site(root)
            filled(site.base)
            yield site


def _settings(database_url: str, root: str, folder: Path) -> Settings:
    return Settings(
        database_url=database_url,
        pool_size=4,
        base_url=f"{root}/fhir",
        authorization="smart",
        data_dir=folder,
    )


class _listening:  # noqa: N801
    def __init__(self, listener: socket.socket, settings: Settings) -> None:
        app = create_app(settings)
        self.server = uvicorn.Server(uvicorn.Config(app, ws="none", log_config=None, access_log=False))
        self.thread = threading.Thread(target=self.server.run, kwargs={"sockets": [listener]}, daemon=True)

    def __enter__(self) -> None:
        self.thread.start()
        deadline = time.monotonic() + START_SECONDS
        while not self.server.started and self.thread.is_alive() and time.monotonic() < deadline:
            time.sleep(0.02)
        assert self.server.started

    def __exit__(self, *_: object) -> None:
        self.server.should_exit = True
        self.thread.join(START_SECONDS)


async def _known(database_url: str) -> None:
    hashed = await passwords.hashed(PASSWORD)
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as conn:
        await accounts.create(
            conn, name="Ana Rivera", email=EMAIL, user="Patient/ana", roles=["patient"], password=hashed,
            verified=True,
        )  # fmt: skip
        await clients.add(conn, _app("app", kind="public"))
        await clients.add(conn, NIGHTLY)


def _app(id_: str, kind: Literal["public"]) -> Client:
    return Client(
        id=id_, name=f"The {id_}", kind=kind, redirect_uris=[REDIRECT], grants=[CODE, REFRESH],
        scopes=["openid", "fhirUser", "launch/patient", "offline_access", "patient/*.cruds"],
    )  # fmt: skip


def browsed(site: Site, url: str) -> str:
    """Return where Ana's browser is sent to in the end: she signs in and agrees to all that is asked."""
    with httpx.Client(base_url=site.root, timeout=30) as browser:
        answer = browser.get(url)
        for _ in range(12):
            if answer.is_redirect:
                there = urljoin(str(answer.url), answer.headers["location"])
                if there.startswith(REDIRECT):
                    return there
                answer = browser.get(there)
            else:
                answer = _sent(browser, answer)
    raise AssertionError(f"the browser got no further than {answer.url}")


def _sent(browser: httpx.Client, page: httpx.Response) -> httpx.Response:
    assert page.status_code == 200, page.text[:500]
    fields: dict[str, list[str]] = {}
    for _, name, value in _FIELD.findall(page.text):
        fields.setdefault(name, []).append(html.unescape(value or "on"))
    if page.url.path == "/auth/sign-in":
        return browser.post("/auth/sign-in", data={**fields, "email": EMAIL, "password": PASSWORD})
    assert page.url.path == "/auth/consent", page.url
    return browser.post("/auth/consent", data={**fields, "decision": "allow"})


def standalone(site: Site) -> FHIRClient:
    """Return SMART's own Python client, which has not asked for anything yet."""
    return FHIRClient(
        settings={"app_id": "app", "api_base": site.base, "redirect_uri": REDIRECT, "scope": SCOPE}
    )


def test_fhirclient_launches_alone_and_reads_the_patient(site: Site) -> None:
    smart = standalone(site)
    assert not smart.prepare()  # not until somebody agrees
    smart.handle_callback(browsed(site, smart.authorize_url))
    assert smart.ready
    assert smart.patient_id == "ana"
    assert smart.patient.name[0].family == "Ana"
    found = Observation.where({}).perform_resources(smart.server)
    assert [one.id for one in found] == ["pulse-ana"]
    with pytest.raises(FHIRNotFoundException) as caught:
        Patient.read("bo", smart.server)
    assert "Bo" not in str(caught.value)


def test_fhirclient_refreshes_and_goes_on(site: Site) -> None:
    smart = standalone(site)
    smart.prepare()
    smart.handle_callback(browsed(site, smart.authorize_url))
    before = (smart.server.auth.access_token, smart.server.auth.refresh_token)
    assert smart.reauthorize()
    after = (smart.server.auth.access_token, smart.server.auth.refresh_token)
    assert set(before).isdisjoint(after)
    assert Patient.read("ana", smart.server).id == "ana"


def test_fhirclient_notices_the_state_of_another_launch(site: Site) -> None:
    one, other = standalone(site), standalone(site)
    one.prepare()
    other.prepare()
    back = browsed(site, one.authorize_url)
    other.authorize_url  # noqa: B018  (has a state of its own from here on)
    with pytest.raises(Exception, match="Invalid state"):
        other.handle_callback(back)


async def test_authlib_launches_with_pkce_and_refreshes(site: Site) -> None:
    found = site.configuration()
    async with AsyncOAuth2Client(
        "app", redirect_uri=REDIRECT, scope=SCOPE, code_challenge_method="S256",
        token_endpoint_auth_method="none", token_endpoint=found["token_endpoint"],
    ) as app:  # fmt: skip
        verifier = secrets.token_urlsafe(48)
        url, state = app.create_authorization_url(
            found["authorization_endpoint"], code_verifier=verifier, aud=site.base
        )
        back = await asyncio.to_thread(browsed, site, url)
        token = await app.fetch_token(
            found["token_endpoint"], authorization_response=back, state=state, code_verifier=verifier
        )
        assert (token["patient"], token["token_type"].lower()) == ("ana", "bearer")
        assert (await app.get(f"{site.base}/Patient/ana")).status_code == 200
        assert (await app.get(f"{site.base}/Patient/bo")).status_code == 404
        renewed = await app.refresh_token(found["token_endpoint"], refresh_token=token["refresh_token"])
        assert renewed["access_token"] != token["access_token"]
        assert (await app.get(f"{site.base}/Patient/ana")).status_code == 200


async def test_authlib_is_refused_with_another_verifier(site: Site) -> None:
    found = site.configuration()
    async with AsyncOAuth2Client(
        "app", redirect_uri=REDIRECT, scope=SCOPE, code_challenge_method="S256",
        token_endpoint_auth_method="none",
    ) as app:  # fmt: skip
        url, state = app.create_authorization_url(
            found["authorization_endpoint"], code_verifier=secrets.token_urlsafe(48), aud=site.base
        )
        back = await asyncio.to_thread(browsed, site, url)
        with pytest.raises(OAuthError, match="invalid_grant"):
            await app.fetch_token(
                found["token_endpoint"], authorization_response=back, state=state,
                code_verifier=secrets.token_urlsafe(48),
            )  # fmt: skip


@pytest.mark.parametrize("alg", ["RS384", "ES384"])
def test_a_backend_service_signs_for_its_token(site: Site, alg: str) -> None:
    answer = signed_in(site.base, alg)
    assert answer.status_code == 200, answer.text
    assert answer.json()["expires_in"] <= 300
    assert "refresh_token" not in answer.json()
    token = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    assert httpx.get(f"{site.base}/Patient/bo", headers=token).status_code == 200
    assert httpx.get(f"{site.base}/Encounter", headers=token).status_code == 403


@pytest.mark.parametrize("alg", ["RS384", "ES384"])
def test_a_backend_service_that_signs_for_another_server_gets_nothing(site: Site, alg: str) -> None:
    answer = signed_in(site.base, alg, aud="https://other.example/token")
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


def test_fhirpy_works_with_a_token_and_not_without(site: Site) -> None:
    token = signed_in(site.base, "RS384").json()["access_token"]
    fhir = SyncFHIRClient(site.base, authorization=f"Bearer {token}")
    assert {one.id for one in fhir.resources("Patient").search().fetch_all()} == {"ana", "bo"}
    patient = fhir.resource("Patient", name=[{"family": "Fhirpy"}])
    patient.save()
    fhir.delete("Patient", patient.id)
    with pytest.raises(ResourceNotFound):
        fhir.reference("Patient", patient.id).to_resource()
    with pytest.raises(ForbiddenError, match="no scope for Encounter"):
        fhir.resources("Encounter").search().fetch()
    with pytest.raises(AuthorizationError):
        SyncFHIRClient(site.base).resources("Patient").search().fetch()
