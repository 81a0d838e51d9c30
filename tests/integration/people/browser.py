"""A browser of sorts: keeps cookies, sends forms as the pages have them."""

from __future__ import annotations

import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

from fhir_server.app import App
from fhir_server.auth import accounts, passwords
from fhir_server.auth.accounts import Account
from fhir_server.storage.store import Store
from tests.integration.web import running

BASE = "http://127.0.0.1:8000"
PASSWORD = "correct horse battery staple"
_HASHED: list[str] = []
_TOKEN = re.compile(r'name="form_token" value="([^"]+)"')
_LINK = re.compile(r"http://127\.0\.0\.1:8000(/auth/\S+)")


class Browser:
    """One person's browser."""

    def __init__(self, app: App, base: str = BASE, agent: str = "Tests/1.0") -> None:
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=True, client=("127.0.0.1", 1))
        self.http = httpx.AsyncClient(
            transport=transport, base_url=base, headers={"User-Agent": agent}, timeout=30
        )
        self.app = app

    @property
    def cookie(self) -> str:
        """The session's value."""
        return next((c.value or "" for c in self.http.cookies.jar if c.name in ("hb", "__Host-hb")), "")

    async def get(self, path: str) -> httpx.Response:
        """Return a page."""
        return await self.http.get(path)

    async def send(self, path: str, on: str = "", **fields: Any) -> httpx.Response:
        """Return what sending a form answers, which is on the page `on` (or where it is sent to)."""
        shown = await self.http.get(on or path)
        return await self.post(path, token_of(shown), **fields)

    async def post(self, path: str, token: str, **fields: Any) -> httpx.Response:
        """Return what sending a form with a token answers."""
        return await self.http.post(path, data={"form_token": token, **fields})

    async def sign_in(self, email: str, password: str = PASSWORD, **fields: Any) -> httpx.Response:
        """Return what signing in answers."""
        return await self.send("/auth/sign-in", email=email, password=password, **fields)


@asynccontextmanager
async def pages(database_url: str, folder: Path, **settings: Any) -> AsyncIterator[App]:
    """Yield the app with its authorization server, at the address BASE, its data in `folder`."""
    async with running(database_url, authorization="smart", data_dir=folder, **settings) as app:
        yield app


def token_of(answer: httpx.Response) -> str:
    """Return the token of a page's form."""
    found = _TOKEN.search(answer.text)
    assert found, (answer.status_code, answer.text[:500])
    return html.unescape(found[1])


async def person(app: App, email: str, role: str = "patient", user: str = "", **said: Any) -> Account:
    """Return a new account that signs in with PASSWORD."""
    if not _HASHED:
        _HASHED.append(await passwords.hashed(PASSWORD))
    async with store_of(app).pool.connection() as conn:
        return await accounts.create(
            conn,
            **{
                "name": "Ana Rivera",
                "email": email,
                "user": user,
                "roles": [role] if role else [],
                "password": _HASHED[0],
                "verified": True,
                **said,
            },
        )


def store_of(app: App) -> Store:
    """Return the storage of a running app."""
    return app.fhir.store


async def sent_links(app: App, to: str) -> list[str]:
    """Return the paths of the links that were sent to somebody, the latest last."""
    return [path for text in await sent_texts(app, to) for path in _LINK.findall(text)]


async def sent_texts(app: App, to: str) -> list[str]:
    """Return the messages that wait for somebody or were written to the file, the latest last."""
    async with store_of(app).pool.connection() as conn:
        rows = await (
            await conn.execute("SELECT body FROM account_outbox WHERE recipient = %s ORDER BY id", (to,))
        ).fetchall()
    file = app.fhir.settings.data_dir / "outbox.txt"
    pieces = file.read_text().split("-" * 72) if file.exists() else []
    gone = [piece for piece in pieces if f"To: {to} " in piece]
    return gone + [row[0] for row in rows if row[0]]


async def stored(app: App, resource: dict[str, Any]) -> None:
    """Keep a resource as if there were no authorization."""
    kept = app.fhir.settings, app.fhir.authenticate
    app.fhir.settings, app.fhir.authenticate = kept[0].model_copy(update={"authorization": "open"}), None
    try:
        transport = httpx.ASGITransport(app=app, client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url=BASE) as web:
            answer = await web.put(f"/fhir/{resource['resourceType']}/{resource['id']}", json=resource)
            assert answer.is_success, answer.text
    finally:
        app.fhir.settings, app.fhir.authenticate = kept
