"""People's pages: forms that others send, sessions that others plant, frames, links that lead away, guesses.

Source: OWASP ASVS 4.0.3 V2, V3, V4.2, V5, V14.4; RFC 6749 sections 10.12 and 10.13
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import pytest_asyncio

from fhir_server.app import App
from fhir_server.pages.people import ROUTES
from tests.integration.people.browser import (
    PASSWORD,
    Browser,
    pages,
    person,
    sent_texts,
    store_of,
    token_of,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

FORMS = sorted(route.path for route in ROUTES if "POST" in (route.methods or ()))
PAGES = sorted(
    route.path for route in ROUTES
    if "GET" in (route.methods or ()) and "{" not in route.path and "." not in route.path
)  # fmt: skip


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def app(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[App]:
    """Yield the running app with two accounts."""
    folder: Path = tmp_path_factory.mktemp("data")
    async with pages(database_url, folder) as one:
        await person(one, "ana@example.org")
        await person(one, "eve@example.org", name="Eve <script>alert(1)</script>")
        yield one


@pytest_asyncio.fixture(loop_scope="module")
async def browser(app: App) -> AsyncIterator[Browser]:
    """Yield a browser that was nowhere yet; nobody has guessed yet."""
    async with store_of(app).pool.connection() as conn:
        await conn.execute("TRUNCATE account_attempt")
    one = Browser(app)
    async with one.http:
        yield one


async def _token(browser: Browser) -> str:
    """Return the token of the forms of somebody who is signed in."""
    return token_of(await browser.get("/auth/account"))


FOREIGN: dict[str, dict[str, Any]] = {
    "without a token": {"data": {}},
    "with an empty token": {"data": {"form_token": ""}},
    "with a guessed token": {"data": {"form_token": "a" * 43}},
    "with a token that is no text": {"data": {"form_token": "\udcff".encode("utf-8", "surrogatepass")}},
    "with the cookie for a token": {"data": {"form_token": "{cookie}"}},
    "with the token of another session": {"data": {"form_token": "{other}"}},
    "from another site": {"data": {"form_token": "{token}"}, "headers": {"Origin": "https://evil.example"}},
    "from a site that begins alike": {"data": {"form_token": "{token}"}, "headers": {"Origin": "http://127.0.0.1:8000.evil.example"}},
    "from nowhere": {"data": {"form_token": "{token}"}, "headers": {"Origin": "null"}},
    "across sites, says the browser": {"data": {"form_token": "{token}"}, "headers": {"Sec-Fetch-Site": "cross-site"}},
    "across the same site, says the browser": {"data": {"form_token": "{token}"}, "headers": {"Sec-Fetch-Site": "same-site"}},
    "as JSON": {"json": {"form_token": "{token}"}},
    "as plain text": {"content": "form_token={token}", "headers": {"Content-Type": "text/plain"}},
    "in the address": {"params": {"form_token": "{token}"}, "data": {"x": "y"}},
}  # fmt: skip


@pytest.mark.parametrize("tried", FOREIGN)
async def test_a_form_that_our_page_did_not_send_does_nothing(app: App, browser: Browser, tried: str) -> None:
    await browser.sign_in("ana@example.org")
    strange = Browser(app)
    known = {
        "{token}": await _token(browser),
        "{cookie}": browser.cookie,
        "{other}": token_of(await strange.get("/auth/sign-in")),
    }

    def filled(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: filled(one) for name, one in value.items()}
        for name, one in known.items():
            value = value.replace(name, one) if isinstance(value, str) else value
        return value

    for path in FORMS:
        answer = await browser.http.post(path, **filled(FOREIGN[tried]))
        assert answer.status_code in (400, 403, 415), (path, answer.status_code)
    assert (await browser.get("/auth/account")).status_code == 200


@pytest.mark.parametrize("path", PAGES)
async def test_no_page_can_be_framed_or_keeps_anything(app: App, browser: Browser, path: str) -> None:
    await browser.sign_in("ana@example.org")
    answer = await browser.get(path)
    assert answer.status_code < 500
    if answer.status_code in (301, 302, 303):
        assert answer.headers["location"].startswith("/auth/")
        return
    policy = {
        one.split()[0]: one.split()[1:] for one in answer.headers["content-security-policy"].split("; ")
    }
    assert policy["frame-ancestors"] == ["'none'"]
    assert policy["default-src"] == ["'none'"]
    assert policy["base-uri"] == ["'none'"]
    assert policy["form-action"] == ["'self'"]
    assert not any("unsafe" in value or "*" in value for values in policy.values() for value in values)
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] in ("same-origin", "no-referrer")


async def test_a_session_that_was_planted_is_not_the_one_that_opens(app: App, browser: Browser) -> None:
    thief = Browser(app)
    await thief.get("/auth/sign-in")
    browser.http.cookies.set("hb", thief.cookie)
    await browser.sign_in("ana@example.org")
    assert any(one.value != thief.cookie for one in browser.http.cookies.jar if one.name == "hb")
    assert (await thief.get("/auth/account")).headers["location"] == "/auth/sign-in"


COOKIES = [
    "",
    "x",
    "p." + "a" * 43,
    "s." + "a" * 43,
    "../../x",
    "' OR '1'='1",
    "%00",
    "a" * 4000,
    "\u00e4",
    "1",
]


@pytest.mark.parametrize("cookie", COOKIES, ids=range(len(COOKIES)))
async def test_a_made_up_session_opens_nothing(app: App, browser: Browser, cookie: str) -> None:
    for path in ("/auth/account", "/auth/account/apps", "/auth/account/password"):
        answer = await browser.http.get(path, headers={b"Cookie": f"hb={cookie}".encode()})
        assert answer.status_code in (303, 400)
        assert answer.headers.get("location", "/auth/sign-in").startswith("/auth/sign-in")


AWAY = [
    "//evil.example",
    "https://evil.example",
    "/\\evil.example",
    "x\r\nSet-Cookie: a=b",
    "javascript:alert(1)",
    "..//x",
    "%2f%2fevil",
    "a&b=c",
    "<script>",
]


@pytest.mark.parametrize("value", AWAY)
async def test_nothing_in_a_form_or_an_address_leads_away(app: App, browser: Browser, value: str) -> None:
    query = urlencode(dict.fromkeys(("request", "next", "return_to", "url"), value))
    shown = await browser.get(f"/auth/sign-in?{query}")
    assert "<script" not in shown.text
    assert "evil.example" not in shown.text
    said = dict.fromkeys(("request", "next", "return_to", "redirect_uri"), value)
    answer = await browser.sign_in("ana@example.org", **said)
    assert answer.headers.get("location", "/auth/account") == "/auth/account"
    assert "a=b" not in answer.headers.get("set-cookie", "")


async def test_what_an_account_is_called_is_text(app: App, browser: Browser) -> None:
    await browser.sign_in("eve@example.org")
    shown = await browser.get("/auth/account")
    assert "<script>alert" not in shown.text
    assert "&lt;script&gt;" in shown.text


STRANGE = [
    "",
    "\0",
    "a\0b@example.org",
    "' OR '1'='1' --@x.org",
    "\u202eana@example.org",
    "a" * 290 + "@example.org",
    "ana@example.org\r\nBcc: eve@example.org",
    "%",
    "_@example.org",
    "<script>@x",
]


@pytest.mark.parametrize("email", STRANGE, ids=range(len(STRANGE)))
@pytest.mark.parametrize("path", ["/auth/sign-in", "/auth/reset", "/auth/sign-up"])
async def test_a_strange_address_is_refused_and_nothing_is_sent_elsewhere(
    app: App, browser: Browser, path: str, email: str
) -> None:
    fields = {"email": email, "password": PASSWORD, "again": PASSWORD, "name": "X Y"}
    answer = await browser.send(path, **fields)
    assert answer.status_code in (200, 303, 400, 401, 429), answer.text[:300]
    assert not answer.headers.get("location", "").startswith("/auth/account")
    assert not any("Bcc" in text or "script" in text for text in await sent_texts(app, "eve@example.org"))


async def test_the_host_that_a_thief_names_is_not_in_the_letter(app: App, browser: Browser) -> None:
    token = token_of(await browser.get("/auth/reset"))
    for headers in (
        {"Host": "evil.example"},
        {"X-Forwarded-Host": "evil.example"},
        {"Forwarded": "host=evil.example"},
    ):
        answer = await browser.http.post(
            "/auth/reset", data={"form_token": token, "email": "ana@example.org"}, headers=headers
        )
        assert answer.status_code < 500
    await asyncio.sleep(0.1)
    letters = await sent_texts(app, "ana@example.org")
    assert letters
    assert not any("evil.example" in text for text in letters)


TICKETS = ["", "a", "a" * 43, "\0", "' OR 1=1 --", "%", "../../x", "a" * 5000]


@pytest.mark.parametrize("ticket", TICKETS, ids=range(len(TICKETS)))
@pytest.mark.parametrize("path", ["/auth/reset/new", "/auth/invitation", "/auth/verify"])
async def test_a_guessed_link_opens_nothing(app: App, browser: Browser, path: str, ticket: str) -> None:
    shown = await browser.http.get(path, params={"ticket": ticket})
    assert shown.status_code in (200, 400)
    token = token_of(await browser.get("/auth/sign-in"))
    answer = await browser.post(path, token, ticket=ticket, password=PASSWORD, again=PASSWORD)
    assert answer.status_code in (400, 429), answer.text[:300]
    assert (await browser.get("/auth/account")).headers["location"].startswith("/auth/sign-in")


OTHERS = [
    ("ending a session", "/auth/account/session", {"session": "{session}"}),
    ("removing a factor", "/auth/account/factor", {"factor": "{session}"}),
    ("ending an app's access", "/auth/account/apps", {"client": "app"}),
]


@pytest.mark.parametrize(("tried", "path", "fields"), OTHERS, ids=[one[0] for one in OTHERS])
async def test_what_is_anothers_cannot_be_named(
    app: App, browser: Browser, tried: str, path: str, fields: dict[str, str]
) -> None:
    ana = Browser(app)
    await ana.sign_in("ana@example.org")
    async with store_of(app).pool.connection() as conn:
        rows = await (
            await conn.execute("SELECT id FROM account_session ORDER BY signed_in DESC LIMIT 1")
        ).fetchall()
    await browser.sign_in("eve@example.org")
    said = {name: value.replace("{session}", str(rows[0][0])) for name, value in fields.items()}
    answer = await browser.post(path, await _token(browser), **said)
    assert answer.status_code < 500
    assert (await ana.get("/auth/account")).status_code == 200


async def test_many_guesses_at_once_are_held_up(app: App, browser: Browser) -> None:
    token = token_of(await browser.get("/auth/sign-in"))
    tries = [
        browser.post("/auth/sign-in", token, email="ana@example.org", password=f"guess number {n}")
        for n in range(12)
    ]
    statuses = [one.status_code for one in await asyncio.gather(*tries)]
    assert 429 in statuses
    assert (
        statuses.count(401) <= 6
    )  # five, and one more where the machine is so slow that the first wait is over


async def test_the_time_of_an_answer_does_not_tell_who_has_an_account(app: App, browser: Browser) -> None:
    """The medians of a known and an unknown address lie close together, against the time of one hash."""
    token = token_of(await browser.get("/auth/sign-in"))

    async def took(email: str) -> float:
        async with store_of(app).pool.connection() as conn:
            await conn.execute("TRUNCATE account_attempt")
        start = time.perf_counter()
        answer = await browser.post("/auth/sign-in", token, email=email, password="not the password at all")
        assert answer.status_code == 401
        return time.perf_counter() - start

    known, unknown = [], []
    for n in range(9):
        known.append(await took("ana@example.org"))
        unknown.append(await took(f"nobody-{n}@example.org"))
    fast, slow = sorted((statistics.median(known), statistics.median(unknown)))
    assert slow < fast * 1.5, (known, unknown)
