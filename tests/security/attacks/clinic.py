"""Ada's app, which is granted Ada's record, and the same attack on a patient who is there and on one who is not.

What is not granted must be answered as what is not there: an attack is sent with `bob`, whose record is full, and with
`zed`, of whom there is nothing. The two answers may differ in that name alone.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import httpx

from tests.integration.access.people import Clinic, clinic

Json = dict[str, Any]
THERE, NOT_THERE = "bob", "zed"
SECRETS = ("secret of bob", '"Bob"', '"id":"bob')
"""What only Bob's records say."""

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:[\d.]+(?:Z|[+-]\d\d:\d\d)")
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_NAME = re.compile(f"{THERE}|{NOT_THERE}", re.IGNORECASE)
_CURSOR = re.compile(r"_cursor=[\w%.~-]+")


class Attack(NamedTuple):
    """What was tried, and what must be answered.

    Shape:  `{x}` in url and body stands for the patient who is attacked
    """

    tried: str
    method: str
    url: str
    answer: tuple[int, ...]
    body: Any = None
    headers: dict[str, str] | None = None

    def on(self, name: str) -> tuple[str, Any, dict[str, str]]:
        """Return URL, body and headers of the attack on a patient."""
        body = self.body if isinstance(self.body, str) else json.dumps(self.body)
        headers = {key: value.replace("{x}", name) for key, value in (self.headers or {}).items()}
        return (
            self.url.replace("{x}", name),
            None if self.body is None else body.replace("{x}", name),
            headers,
        )


class Target:
    """The clinic, attacked by an app."""

    def __init__(self, here: Clinic, app: httpx.AsyncClient) -> None:
        self.here = here
        self.app = app

    async def send(self, attack: Attack, name: str = THERE) -> httpx.Response:
        """Return the answer to an attack on a patient."""
        url, body, headers = attack.on(name)
        said = {"Content-Type": "application/fhir+json"} if body is not None else {}
        return await self.app.request(attack.method, url, content=body, headers=said | headers)


@asynccontextmanager
async def attacked(database_url: str, *scopes: str, **claims: Any) -> AsyncIterator[Target]:
    """Yield the clinic and Ada's app in it."""
    async with clinic(database_url) as here, here.patient("ada", *scopes, **claims) as app:
        yield Target(here, app)


def shown(answer: httpx.Response) -> tuple[Any, ...]:
    """Return an answer without what may differ: the patients' names, times, ids made for it."""
    kept = {
        key: value for key, value in answer.headers.items() if key in ("etag", "location", "www-authenticate")
    }
    texts = [answer.text, json.dumps(kept)]
    for pattern in (_MOMENT, _ID, _CURSOR):
        texts = [pattern.sub("*", text) for text in texts]
    return answer.status_code, *(_NAME.sub("*", text) for text in texts)
