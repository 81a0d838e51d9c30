"""The authorization server of one process: its keys, what is revoked, and the accounts that it asks."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterable
from typing import TYPE_CHECKING

import psycopg
from psycopg_pool import PoolTimeout

from fhir_server.access.scopes import Scope, clinical
from fhir_server.auth import clients, keys, sweeping
from fhir_server.auth.bearer import Bearer
from fhir_server.auth.errors import OAuthError
from fhir_server.auth.keys import SigningKeys
from fhir_server.auth.places import Lifetimes, Places, lifetimes, places
from fhir_server.auth.revocations import Revocations

if TYPE_CHECKING:
    from fhir_server.audit.trail import Trail
    from fhir_server.auth.people import People
    from fhir_server.settings import Settings
    from fhir_server.storage.store import Store

KEYS_EVERY_S = 10.0
SWEEP_EVERY_S = 600.0
_log = logging.getLogger(__name__)


class Authority:
    """What every endpoint of the authorization server may reach."""

    people: People
    trail: Trail
    granular: Callable[[list[Scope]], str] | None = None
    """Why the search parameters of scopes cannot be enforced, '' where they can; search knows."""

    def __init__(self, settings: Settings, store: Store, signing: SigningKeys, revoked: Revocations) -> None:
        self.settings = settings
        self.store = store
        self.keys = signing
        self.revoked = revoked
        self.places: Places = places(settings)
        self.lifetimes: Lifetimes = lifetimes(settings)
        self.bearer = Bearer(self.places, signing, revoked)

    async def origins(self) -> frozenset[str]:
        """Return the web origins of all clients in use."""
        async with self.store.pool.connection() as conn:
            return await clients.origins(conn)

    def enforceable(self, granted: Iterable[str]) -> None:
        """Raise OAuthError invalid_scope where scopes have search parameters that nobody would enforce."""
        narrowed = [one for one in clinical(granted) if one.query]
        problem = self.granular(narrowed) if narrowed and self.granular is not None else ""
        if problem:
            raise OAuthError("invalid_scope", problem)


@contextlib.asynccontextmanager
async def running(settings: Settings, store: Store) -> AsyncIterator[Authority]:
    """Lend the authorization server, which keeps up with keys and revocations as long as this lasts.

    Errors: KeysError, SecretFileError
    """
    signing = SigningKeys(keys.sealing_key(settings.data_dir))
    await signing.ensure(store)
    revoked = Revocations(settings.database_url)
    await revoked.refresh()
    authority = Authority(settings, store, signing, revoked)
    tasks = [asyncio.create_task(work) for work in (revoked.follow(), _reload(signing, store), _sweep(store))]
    try:
        yield authority
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await revoked.close()


async def _reload(signing: SigningKeys, store: Store) -> None:
    while True:
        await asyncio.sleep(KEYS_EVERY_S)
        try:
            await signing.load(store)
        except (psycopg.Error, PoolTimeout, OSError, keys.KeysError) as error:
            _log.warning("signing keys cannot be read: %s", error)


async def _sweep(store: Store) -> None:
    while True:
        await asyncio.sleep(SWEEP_EVERY_S)
        try:
            await sweeping.sweep(store)
        except (psycopg.Error, PoolTimeout, OSError) as error:
            _log.warning("what has expired cannot be removed: %s", type(error).__name__)
