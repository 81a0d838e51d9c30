"""Sign-up, invitation, lost password. Source: OWASP ASVS 4.0.3 V2.1, V2.5"""

from __future__ import annotations

import asyncio

import pytest

from fhir_server.app import App
from fhir_server.auth import accounts, joining
from tests.integration.people.browser import (
    PASSWORD,
    Browser,
    person,
    sent_links,
    sent_texts,
    store_of,
    token_of,
)

NEW = "quite another long one"

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def sign_up(browser: Browser, email: str, password: str = PASSWORD, name: str = "Bo Chen") -> int:
    return (await browser.send("/auth/sign-up", name=name, email=email, password=password)).status_code


async def test_an_account_opens_when_its_address_was_proved(app: App, browser: Browser) -> None:
    assert await sign_up(browser, "new@example.org") == 200
    assert (await browser.sign_in("new@example.org")).status_code == 401
    link = (await sent_links(app, "new@example.org"))[-1]
    assert (await browser.get(link)).status_code == 200
    assert (await browser.sign_in("new@example.org")).status_code == 401, "a scanner of mail opens links"
    shown = await browser.get(link)
    assert (await browser.post("/auth/verify", token_of(shown), ticket=link.split("=")[1])).status_code == 200
    assert (await browser.sign_in("new@example.org")).status_code == 303


async def test_who_signs_up_is_nobody_of_the_record_and_has_no_role(app: App, browser: Browser) -> None:
    await sign_up(browser, "norole@example.org")
    async with store_of(app).pool.connection() as conn:
        account = await accounts.by_email(conn, "norole@example.org")
    assert account is not None
    assert (account.roles, account.fhir_user) == ((), "")


async def test_signing_up_with_a_known_address_looks_the_same_and_changes_nothing(
    app: App, browser: Browser
) -> None:
    await person(app, "taken@example.org")
    fresh = await browser.send("/auth/sign-up", name="Bo", email="fresh@example.org", password=PASSWORD)
    taken = await browser.send("/auth/sign-up", name="Bo", email="taken@example.org", password=NEW)
    assert fresh.text.replace("fresh@", "taken@") == taken.text
    assert (await browser.sign_in("taken@example.org", NEW)).status_code == 401
    assert "you have one already" in (await sent_texts(app, "taken@example.org"))[-1].lower()


@pytest.mark.parametrize(
    "password",
    ["short", "aaaaaaaaaaaaaaaa", "abcdefghijklmnop", "1234567890123456", "passpasspasspass", "Rivera-2024!"],
)
async def test_a_weak_password_is_refused_with_the_reason_at_the_field(
    browser: Browser, password: str
) -> None:
    answer = await browser.send(
        "/auth/sign-up", name="Ana Rivera", email="weak@example.org", password=password
    )
    assert answer.status_code == 400
    assert 'id="password-problem"' in answer.text
    assert 'aria-invalid="true"' in answer.text
    assert password not in answer.text


async def test_messages_to_one_address_are_few(app: App, browser: Browser) -> None:
    answers = [await sign_up(browser, "flooded@example.org") for _ in range(8)]
    assert 429 in answers
    assert len(await sent_texts(app, "flooded@example.org")) <= 4


async def test_sign_up_can_be_closed(database_url: str, folder: object, app: App, browser: Browser) -> None:
    object.__setattr__(app.state.desk, "settings", app.fhir.settings.model_copy(update={"sign_up": False}))
    assert (await browser.get("/auth/sign-up")).status_code == 404
    assert "Make one" not in (await browser.get("/auth/sign-in")).text


async def invite(app: App, email: str, role: str = "patient", user: str = "Patient/1") -> str:
    async with store_of(app).pool.connection() as conn:
        link = await joining.invited(
            conn, app.state.desk.sender, name="Cy Young", email=email, user=user, roles=[role]
        )
    return link.removeprefix("http://127.0.0.1:8000")


async def test_an_invitation_binds_the_account_to_whom_the_clinic_meant(app: App, browser: Browser) -> None:
    link = await invite(app, "invited@example.org")
    assert link in await sent_links(app, "invited@example.org")
    shown = await browser.get(link)
    assert "Cy Young" in shown.text
    ticket = link.split("=")[1]
    answer = await browser.post("/auth/invitation", token_of(shown), ticket=ticket, password=NEW, again=NEW)
    assert answer.headers["location"] == "/auth/account"
    async with store_of(app).pool.connection() as conn:
        account = await accounts.by_email(conn, "invited@example.org")
    assert account is not None
    assert (account.fhir_user, account.roles, bool(account.verified)) == ("Patient/1", ("patient",), True)


async def test_an_invitation_holds_once(app: App, browser: Browser) -> None:
    link = await invite(app, "twice@example.org")
    ticket = link.split("=")[1]
    token = token_of(await browser.get(link))
    fields = {"ticket": ticket, "password": NEW, "again": NEW}
    answers = await asyncio.gather(*[browser.post("/auth/invitation", token, **fields) for _ in range(3)])
    assert sorted(answer.status_code for answer in answers) == [303, 400, 400]
    assert (await browser.get(link)).status_code == 400


async def test_an_invited_clinician_has_to_add_a_second_factor(app: App, browser: Browser) -> None:
    link = await invite(app, "clinic@example.org", "clinician", "Practitioner/1")
    shown = await browser.get(link)
    answer = await browser.post(
        "/auth/invitation", token_of(shown), ticket=link.split("=")[1], password=NEW, again=NEW
    )
    assert answer.headers["location"] == "/auth/mfa/add"


async def test_a_role_that_does_not_exist_cannot_be_given(app: App) -> None:
    with pytest.raises(accounts.AccountError, match="There is no role 'boss'"):
        await invite(app, "boss@example.org", "boss")


async def test_a_new_password_ends_all_sessions_and_the_old_password(app: App, browser: Browser) -> None:
    await person(app, "lost@example.org")
    other = Browser(app)
    await other.sign_in("lost@example.org")
    await browser.send("/auth/reset", email="lost@example.org")
    link = (await sent_links(app, "lost@example.org"))[-1]
    shown = await browser.get(link)
    fields = {"ticket": link.split("=")[1], "password": NEW, "again": NEW}
    assert (await browser.post("/auth/reset/new", token_of(shown), **fields)).status_code == 200
    assert (await other.get("/auth/account")).status_code == 303
    assert (await browser.sign_in("lost@example.org")).status_code == 401
    assert (await browser.sign_in("lost@example.org", NEW)).status_code == 303
    assert (await browser.get(link)).status_code == 400


async def test_asking_for_an_unknown_address_looks_the_same_and_sends_nothing(
    app: App, browser: Browser
) -> None:
    await person(app, "there@example.org")
    there = await browser.send("/auth/reset", email="there@example.org")
    absent = await browser.send("/auth/reset", email="absent@example.org")
    assert there.text.replace("there@", "absent@") == absent.text
    assert await sent_texts(app, "absent@example.org") == []


async def test_two_passwords_that_differ_are_told_at_the_second(app: App, browser: Browser) -> None:
    link = await invite(app, "differ@example.org")
    shown = await browser.get(link)
    fields = {"ticket": link.split("=")[1], "password": NEW, "again": NEW + "x"}
    answer = await browser.post("/auth/invitation", token_of(shown), **fields)
    assert answer.status_code == 400
    assert 'id="again-problem"' in answer.text


async def test_links_and_codes_are_not_in_the_database_in_clear(app: App, browser: Browser) -> None:
    link = await invite(app, "hashed@example.org")
    ticket = link.split("=")[1]
    async with store_of(app).pool.connection() as conn:
        rows = await (await conn.execute("SELECT secret::text, data::text FROM account_ticket")).fetchall()
    assert rows
    assert not any(ticket in str(row) for row in rows)


async def test_a_message_that_went_out_is_forgotten(app: App, browser: Browser) -> None:
    await invite(app, "gone@example.org")
    for _ in range(100):
        async with store_of(app).pool.connection() as conn:
            cursor = await conn.execute(
                "SELECT body, sent FROM account_outbox WHERE recipient = 'gone@example.org'"
            )
            row = await cursor.fetchone()
        if row and row[1]:
            break
        await asyncio.sleep(0.1)
    assert row is not None
    assert row[0] == ""
    assert len(await sent_links(app, "gone@example.org")) == 1
