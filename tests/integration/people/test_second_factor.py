"""Second factors. Source: RFC 6238 section 5.2, WebAuthn level 2 section 7, OWASP ASVS 4.0.3 V2.7, V2.8"""

from __future__ import annotations

import html
import json
import re
import time
from typing import Any

import httpx
import pyotp
import pytest

from fhir_server.app import App
from fhir_server.auth import sessions
from tests.integration.people.authenticator import UP, Authenticator
from tests.integration.people.browser import BASE, Browser, person, sent_texts, store_of, token_of

RP = "127.0.0.1"

pytestmark = pytest.mark.asyncio(loop_scope="module")


def options_of(answer: httpx.Response) -> dict[str, Any]:
    found = re.search(r'data-options="([^"]+)"', answer.text)
    assert found, answer.text[:400]
    return dict(json.loads(html.unescape(found[1])))


def secret_of(answer: httpx.Response) -> str:
    found = re.search(r"<code>([A-Z2-7 ]+)</code>", answer.text)
    assert found, answer.text[:400]
    return found[1].replace(" ", "")


def code(secret: str, step: int = 0) -> str:
    return pyotp.TOTP(secret).at(int(time.time()) + 30 * step)


async def enrolled(app: App, browser: Browser, email: str, role: str = "clinician") -> tuple[str, list[str]]:
    """Return the secret and the recovery codes of somebody new whose role asks for a second factor."""
    await person(app, email, role)
    answer = await browser.sign_in(email)
    assert answer.headers["location"] == "/auth/mfa/add"
    shown = await browser.get("/auth/mfa/add")
    secret = secret_of(shown)
    done = await browser.post("/auth/mfa/add/app", token_of(shown), code=code(secret, -1))
    assert done.status_code == 200, done.text[:400]
    return secret, re.findall(r"<li>([a-z0-9-]{19})</li>", done.text)


async def test_a_role_that_needs_it_gets_nowhere_without_a_second_factor(app: App, browser: Browser) -> None:
    await person(app, "owes@example.org", "clinician")
    await browser.sign_in("owes@example.org")
    assert await sessions.signed_in(store_of(app), {"hb": browser.cookie}) is None
    for path in ("/auth/account", "/auth/account/apps", "/auth/consent?request=x", "/auth/patient"):
        assert (await browser.get(path)).headers["location"].startswith("/auth/sign-in"), path


async def test_an_authenticator_app_is_confirmed_by_its_code_and_signs_in(app: App, browser: Browser) -> None:
    _secret, recovery = await enrolled(app, browser, "app@example.org")
    assert len(set(recovery)) == 10
    signed = await sessions.signed_in(store_of(app), {"hb": browser.cookie})
    assert signed is not None
    assert set(signed.amr) >= {"pwd", "otp", "mfa"}


async def test_the_secret_of_an_app_is_not_in_the_database_in_clear(app: App, browser: Browser) -> None:
    secret, _ = await enrolled(app, browser, "sealed@example.org")
    async with store_of(app).pool.connection() as conn:
        rows = await (await conn.execute("SELECT secret FROM account_factor")).fetchall()
    assert rows
    assert all(secret.encode() not in bytes(row[0]) for row in rows)


async def test_a_code_is_accepted_once(app: App, browser: Browser) -> None:
    secret, _ = await enrolled(app, browser, "once@example.org")
    value = code(secret)
    first, second = Browser(app), Browser(app)
    await first.sign_in("once@example.org")
    await second.sign_in("once@example.org")
    assert (await first.send("/auth/mfa", totp=value)).status_code == 303
    assert (await second.send("/auth/mfa", totp=value)).status_code == 401


async def test_a_code_from_before_an_accepted_one_is_refused(app: App, browser: Browser) -> None:
    secret, _ = await enrolled(app, browser, "before@example.org")
    other = Browser(app)
    await other.sign_in("before@example.org")
    value = code(secret, -1)
    assert (await other.send("/auth/mfa", totp=code(secret))).status_code == 303
    late = Browser(app)
    await late.sign_in("before@example.org")
    assert (await late.send("/auth/mfa", totp=value)).status_code == 401


@pytest.mark.parametrize("value", ["", "000000", "12345", "1234567", "abcdef", "１２３４５６"])
async def test_what_is_no_code_opens_nothing(app: App, browser: Browser, value: str) -> None:
    await enrolled(app, browser, f"nocode{len(value)}{value[:1].encode().hex()}@example.org")
    email = f"nocode{len(value)}{value[:1].encode().hex()}@example.org"
    other = Browser(app)
    await other.sign_in(email)
    assert (await other.send("/auth/mfa", totp=value)).status_code == 401


async def test_guessing_codes_ends_in_waiting(app: App, browser: Browser) -> None:
    await enrolled(app, browser, "guess@example.org")
    other = Browser(app)
    await other.sign_in("guess@example.org")
    token = token_of(await other.get("/auth/mfa"))
    answers = [(await other.post("/auth/mfa", token, totp=f"{n:06d}")).status_code for n in range(8)]
    assert 429 in answers


async def test_a_recovery_code_opens_once(app: App, browser: Browser) -> None:
    _, recovery = await enrolled(app, browser, "recovery@example.org")
    first, second = Browser(app), Browser(app)
    await first.sign_in("recovery@example.org")
    await second.sign_in("recovery@example.org")
    assert (await first.send("/auth/mfa", recovery=recovery[0].upper().replace("-", " "))).status_code == 303
    assert (await second.send("/auth/mfa", recovery=recovery[0])).status_code == 401
    assert (await second.send("/auth/mfa", recovery=recovery[1])).status_code == 303


async def test_a_code_by_mail_stands_in_for_the_app(app: App, browser: Browser) -> None:
    await enrolled(app, browser, "mail@example.org")
    other = Browser(app)
    await other.sign_in("mail@example.org")
    assert (await other.send("/auth/mfa/code", on="/auth/mfa", by="email")).status_code == 200
    sent = re.findall(r"\b(\d{8})\b", (await sent_texts(app, "mail@example.org"))[-1])[0]
    assert (await other.send("/auth/mfa", email=sent)).status_code == 303


async def test_a_code_by_mail_belongs_to_the_session_that_asked(app: App, browser: Browser) -> None:
    await enrolled(app, browser, "theirs@example.org")
    mine, thief = Browser(app), Browser(app)
    await mine.sign_in("theirs@example.org")
    await thief.sign_in("theirs@example.org")
    await mine.send("/auth/mfa/code", on="/auth/mfa", by="email")
    sent = re.findall(r"\b(\d{8})\b", (await sent_texts(app, "theirs@example.org"))[-1])[0]
    assert (await thief.send("/auth/mfa", email=sent)).status_code == 401


async def test_a_few_wrong_codes_end_the_one_that_was_sent(app: App, browser: Browser) -> None:
    await enrolled(app, browser, "fewwrong@example.org")
    other = Browser(app)
    await other.sign_in("fewwrong@example.org")
    await other.send("/auth/mfa/code", on="/auth/mfa", by="email")
    sent = re.findall(r"\b(\d{8})\b", (await sent_texts(app, "fewwrong@example.org"))[-1])[0]
    token = token_of(await other.get("/auth/mfa"))
    for _ in range(5):
        await other.post("/auth/mfa", token, email="00000000")
        async with store_of(app).pool.connection() as conn:
            await conn.execute("DELETE FROM account_attempt")
    assert (await other.post("/auth/mfa", token, email=sent)).status_code == 401


async def test_who_has_only_the_password_cannot_add_a_factor(app: App, browser: Browser) -> None:
    await enrolled(app, browser, "addmine@example.org")
    thief = Browser(app)
    await thief.sign_in("addmine@example.org")
    assert (await thief.get("/auth/mfa/add")).headers["location"] == "/auth/mfa"
    token = token_of(await thief.get("/auth/mfa"))
    answer = await thief.post("/auth/mfa/add/app", token, code="123456")
    assert answer.headers["location"] == "/auth/mfa/add"
    async with store_of(app).pool.connection() as conn:
        row = await (
            await conn.execute(
                "SELECT count(*) FROM account_factor f JOIN account a ON a.id = f.account"
                " WHERE a.email = 'addmine@example.org' AND kind = 'totp'"
            )
        ).fetchone()
    assert row == (1,)


async def test_the_last_factor_of_a_role_that_needs_one_stays(app: App, browser: Browser) -> None:
    await enrolled(app, browser, "last@example.org")
    shown = await browser.get("/auth/account")
    factor = re.findall(r'name="factor" value="([^"]+)"', shown.text)[0]
    answer = await browser.post("/auth/account/factor", token_of(shown), factor=factor)
    assert answer.headers["location"] == "/auth/account?kept=1"
    assert factor in (await browser.get("/auth/account")).text


async def test_a_factor_of_ones_own_choice_can_be_removed_and_recovery_codes_go_with_it(
    app: App, browser: Browser
) -> None:
    await person(app, "choice@example.org")
    await browser.sign_in("choice@example.org")
    shown = await browser.get("/auth/mfa/add")
    await browser.post("/auth/mfa/add/app", token_of(shown), code=code(secret_of(shown)))
    factor = re.findall(r'name="factor" value="([^"]+)"', (await browser.get("/auth/account")).text)[0]
    await browser.send("/auth/account/factor", on="/auth/account", factor=factor)
    async with store_of(app).pool.connection() as conn:
        cursor = await conn.execute(
            "SELECT kind FROM account_factor f JOIN account a ON a.id = f.account"
            " WHERE a.email = 'choice@example.org' AND f.confirmed IS NOT NULL"
        )
        assert await cursor.fetchall() == []


async def passkey_of(app: App, browser: Browser, email: str) -> Authenticator:
    await person(app, email, "clinician")
    await browser.sign_in(email)
    shown = await browser.get("/auth/mfa/add")
    key = Authenticator(RP, BASE)
    made = await browser.post(
        "/auth/mfa/add/passkey", token_of(shown), credential=key.make(options_of(shown)), label="Key"
    )
    assert made.status_code == 200, made.text[:300]
    return key


async def test_a_passkey_is_made_and_is_the_second_factor(app: App, browser: Browser) -> None:
    key = await passkey_of(app, browser, "key@example.org")
    other = Browser(app)
    await other.sign_in("key@example.org")
    shown = await other.get("/auth/mfa")
    assert (
        await other.post("/auth/mfa", token_of(shown), passkey=key.show(options_of(shown)))
    ).status_code == 303


async def test_a_passkey_alone_signs_in(app: App, browser: Browser) -> None:
    key = await passkey_of(app, browser, "alone@example.org")
    other = Browser(app)
    shown = await other.get("/auth/sign-in/passkey")
    answer = await other.post(
        "/auth/sign-in/passkey", token_of(shown), credential=key.show(options_of(shown))
    )
    assert answer.headers["location"] == "/auth/account"
    signed = await sessions.signed_in(store_of(app), {"hb": other.cookie})
    assert signed is not None
    assert set(signed.amr) == {"hwk", "mfa", "user"}


async def test_what_a_passkey_answered_opens_once(app: App, browser: Browser) -> None:
    key = await passkey_of(app, browser, "replay@example.org")
    other, thief = Browser(app), Browser(app)
    shown = await other.get("/auth/sign-in/passkey")
    answer = key.show(options_of(shown))
    assert (await other.post("/auth/sign-in/passkey", token_of(shown), credential=answer)).status_code == 303
    token = token_of(await thief.get("/auth/sign-in/passkey"))
    assert (await thief.post("/auth/sign-in/passkey", token, credential=answer)).status_code == 401


@pytest.mark.parametrize("wrong", ["origin", "rp", "unverified", "key", "nonsense", "challenge"])
async def test_a_passkey_that_is_not_right_opens_nothing(app: App, browser: Browser, wrong: str) -> None:
    key = await passkey_of(app, browser, f"wrong-{wrong}@example.org")
    other = Browser(app)
    shown = await other.get("/auth/sign-in/passkey")
    options = options_of(shown)
    if wrong == "origin":
        key.origin = "https://evil.example"
    elif wrong == "rp":
        key.rp = "evil.example"
    elif wrong == "unverified":
        key.flags = UP
    elif wrong == "key":
        key.key = Authenticator(RP, BASE).key
    elif wrong == "challenge":
        options["challenge"] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"
    answer = "{}" if wrong == "nonsense" else key.show(options)
    assert (await other.post("/auth/sign-in/passkey", token_of(shown), credential=answer)).status_code == 401


async def test_a_copied_passkey_whose_counter_stands_still_is_refused(app: App, browser: Browser) -> None:
    key = await passkey_of(app, browser, "copied@example.org")
    key.count = 10
    for count, status in ((10, 303), (3, 401)):
        key.count = count
        other = Browser(app)
        shown = await other.get("/auth/sign-in/passkey")
        answer = await other.post(
            "/auth/sign-in/passkey", token_of(shown), credential=key.show(options_of(shown))
        )
        assert answer.status_code == status


async def test_the_script_runs_only_where_passkeys_are(app: App, browser: Browser) -> None:
    with_ = await browser.get("/auth/sign-in/passkey")
    assert "script-src 'self'" in with_.headers["content-security-policy"]
    assert re.findall(r"<script[^>]*>", with_.text) == ['<script src="/auth/passkey.js" defer>']
