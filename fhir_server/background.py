"""What a process does beside requests: it follows the search parameters, and works on reindex jobs.

Both have database connections of their own, so that requests never wait for them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from fhir_server import keys
from fhir_server.access import current
from fhir_server.access.compiling import Policies
from fhir_server.access.policy import UNBOUND
from fhir_server.audit.trail import NoTrail, Trail
from fhir_server.changes import reindex
from fhir_server.exchange import Handler, Session
from fhir_server.search import custom
from fhir_server.search.granular import granular
from fhir_server.storage.store import Store

if TYPE_CHECKING:
    from fhir_server.settings import Settings

CONNECTIONS = 3
"""One leads, one writes, one looks up names."""


class Background:
    """What work in the background may reach; see `exchange.Server`."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self.settings = settings
        self.store = store
        self.handlers: Mapping[str, Handler] = {}
        self.policies = Policies(granular(self))
        self.trail: Trail = NoTrail()


@contextlib.asynccontextmanager
async def running(settings: Settings, *, reindexes: bool) -> AsyncIterator[None]:
    """Read the stored search parameters, then do the work as long as this lasts; jobs only with `reindexes`."""
    store = await Store.open(
        settings.database_url,
        pool_size=CONNECTIONS if reindexes else 1,
        statement_timeout_s=settings.statement_timeout_s,
        sealer=keys.sealer(settings),
    )
    server = Background(settings, store)
    tasks: list[asyncio.Task[Any]] = []
    try:
        custom.forget()
        async with Session(server).connection() as conn:
            await custom.refresh(conn)
        with current.entered(UNBOUND):
            tasks.append(asyncio.create_task(reindex.follow(server)))
            if reindexes:
                tasks.append(asyncio.create_task(reindex.work(server)))
        yield
    finally:
        await cancelled(tasks)
        await store.close()


async def cancelled(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Return once all of `tasks` have ended: told repeatedly, since a library may take a cancellation for its own."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=0.5)
