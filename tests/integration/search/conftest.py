"""A database with resources in it, and a way to ask it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import parse_qsl, urlsplit

import pytest

from fhir_server.changes import single
from fhir_server.changes.prepare import prepare
from fhir_server.concepts import searching
from fhir_server.exchange import Server, Session
from fhir_server.keys import unlocked
from fhir_server.search.bundle import searchset
from fhir_server.search.context import configure
from fhir_server.search.find import find
from fhir_server.settings import Settings
from fhir_server.storage.store import Store
from resources.codec.json import parse_json

BASE = "http://example.org/fhir"
Json = dict[str, Any]


class Asker:
    """Writes resources and searches them."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.session = Session(cast("Server", SimpleNamespace(store=store, settings=None)))

    async def put(self, *resources: Json) -> None:
        """Write resources under their own ids."""
        for resource in resources:
            await single.put(self.session, prepare(dict(resource), resource["id"]))

    async def bundle(self, query: str, *, strict: bool = True) -> Json:
        """Return the Bundle that `Type?query` answers."""
        type_name, _, text = query.removeprefix(BASE).removeprefix("/").partition("?")
        pairs = parse_qsl(text, keep_blank_values=True)
        page = await find(self.session, type_name, pairs, base=BASE, strict=strict)
        return parse_json(searchset(page, BASE))

    async def ids(self, query: str) -> list[str]:
        """Return the ids of the matches of one page, in order."""
        return ids(await self.bundle(query))

    async def included(self, query: str) -> list[str]:
        """Return 'Type/id' of what comes along, sorted."""
        entries = (await self.bundle(query)).get("entry", [])
        found = [e["resource"] for e in entries if e["search"]["mode"] == "include"]
        return sorted(f"{r['resourceType']}/{r['id']}" for r in found)

    async def walk(self, query: str, relation: str = "next") -> list[list[str]]:
        """Return the ids of every page from the first to the last."""
        pages: list[list[str]] = []
        url: str | None = query
        while url is not None:
            bundle = await self.bundle(url)
            pages.append(ids(bundle))
            url = link(bundle, relation)
            assert len(pages) < 500
        return pages


def ids(bundle: Json) -> list[str]:
    """Return the ids of the matches in a Bundle."""
    return [e["resource"]["id"] for e in bundle.get("entry", []) if e["search"]["mode"] == "match"]


def link(bundle: Json, relation: str) -> str | None:
    """Return the address that a Bundle gives for a relation."""
    return next((one["url"] for one in bundle["link"] if one["relation"] == relation), None)


def params_of(url: str) -> Sequence[tuple[str, str]]:
    """Return the parameters of an address."""
    return parse_qsl(urlsplit(url).query)


@pytest.fixture
async def world(database_url: str, request: pytest.FixtureRequest) -> AsyncIterator[Asker]:
    """Yield the module's own database with its `WORLD` of resources in it."""
    store = await _open(database_url)
    try:
        asker = Asker(store)
        async with store.pool.connection() as conn:
            row = await (await conn.execute("SELECT count(*) FROM resource")).fetchone()
        if row == (0,):
            await asker.put(*request.module.WORLD)
        yield asker
    finally:
        await store.close()


async def _open(url: str) -> Store:
    searching.connect()
    store = await Store.open(url, pool_size=3, sealer=await unlocked(Settings(database_url=url)))
    configure(token_key=store.keys["token-hash"], cursor_key=store.keys["cursor-signature"], bases=(BASE,))
    return store


@pytest.fixture
async def ask(fresh_database_url: str) -> AsyncIterator[Asker]:
    """Yield an empty database to write to and search."""
    store = await _open(fresh_database_url)
    try:
        yield Asker(store)
    finally:
        await store.close()
