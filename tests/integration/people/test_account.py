"""What people do in their account. Source: OWASP ASVS 4.0.3 V2.1.5, V3.3"""

from __future__ import annotations

import re
import smtplib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from fhir_server.app import App
from fhir_server.auth import accounts, outbox, sessions
from fhir_server.auth.outbox import BySmtp, Message, ToFile
from fhir_server.storage import erasing
from tests.integration.people.browser import PASSWORD, Browser, person, sent_texts, store_of, token_of

pytestmark = pytest.mark.asyncio(loop_scope="module")
NEW = "quite another long one"


async def change(browser: Browser, **fields: str) -> int:
    said = {"old": PASSWORD, "password": NEW, "again": NEW, **fields}
    return (await browser.send("/auth/account/password", **said)).status_code


async def test_a_new_password_ends_the_other_sessions_and_changes_the_cookie(
    app: App, browser: Browser
) -> None:
    await person(app, "pw@example.org")
    other = Browser(app)
    await other.sign_in("pw@example.org")
    await browser.sign_in("pw@example.org")
    before = browser.cookie
    assert await change(browser) == 303
    assert browser.cookie != before
    assert (await browser.get("/auth/account")).status_code == 200
    assert (await other.get("/auth/account")).status_code == 303
    assert (await Browser(app).sign_in("pw@example.org")).status_code == 401
    assert (await Browser(app).sign_in("pw@example.org", NEW)).status_code == 303
    assert "was changed" in (await sent_texts(app, "pw@example.org"))[-1]


async def test_the_old_password_is_needed_for_a_new_one(app: App, browser: Browser) -> None:
    await person(app, "old@example.org")
    await browser.sign_in("old@example.org")
    answer = await browser.send("/auth/account/password", old="not my password", password=NEW, again=NEW)
    assert answer.status_code == 400
    assert 'id="old-problem"' in answer.text
    assert (await Browser(app).sign_in("old@example.org")).status_code == 303


async def test_the_old_password_cannot_be_guessed_in_the_account(app: App, browser: Browser) -> None:
    await person(app, "guessold@example.org")
    await browser.sign_in("guessold@example.org")
    assert 429 in [await change(browser, old=f"wrong wrong {n}") for n in range(8)]


async def test_sessions_are_listed_and_one_can_be_ended(app: App, browser: Browser) -> None:
    await person(app, "list@example.org")
    other = Browser(app, agent="Phone <b>/2.0")
    await other.sign_in("list@example.org")
    await browser.sign_in("list@example.org")
    shown = await browser.get("/auth/account")
    assert "This browser" in shown.text
    assert "Phone &lt;b&gt;/2.0" in shown.text
    [session] = re.findall(r'name="session" value="([^"]+)"', shown.text)
    await browser.post("/auth/account/session", token_of(shown), session=session)
    assert (await other.get("/auth/account")).status_code == 303
    assert (await browser.get("/auth/account")).status_code == 200


async def test_nobody_ends_the_session_or_removes_the_factor_of_another(app: App, browser: Browser) -> None:
    await person(app, "victim2@example.org")
    await person(app, "attacker2@example.org")
    victim = Browser(app)
    await victim.sign_in("victim2@example.org")
    signed = await sessions.signed_in(store_of(app), {"hb": victim.cookie})
    assert signed is not None
    await browser.sign_in("attacker2@example.org")
    token = token_of(await browser.get("/auth/account"))
    await browser.post("/auth/account/session", token, session=signed.session)
    await browser.post("/auth/account/factor", token, factor=signed.session)
    assert (await victim.get("/auth/account")).status_code == 200


async def test_an_account_that_is_closed_is_out_at_once(app: App, browser: Browser) -> None:
    account = await person(app, "closed@example.org")
    await browser.sign_in("closed@example.org")
    async with store_of(app).pool.connection() as conn:
        await accounts.set_state(conn, account.id, "disabled")
    assert (await browser.get("/auth/account")).status_code == 303
    assert await sessions.person(store_of(app), account.id) is None


@pytest.mark.parametrize("path", ["password", "phone", "session", "factor", "codes", "apps"])
async def test_nothing_in_the_account_is_done_without_the_forms_token(
    app: App, browser: Browser, path: str
) -> None:
    await person(app, f"token-{path}@example.org")
    await browser.sign_in(f"token-{path}@example.org")
    assert (await browser.post(f"/auth/account/{path}", "wrong")).status_code == 403


@pytest.fixture
def mail_server() -> Iterator[tuple[int, list[str]]]:
    """Yield the port of a mail server on this machine and what it got."""
    got: list[str] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        conn, _ = listener.accept()
        with conn, conn.makefile("rwb") as file:
            file.write(b"220 here\r\n")
            file.flush()
            data = False
            for raw in file:
                line = raw.decode().rstrip("\r\n")
                got.append(line)
                if data:
                    data = line != "."
                    answer = "" if data else "250 kept"
                elif line.upper().startswith("DATA"):
                    data, answer = True, "354 go on"
                else:
                    answer = "221 bye" if line.upper().startswith("QUIT") else "250 fine"
                if answer:
                    file.write(f"{answer}\r\n".encode())
                    file.flush()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1], got
    listener.close()
    thread.join(5)


async def test_a_message_goes_out_by_smtp(mail_server: tuple[int, list[str]]) -> None:
    port, got = mail_server
    carrier = BySmtp(f"smtp://127.0.0.1:{port}", "no-reply@example.org")
    carrier.carry(
        Message(1, "email", "ana@example.org", "A subject", "A body with https://link.example/x?y=z")
    )
    assert "rcpt TO:<ana@example.org>" in got
    assert "From: no-reply@example.org" in got
    assert "Subject: A subject" in got
    assert any("https://link.example/x?y=z" in line for line in got)


async def test_a_message_that_cannot_be_sent_is_tried_again_later(app: App) -> None:
    class Broken:
        def carry(self, one: Message) -> None:
            raise smtplib.SMTPServerDisconnected("gone")

    store = store_of(app)
    async with store.pool.connection() as conn, conn.transaction():
        await outbox.put(conn, "fax", "later@example.org", "Subject", "Body")
    await outbox.delivered(store, {"fax": Broken(), "email": Broken(), "sms": Broken()})
    async with store.pool.connection() as conn:
        cursor = await conn.execute(
            "SELECT tries, problem, sent, body, due > clock_timestamp() FROM account_outbox WHERE channel = 'fax'"
        )
        assert await cursor.fetchone() == (1, "SMTPServerDisconnected", None, "Body", True)
        await conn.execute("DELETE FROM account_outbox WHERE channel = 'fax'")


async def test_the_outbox_in_a_file_is_its_owners_alone(tmp_path: Path) -> None:
    ToFile(tmp_path / "outbox.txt").carry(Message(1, "email", "a@b.c", "S", "B"))
    assert (tmp_path / "outbox.txt").stat().st_mode & 0o777 == 0o600


async def test_erasing_somebody_removes_all_that_belongs_to_the_account(app: App, browser: Browser) -> None:
    account = await person(app, "erased@example.org", user="Patient/erased")
    stays = await person(app, "stays@example.org", user="Patient/stays")
    await browser.sign_in("erased@example.org")
    await change(browser)
    async with store_of(app).pool.connection() as conn, conn.transaction():
        assert await erasing.account(conn, "Patient/erased") == 1
        assert await accounts.by_id(conn, stays.id) is not None
        for table, column, value in (
            ("account_session", "account", account.id),
            ("account_factor", "account", account.id),
            ("account_outbox", "recipient", "erased@example.org"),
        ):
            cursor = await conn.execute(f"SELECT count(*) FROM {table} WHERE {column} = %s", (value,))
            assert await cursor.fetchone() == (0,)
    assert (await browser.get("/auth/account")).status_code == 303
