"""Messages to people: written down with what causes them, in one transaction, and sent by a task of its own.

Without a mail server they go to a file in the data folder and to the terminal, for trying things out.
"""

from __future__ import annotations

import asyncio
import logging
import os
import smtplib
import ssl
import sys
from email.message import EmailMessage
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol
from urllib.parse import unquote, urlsplit

import httpx
import psycopg
from psycopg import AsyncConnection

from fhir_server.crypto.files import SECRET
from fhir_server.storage.store import Store

if TYPE_CHECKING:
    from fhir_server.settings import Settings

_log = logging.getLogger("fhir_server.outbox")
TRIES_MOST = 8
_TIMEOUT_S = 20
_CLAIM = """UPDATE account_outbox SET tries = tries + 1,
due = clock_timestamp() + make_interval(secs => 30 * 2 ^ tries) WHERE id = (SELECT id FROM account_outbox
WHERE sent IS NULL AND due <= clock_timestamp() AND tries < %s ORDER BY due LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING id, channel, recipient, subject, body"""


class Message(NamedTuple):
    """One message."""

    id: int
    channel: Literal["email", "sms"]
    recipient: str
    subject: str
    body: str


class Carrier(Protocol):
    """What brings messages to people; works in a thread."""

    def carry(self, one: Message) -> None:
        """Send a message; raises OSError, smtplib.SMTPException or httpx.HTTPError where it cannot."""
        ...


class ToFile:
    """Appends messages to a file that only its owner reads, and shows them."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def carry(self, one: Message) -> None:
        """Write a message down."""
        text = f"To: {one.recipient} ({one.channel})\nSubject: {one.subject}\n\n{one.body}\n{'-' * 72}\n"
        self._path.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, SECRET)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        if sys.stderr.isatty():
            sys.stderr.write(text)


class BySmtp:
    """Hands messages to a mail server; only over TLS where it is not on this machine."""

    def __init__(self, url: str, sender: str) -> None:
        self._at = urlsplit(url)
        self._sender = sender

    def carry(self, one: Message) -> None:
        """Send a message."""
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = self._sender, one.recipient, one.subject
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(one.body)
        at, context = self._at, ssl.create_default_context()
        host = at.hostname or "localhost"
        if at.scheme == "smtps":
            server: smtplib.SMTP = smtplib.SMTP_SSL(host, at.port or 465, timeout=_TIMEOUT_S, context=context)
        else:
            server = smtplib.SMTP(host, at.port or 587, timeout=_TIMEOUT_S)
        with server:
            if at.scheme == "smtp" and (
                server.has_extn("starttls") or host not in ("localhost", "127.0.0.1")
            ):
                server.starttls(context=context)
            if at.username:
                server.login(unquote(at.username), unquote(at.password or ""))
            server.send_message(mail)


class ByWeb:
    """Hands short messages to a gateway that takes JSON."""

    def __init__(self, url: str) -> None:
        self._url = url

    def carry(self, one: Message) -> None:
        """Send a message."""
        answer = httpx.post(self._url, json={"to": one.recipient, "text": one.body}, timeout=_TIMEOUT_S)
        answer.raise_for_status()


def carriers(settings: Settings) -> dict[str, Carrier]:
    """Return what brings messages, by channel."""
    file = ToFile(settings.data_dir / "outbox.txt")
    sender = settings.mail_from or f"no-reply@{urlsplit(settings.smtp_url).hostname or 'localhost'}"
    return {
        "email": BySmtp(settings.smtp_url, sender) if settings.smtp_url else file,
        "sms": ByWeb(settings.sms_url) if settings.sms_url else file,
    }


async def put(conn: AsyncConnection[Any], channel: str, to: str, subject: str, body: str) -> None:
    """Write a message down, to be sent when the transaction around is committed."""
    line = " ".join(subject.split())
    await conn.execute(
        "INSERT INTO account_outbox (channel, recipient, subject, body) VALUES (%s, %s, %s, %s)",
        (channel, to, line, body),
    )


async def delivered(store: Store, by: dict[str, Carrier]) -> int:
    """Return how many messages that were due went out. What is sent is forgotten: it may hold a link."""
    count = 0
    while True:
        async with store.pool.connection() as conn:
            row = await (await conn.execute(_CLAIM, (TRIES_MOST,))).fetchone()
        if row is None:
            return count
        one = Message(*row)
        problem = await asyncio.to_thread(_carried, by[one.channel], one)
        async with store.pool.connection() as conn:
            if problem:
                _log.warning("Message %s was not sent: %s", one.id, problem)
                await conn.execute("UPDATE account_outbox SET problem = %s WHERE id = %s", (problem, one.id))
            else:
                await conn.execute(
                    "UPDATE account_outbox SET sent = clock_timestamp(), body = '', problem = NULL WHERE id = %s",
                    (one.id,),
                )
                count += 1


async def delivering(store: Store, by: dict[str, Carrier], every: float = 2.0) -> None:
    """Send what is due, again and again until cancelled."""
    while True:
        try:
            await delivered(store, by)
        except (psycopg.Error, OSError):
            _log.exception("The outbox cannot be looked through")
        await asyncio.sleep(every)


async def swept(conn: AsyncConnection[Any]) -> None:
    """Remove messages that went out a month ago, and the text of those given up."""
    await conn.execute("DELETE FROM account_outbox WHERE created < clock_timestamp() - interval '30 days'")
    await conn.execute(
        "UPDATE account_outbox SET body = '' WHERE tries >= %s AND created < clock_timestamp() - interval '1 day'",
        (TRIES_MOST,),
    )


def _carried(by: Carrier, one: Message) -> str:
    try:
        by.carry(one)
    except (OSError, smtplib.SMTPException, httpx.HTTPError) as error:
        return type(error).__name__
    return ""
