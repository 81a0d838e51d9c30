"""A client on the real app, in this process: ASGI in, real PostgreSQL behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx

from fhir_server.app import App, create_app
from fhir_server.settings import Settings

JSON = "application/fhir+json"
XML = "application/fhir+xml"


@asynccontextmanager
async def running(database_url: str, **settings: Any) -> AsyncIterator[App]:
    """Yield the app between start-up and shutdown."""
    app = create_app(Settings(database_url=database_url, **{"pool_size": 4, **settings}))
    async with app.router.lifespan_context(app):
        yield app


def client_of(app: App) -> httpx.AsyncClient:
    """Return a client whose relative URLs start at the FHIR base; the app's exceptions are not passed through."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=True)
    return httpx.AsyncClient(
        transport=transport, base_url="http://server.example/fhir/", headers={"Accept": JSON}
    )


@asynccontextmanager
async def client(database_url: str, **settings: Any) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client on a running app."""
    async with running(database_url, **settings) as app, client_of(app) as one:
        yield one


def patient(**elements: Any) -> dict[str, Any]:
    """Return a small valid Patient."""
    return {
        "resourceType": "Patient",
        "active": True,
        "name": [{"family": "Rivera", "given": ["Ana"]}],
        **elements,
    }


def outcome_codes(answer: httpx.Response) -> list[str]:
    """Return the issue codes of an OperationOutcome answer."""
    body = answer.json()
    assert body["resourceType"] == "OperationOutcome", body
    return [issue["code"] for issue in body["issue"]]
