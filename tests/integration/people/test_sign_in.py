"""Signing in with a password. Source: OWASP ASVS 4.0.3 V2.2, V3"""

from __future__ import annotations

import asyncio
import re

import httpx
import pytest

from fhir_server.app import App
from fhir_server.auth import sessions
from tests.integration.people.browser import PASSWORD, Browser, person, store_of, token_of

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_the_right_password_opens_the_account(app: App, browser: Browser) -> None:
    await person(app, "right@example.org")
    answer = await browser.sign_in("right@example.org")
    assert (answer.status_code, answer.headers["location"]) == (303, "/auth/account")
    shown = await browser.get("/auth/account")
    assert shown.status_code == 200
    assert "Ana Rivera" in shown.text


async def test_an_address_is_the_same_in_any_case(app: App, browser: Browser) -> None:
    await person(app, "Case@Example.org")
    assert (await browser.sign_in("  cASE@exAMPLE.org ")).status_code == 303


async def test_a_wrong_password_and_an_unknown_address_are_answered_alike(app: App, browser: Browser) -> None:
    await person(app, "known@example.org")
    wrong = await browser.sign_in("known@example.org", "not the password")
    unknown = await browser.sign_in("unknown@example.org", "not the password")
    assert wrong.status_code == unknown.status_code == 401

    def plain(answer: httpx.Response) -> str:
        return re.sub(r'value="[^"]*"', "", answer.text)

    assert plain(wrong) == plain(unknown)


async def test_after_some_failures_one_has_to_wait_even_with_the_right_password(
    app: App, browser: Browser
) -> None:
    await person(app, "locked@example.org")
    answers = [
        (await browser.sign_in("locked@example.org", "wrong wrong wrong")).status_code for _ in range(7)
    ]
    assert answers[:5] == [401] * 5
    assert 429 in answers
    assert (await browser.sign_in("locked@example.org")).status_code == 429


async def test_an_address_that_is_unknown_makes_one_wait_as_well(app: App, browser: Browser) -> None:
    answers = [
        (await browser.sign_in("nobody@example.org", "wrong wrong wrong")).status_code for _ in range(7)
    ]
    assert 429 in answers


async def test_many_tries_at_once_are_no_way_around_the_limit(app: App, browser: Browser) -> None:
    await person(app, "burst@example.org")
    token = token_of(await browser.get("/auth/sign-in"))
    fields = {"email": "burst@example.org", "password": "wrong wrong wrong"}
    answers = await asyncio.gather(*[browser.post("/auth/sign-in", token, **fields) for _ in range(12)])
    assert sum(answer.status_code == 401 for answer in answers) <= 5


@pytest.mark.parametrize("state", ["waiting", "disabled"])
async def test_an_account_that_is_not_open_does_not_open(app: App, browser: Browser, state: str) -> None:
    await person(app, f"{state}@example.org", state=state)
    assert (await browser.sign_in(f"{state}@example.org")).status_code == 401
    assert (await browser.get("/auth/account")).headers["location"] == "/auth/sign-in"


async def test_signing_in_changes_the_cookie(app: App, browser: Browser) -> None:
    await person(app, "rotates@example.org")
    await browser.get("/auth/sign-in")
    before = browser.cookie
    await browser.sign_in("rotates@example.org")
    assert before
    assert browser.cookie not in ("", before)


async def test_a_cookie_that_was_planted_before_opens_nothing(app: App, browser: Browser) -> None:
    await person(app, "planted@example.org")
    browser.http.cookies.set("hb", "planted-by-somebody-else")
    await browser.sign_in("planted@example.org")
    thief = Browser(app)
    thief.http.cookies.set("hb", "planted-by-somebody-else")
    assert (await thief.get("/auth/account")).status_code == 303


async def test_the_cookie_is_closely_kept_over_https(app: App) -> None:
    secure = Browser(app, "https://127.0.0.1:8000")
    said = (await secure.get("/auth/sign-in")).headers["set-cookie"]
    assert said.startswith("__Host-hb=s.")
    assert {"secure", "httponly", "samesite=lax", "path=/"} <= {
        part.strip().lower() for part in said.split(";")
    }
    assert "domain" not in said.lower()


async def test_a_secure_session_does_not_count_under_the_plain_name(app: App) -> None:
    await person(app, "plain-name@example.org")
    secure = Browser(app, "https://127.0.0.1:8000")
    await secure.sign_in("plain-name@example.org")
    assert secure.cookie.startswith("s.")
    assert await sessions.signed_in(store_of(app), {"__Host-hb": secure.cookie})
    assert await sessions.signed_in(store_of(app), {"hb": secure.cookie}) is None


async def test_a_form_without_its_token_is_refused(app: App, browser: Browser) -> None:
    await person(app, "csrf@example.org")
    await browser.get("/auth/sign-in")
    answer = await browser.post("/auth/sign-in", "", email="csrf@example.org", password=PASSWORD)
    assert answer.status_code == 403
    other = Browser(app)
    strange = token_of(await other.get("/auth/sign-in"))
    assert (
        await browser.post("/auth/sign-in", strange, email="csrf@example.org", password=PASSWORD)
    ).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
async def test_a_form_that_another_site_sends_is_refused(
    app: App, browser: Browser, headers: dict[str, str]
) -> None:
    token = token_of(await browser.get("/auth/sign-in"))
    data = {"form_token": token, "email": "a@example.org", "password": PASSWORD}
    assert (await browser.http.post("/auth/sign-in", data=data, headers=headers)).status_code == 403


async def test_signing_out_ends_the_session_for_good(app: App, browser: Browser) -> None:
    await person(app, "out@example.org")
    await browser.sign_in("out@example.org")
    kept = browser.cookie
    answer = await browser.send("/auth/sign-out", on="/auth/account")
    assert answer.headers["location"] == "/auth/sign-in?left=1"
    thief = Browser(app)
    thief.http.cookies.set("hb", kept)
    assert (await thief.get("/auth/account")).headers["location"] == "/auth/sign-in"


@pytest.mark.parametrize("field", ["next", "return_to", "redirect", "request"])
async def test_nothing_in_the_form_sends_elsewhere(app: App, browser: Browser, field: str) -> None:
    await person(app, f"open-{field.replace('_', '-')}@example.org")
    answer = await browser.sign_in(
        f"open-{field.replace('_', '-')}@example.org", **{field: "//evil.example/x"}
    )
    assert answer.headers["location"] == "/auth/account"


async def test_pages_let_nothing_foreign_in_and_are_not_framed(app: App, browser: Browser) -> None:
    answer = await browser.get("/auth/sign-in")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script-src" not in policy
    assert "unsafe" not in policy
    assert answer.headers["cache-control"] == "no-store"
    assert "<script" not in answer.text
    assert "style=" not in answer.text


async def test_what_is_entered_is_shown_as_text(app: App, browser: Browser) -> None:
    answer = await browser.sign_in('"><script>alert(1)</script>@example.org', "wrong wrong wrong")
    assert "<script>alert" not in answer.text


async def test_an_endless_form_is_refused(app: App, browser: Browser) -> None:
    answer = await browser.sign_in("a@example.org", "x" * 100_000)
    assert answer.status_code == 413


async def test_who_signs_in_and_who_does_not_is_in_the_trail(app: App, browser: Browser) -> None:
    account = await person(app, "trail@example.org")
    await browser.sign_in("trail@example.org", "wrong wrong wrong")
    await browser.sign_in("trail@example.org")
    async with store_of(app).pool.connection() as conn:
        cursor = await conn.execute(
            "SELECT status FROM audit_entry WHERE kind = 'sign-in' AND agent = %s ORDER BY at", (account.id,)
        )
        assert [row[0] for row in await cursor.fetchall()] == [401, 200]


async def test_a_session_unused_for_an_hour_is_over(app: App, browser: Browser) -> None:
    account = await person(app, "idle@example.org")
    await browser.sign_in("idle@example.org")
    async with store_of(app).pool.connection() as conn:
        await conn.execute(
            "UPDATE account_session SET seen = now() - interval '61 minutes' WHERE account = %s",
            (account.id,),
        )
    assert (await browser.get("/auth/account")).status_code == 303
