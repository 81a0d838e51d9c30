"""R4's own value sets hold the same codes in the tables as in memory, where both can tell them.

Source: http://hl7.org/fhir/R4/valueset.html#compositions, hl7.fhir.r4.core 4.0.1
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from psycopg import AsyncConnection

from fhir_server.concepts import sets
from fhir_server.concepts.model import UnknownError
from fhir_server.search.context import configure
from fhir_server.storage.store import Store
from resources.definitions.vocabulary import published, published_urls
from terminology.codesystems import CodeSystem
from terminology.known import known as iso
from terminology.valuesets import Code, IncompleteError, expand

Json = dict[str, Any]
PAGE = 5_000


class InMemory:
    """R4's value sets and code systems, read in memory."""

    def __init__(self) -> None:
        self.systems: dict[str, CodeSystem | None] = {}

    def valueset(self, canonical: str) -> Json | None:
        """Return one of R4's value sets."""
        url, _, version = canonical.partition("|")
        return published("ValueSet", url, version)

    def codesystem(self, url: str, version: str) -> CodeSystem | None:
        """Return one of R4's code systems."""
        if url not in self.systems:
            found = published("CodeSystem", url) or iso(url)
            self.systems[url] = CodeSystem(found) if found else None
        known = self.systems[url]
        return known if known and version in ("", known.version) else None


@pytest.fixture
async def conn(database_url: str) -> AsyncIterator[AsyncConnection[Any]]:
    """Yield a connection of a store."""
    store = await Store.open(database_url, pool_size=1, statement_timeout_s=60)
    configure(token_key=store.keys["token-hash"], cursor_key=store.keys["cursor-signature"])
    try:
        async with store.pool.connection() as lent:
            yield lent
    finally:
        await store.close()


def in_memory(resource: Json, library: InMemory) -> set[Code] | None:
    """Return the codes of a value set as they are worked out in memory, None where they cannot be told."""
    try:
        return expand(resource, library)
    except IncompleteError:
        return None


async def in_tables(conn: AsyncConnection[Any], resource: Json) -> list[Code] | None:
    """Return the codes of a value set as the tables have them, page by page, None where they cannot be told."""
    made = await sets.compiled(conn, resource)
    try:
        entries, total = await sets.page(conn, made, 0, PAGE)
        while len(entries) < total:
            more, _ = await sets.page(conn, made, len(entries), PAGE)
            assert more, f"{made.called}: {total} codes, but only {len(entries)} are listed"
            entries += more
    except UnknownError:
        return None
    assert await sets.total(conn, made) == total == len(entries)
    return [(entry.leaf.url, entry.code) for entry in entries]


@pytest.mark.timeout(300)
async def test_r4s_value_sets_have_the_same_codes_in_memory_and_in_the_tables(
    conn: AsyncConnection[Any],
) -> None:
    library = InMemory()
    differing: list[str] = []
    compared = 0
    for url in published_urls("ValueSet"):
        resource = published("ValueSet", url)
        assert resource is not None
        expected, found = in_memory(resource, library), await in_tables(conn, resource)
        if expected is None or found is None:
            differing += [url] if (expected is None) != (found is None) else []
            continue
        compared += 1
        if set(found) != expected or len(found) != len(expected):
            less, more = sorted(expected - set(found))[:3], sorted(set(found) - expected)[:3]
            differing.append(f"{url}: {len(found)} of {len(expected)}, without {less}, too many {more}")
    assert differing == []
    assert compared > 1_200
