"""Signing in with a provider of somebody else: oidc-provider-mock, which is Authlib's OpenID server.

Source: OpenID Connect Core 1.0 sections 3.1.2 and 3.1.3.7, RFC 9700
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
import pytest_asyncio

from fhir_server.app import App
from fhir_server.auth import accounts, sessions
from fhir_server.settings import IdentityProvider
from tests.integration.people.browser import Browser, person, store_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def issuer() -> Iterator[str]:
    """Yield the issuer of a provider in a process of its own."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "oidc_provider_mock",
        "--port",
        str(port),
        "--require-nonce",
    ]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            with suppress(httpx.TransportError):
                if httpx.get(f"{url}/.well-known/openid-configuration").is_success:
                    break
            time.sleep(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(10)


@pytest_asyncio.fixture(loop_scope="module")
async def clinic(app: App, issuer: str) -> App:
    """Return the app with the provider `clinic`."""
    set_provider(
        app, IdentityProvider(issuer=issuer, client_id="hb", client_secret="s", label="Clinic", private=True)
    )
    return app


def set_provider(app: App, provider: IdentityProvider, **said: Any) -> None:
    settings = app.fhir.settings.model_copy(update={"identity_providers": {"clinic": provider}, **said})
    app.state.desk.settings = settings


def known(issuer: str, sub: str, **claims: Any) -> None:
    """Make somebody known to the provider."""
    assert httpx.put(f"{issuer}/users/{sub}", json=claims).is_success


async def came_back(browser: Browser, sub: str, request: str = "") -> str:
    """Return the address that the provider sends a browser back to after `sub` signed in there."""
    start = await browser.get(f"/auth/federated/clinic{'?request=' + request if request else ''}")
    assert start.status_code == 303, start.text[:500]
    url = start.headers["location"]
    async with httpx.AsyncClient() as there:
        answer = await there.post(url, data={"sub": sub})
    assert answer.status_code == 302, answer.text[:500]
    return str(answer.headers["location"])


def local(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.path}?{parts.query}"


async def test_the_browser_goes_out_with_pkce_state_and_nonce(clinic: App, browser: Browser) -> None:
    assert "Sign in with Clinic" in (await browser.get("/auth/sign-in")).text
    start = await browser.get("/auth/federated/clinic")
    query = {name: values[0] for name, values in parse_qs(urlsplit(start.headers["location"]).query).items()}
    assert query["response_type"] == "code"
    assert query["code_challenge_method"] == "S256"
    assert query["redirect_uri"] == "http://127.0.0.1:8000/auth/federated/clinic/callback"
    assert min(len(query[name]) for name in ("state", "nonce", "code_challenge")) >= 43


async def test_somebody_new_gets_an_account_that_is_nobody_of_the_record(
    clinic: App, browser: Browser, issuer: str
) -> None:
    known(issuer, "new-sub", email="new-fed@example.org", email_verified=True, name="Nora New")
    answer = await browser.get(local(await came_back(browser, "new-sub")))
    assert answer.headers["location"] == "/auth/account"
    signed = await sessions.signed_in(store_of(clinic), {"hb": browser.cookie})
    assert signed is not None
    assert (signed.name, signed.roles, signed.user, signed.amr) == ("Nora New", (), "", ("fed",))


async def test_the_same_identity_is_the_same_account_whatever_its_address(
    clinic: App, browser: Browser, issuer: str
) -> None:
    known(issuer, "same-sub", email="same1@example.org", email_verified=True, name="Sam")
    await browser.get(local(await came_back(browser, "same-sub")))
    first = await sessions.signed_in(store_of(clinic), {"hb": browser.cookie})
    known(issuer, "same-sub", email="same2@example.org", email_verified=True, name="Sam")
    other = Browser(clinic)
    await other.get(local(await came_back(other, "same-sub")))
    second = await sessions.signed_in(store_of(clinic), {"hb": other.cookie})
    assert first is not None
    assert second is not None
    assert first.account == second.account


async def test_an_address_that_both_sides_verified_connects(
    clinic: App, browser: Browser, issuer: str
) -> None:
    account = await person(clinic, "both@example.org")
    known(issuer, "both-sub", email="both@example.org", email_verified=True, name="Bo")
    await browser.get(local(await came_back(browser, "both-sub")))
    signed = await sessions.signed_in(store_of(clinic), {"hb": browser.cookie})
    assert signed is not None
    assert signed.account == account.id


async def test_an_address_that_the_provider_has_not_verified_takes_nobodys_account(
    clinic: App, browser: Browser, issuer: str
) -> None:
    account = await person(clinic, "victim@example.org")
    known(issuer, "thief-sub", email="victim@example.org", email_verified=False, name="Thief")
    await browser.get(local(await came_back(browser, "thief-sub")))
    signed = await sessions.signed_in(store_of(clinic), {"hb": browser.cookie})
    assert signed is not None
    assert signed.account != account.id
    assert signed.email == ""


async def test_an_account_that_waits_is_not_taken_over(clinic: App, browser: Browser, issuer: str) -> None:
    await person(clinic, "waits@example.org", state="waiting", verified=False)
    known(issuer, "waits-sub", email="waits@example.org", email_verified=True)
    answer = await browser.get(local(await came_back(browser, "waits-sub")))
    assert answer.status_code == 401


async def test_a_second_factor_is_still_owed(clinic: App, browser: Browser, issuer: str) -> None:
    await person(clinic, "fedclin@example.org", "clinician")
    known(issuer, "fedclin-sub", email="fedclin@example.org", email_verified=True)
    answer = await browser.get(local(await came_back(browser, "fedclin-sub")))
    assert answer.headers["location"] == "/auth/mfa/add"


async def test_the_waiting_request_of_an_app_comes_along(clinic: App, browser: Browser, issuer: str) -> None:
    known(issuer, "asks-sub", email="asks@example.org", email_verified=True)
    answer = await browser.get(local(await came_back(browser, "asks-sub", "abcdefghijkl")))
    assert answer.headers["location"] == "/auth/continue?request=abcdefghijkl"


async def test_an_answer_counts_once(clinic: App, browser: Browser, issuer: str) -> None:
    known(issuer, "once-sub", email="fedonce@example.org", email_verified=True)
    back = local(await came_back(browser, "once-sub"))
    assert (await browser.get(back)).status_code == 303
    assert (await browser.get(back)).status_code == 401


async def test_an_answer_that_another_browser_began_is_refused(
    clinic: App, browser: Browser, issuer: str
) -> None:
    known(issuer, "attacker-sub", email="attacker@example.org", email_verified=True)
    back = local(await came_back(browser, "attacker-sub"))
    victim = Browser(clinic)
    await victim.get("/auth/sign-in")
    assert (await victim.get(back)).status_code == 401
    assert await sessions.signed_in(store_of(clinic), {"hb": victim.cookie}) is None


@pytest.mark.parametrize("change", ["&iss=https://other.example", "&error=access_denied"])
async def test_an_answer_of_another_issuer_or_a_refusal_lets_nobody_in(
    clinic: App, browser: Browser, issuer: str, change: str
) -> None:
    known(issuer, "mix-sub", email="mix@example.org", email_verified=True)
    back = local(await came_back(browser, "mix-sub"))
    assert (await browser.get(back + change)).status_code == 401


async def test_without_sign_up_only_those_who_have_an_account_come_in(
    clinic: App, browser: Browser, issuer: str
) -> None:
    set_provider(clinic, IdentityProvider(issuer=issuer, client_id="hb", private=True), sign_up=False)
    known(issuer, "closed-sub", email="fedclosed@example.org", email_verified=True)
    answer = await browser.get(local(await came_back(browser, "closed-sub")))
    assert answer.status_code == 401
    async with store_of(clinic).pool.connection() as conn:
        assert await accounts.by_email(conn, "fedclosed@example.org") is None


async def test_a_provider_inside_our_network_must_be_allowed_by_name(
    clinic: App, browser: Browser, issuer: str
) -> None:
    set_provider(clinic, IdentityProvider(issuer=issuer, client_id="hb"))
    assert (await browser.get("/auth/federated/clinic")).status_code == 502


async def test_a_provider_that_calls_itself_otherwise_is_refused(
    clinic: App, browser: Browser, issuer: str
) -> None:
    set_provider(clinic, IdentityProvider(issuer=f"{issuer}/", client_id="hb", private=True))
    assert (await browser.get("/auth/federated/clinic")).status_code == 502


async def test_who_came_in_and_who_did_not_is_in_the_trail(
    clinic: App, browser: Browser, issuer: str
) -> None:
    known(issuer, "trail-sub", email="fedtrail@example.org", email_verified=True)
    back = local(await came_back(browser, "trail-sub"))
    await browser.get(back)
    await browser.get(back)
    async with store_of(clinic).pool.connection() as conn:
        cursor = await conn.execute(
            "SELECT status FROM audit_entry WHERE kind = 'sign-in' ORDER BY at DESC LIMIT 2"
        )
        assert sorted(row[0] for row in await cursor.fetchall()) == [200, 401]
