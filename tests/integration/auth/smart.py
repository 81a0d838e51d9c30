"""An app that speaks SMART with the server of this process, and a person who clicks for it.

Sign-in pages stand aside: a cookie `hb-test` names the person (`STAND_IN`), and the test says what they choose.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import msgspec

from fhir_server.app import App, create_app
from fhir_server.auth import asking, clients
from fhir_server.auth.asking import Chosen
from fhir_server.auth.authority import Authority
from fhir_server.auth.clients import CODE, CREDENTIALS, REFRESH, Client
from fhir_server.settings import Settings
from fhir_server.storage.store import Store

ISSUER = "http://server.example"
BASE = f"{ISSUER}/fhir"
REDIRECT = "https://app.example.org/back"
SCOPE = "openid fhirUser launch/patient offline_access patient/*.rs"
ALL = (
    "openid fhirUser profile launch launch/patient offline_access online_access launch:create "
    "patient/*.cruds user/*.cruds"
)


class Person(msgspec.Struct, frozen=True):
    """Who is signed in."""

    account: str
    user: str
    session: str = "session-1"
    name: str = "Ana Rivera"
    roles: tuple[str, ...] = ("patient",)
    amr: tuple[str, ...] = ("pwd",)
    auth_time: int = 1_700_000_000
    acting_for: tuple[str, ...] = ()


ANA = Person("ana", "Patient/ana")
DOCTOR = Person("doctor", "Practitioner/doctor", name="Dr. Bo Berg", roles=("clinician",))


class StandIn:
    """The accounts: whoever the cookie names, as long as they are not gone."""

    def __init__(self) -> None:
        self.people: dict[str, Person] = {one.account: one for one in (ANA, DOCTOR)}
        self.ended: set[str] = set()

    async def signed_in(self, store: Store, cookies: Mapping[str, str]) -> Person | None:
        """Return whom the cookie names."""
        return self.people.get(cookies.get("hb-test", ""))

    async def alive(self, store: Store, session: str) -> bool:
        """Whether a session has not ended."""
        return session not in self.ended

    async def person(self, store: Store, account: str) -> Person | None:
        """Return a person."""
        return self.people.get(account)


class Smart:
    """The server, and what a test does with it."""

    def __init__(self, app: App, web: httpx.AsyncClient) -> None:
        self.app = app
        self.web = web
        self.authority: Authority = app.state.authority
        self.people = StandIn()
        self.authority.people = self.people

    async def client(self, client_id: str = "app", **said: Any) -> str:
        """Return the secret of a client that is added, '' for kinds that have none."""
        plain = {
            "kind": "public",
            "redirect_uris": [REDIRECT],
            "grants": [CODE, REFRESH],
            "scopes": ALL.split(),
        }
        client = Client(**{"id": client_id, "name": f"The {client_id}", **plain, **said})
        async with self.authority.store.pool.connection() as conn:
            return await clients.add(conn, client)

    async def get(self, url: str, person: Person | None = None) -> httpx.Response:
        """Return an answer to a person's browser."""
        cookies = {"Cookie": f"hb-test={person.account}"} if person else {}
        return await self.web.get(url, headers=cookies)

    async def ask(self, challenge: str, person: Any = ANA, **said: str | None) -> str:
        """Return where an authorization request leads in the end: one of our pages, or the app."""
        query = {
            "response_type": "code", "client_id": "app", "redirect_uri": REDIRECT, "scope": SCOPE, "state": "s-123",
            "aud": BASE, "code_challenge": challenge, "code_challenge_method": "S256", **said,
        }  # fmt: skip
        url = "/auth/authorize?" + urlencode(
            {name: value for name, value in query.items() if value is not None}
        )
        answer = await self.get(url, person)
        while answer.status_code == 303 and answer.headers["location"].startswith("/auth/continue"):
            answer = await self.get(answer.headers["location"], person)
        assert answer.status_code == 303, answer.text
        return answer.headers["location"]

    async def agree(self, page: str, person: Person = ANA, patient: str = "", scopes: str = "") -> str:
        """Return where the browser goes after the person has said yes on the consent page."""
        request = parse_qs(urlsplit(page).query)["request"][0]
        shown = await asking.asked(self.authority, request, person)
        assert shown is not None
        chosen = Chosen(tuple(scopes.split()) if scopes else shown.scopes, patient)
        return await asking.answered(self.authority, request, person, chosen)

    async def authority_answer(self, request: str, person: Person) -> str:
        """Return where the browser goes after the person has said no."""
        return await asking.answered(self.authority, request, person, None)

    async def token(self, auth: Any = None, **form: str) -> httpx.Response:
        """Return what the token endpoint answers."""
        return await self.web.post("/auth/token", data=form, auth=auth or httpx.USE_CLIENT_DEFAULT)

    async def redeem(self, url: str, verifier: str, client_id: str = "app", **form: str) -> httpx.Response:
        """Return what the token endpoint answers to the code in an app's redirect."""
        said = {
            "grant_type": CODE,
            "code": only(url, "code"),
            "redirect_uri": REDIRECT,
            "code_verifier": verifier,
        }
        return await self.token(**{**said, "client_id": client_id, **form})

    async def launch(self, person: Any = ANA, scopes: Any = "", **said: str | None) -> dict[str, Any]:
        """Return the token answer of a whole launch by a public client."""
        verifier, challenge = pkce()
        page = await self.ask(challenge, person, **said)
        back = page if page.startswith(REDIRECT) else await self.agree(page, person, scopes=scopes)
        answer = await self.redeem(back, verifier, said.get("client_id") or "app")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def works(self, token: str) -> bool:
        """Whether an access token opens the FHIR interface, once every process has heard of all revocations."""
        await self.authority.revoked.refresh()
        answer = await self.web.get("/fhir/Observation", headers={"Authorization": f"Bearer {token}"})
        return answer.status_code != 401


def pkce() -> tuple[str, str]:
    """Return a new verifier and its challenge."""
    verifier = secrets.token_urlsafe(48)
    return verifier, challenge_of(verifier)


def challenge_of(verifier: str) -> str:
    """Return the S256 challenge of a verifier."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def compact(header: dict[str, Any], claims: dict[str, Any], secret: bytes = b"") -> str:
    """Return a JWT made by hand: with HMAC-SHA256 where there is a secret, else without a signature."""
    parts = [base64.urlsafe_b64encode(json.dumps(one).encode()).rstrip(b"=") for one in (header, claims)]
    said = b".".join(parts)
    proof = hmac.digest(secret, said, "sha256") if secret else b""
    return (said + b"." + base64.urlsafe_b64encode(proof).rstrip(b"=")).decode()


def only(url: str, name: str) -> str:
    """Return the one value of a query parameter."""
    values = parse_qs(urlsplit(url).query)[name]
    assert len(values) == 1
    return values[0]


@asynccontextmanager
async def smart(database_url: str, **settings: Any) -> AsyncIterator[Smart]:
    """Yield a server with authorization."""
    said = {"authorization": "smart", "base_url": BASE, "pool_size": 4, "host": "127.0.0.1", **settings}
    app = create_app(Settings(database_url=database_url, **said))
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app=app, raise_app_exceptions=True)
        async with httpx.AsyncClient(transport=transport, base_url=ISSUER) as web:
            yield Smart(app, web)


__all__ = [
    "ALL",
    "ANA",
    "BASE",
    "CODE",
    "CREDENTIALS",
    "DOCTOR",
    "ISSUER",
    "REDIRECT",
    "REFRESH",
    "SCOPE",
    "Person",
    "Smart",
]
