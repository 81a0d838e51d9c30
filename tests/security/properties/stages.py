"""A server whose caller can be changed, and all that was ever put into it."""

from __future__ import annotations

from typing import Any

import httpx

from fhir_server.access.grant import OPEN, Grant
from fhir_server.app import App
from tests.security.judge.consents import consented
from tests.security.judge.grants import Asker, may_see

Json = dict[str, Any]


class Stage:
    """Where the tests play."""

    def __init__(self, app: App, web: httpx.AsyncClient) -> None:
        self.app = app
        self.web = web
        self.world: dict[str, Json] = {}
        self.grant = OPEN
        app.fhir.authenticate = self._authenticate

    async def _authenticate(self, _headers: Any, _address: str) -> Grant:
        return self.grant

    async def load(self, resources: dict[str, Json]) -> None:
        """Store resources, as nobody in particular."""
        self.grant = OPEN
        entries = [
            {"resource": one, "request": {"method": "PUT", "url": key}} for key, one in resources.items()
        ]
        answer = await self.web.post(
            "", json={"resourceType": "Bundle", "type": "transaction", "entry": entries}
        )
        assert answer.status_code == 200, answer.text
        self.world |= resources

    def becomes(self, one: Asker) -> None:
        """Let requests come from somebody."""
        self.grant = Grant(
            one.user or "backend",
            "app",
            scopes=one.scopes,
            user=one.user,
            patient=one.patient,
            roles=(one.role,) if one.role else (),
            acting_for=one.acting_for,
        )

    async def ask(self, method: str, path: str, body: Json | None = None) -> httpx.Response:
        """Return an answer, which is never a 500."""
        answer = await self.web.request(method, path, json=body)
        assert answer.status_code < 500, (path, answer.text)
        return answer


def seen(one: Asker, key: str, resources: dict[str, Json]) -> bool:
    """Whether scopes, roles and consents let somebody see a resource."""
    return may_see(one, key, resources) and consented(one, key, resources)
