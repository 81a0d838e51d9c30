"""The storage of one process: its connections, keys and known identities."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from hashlib import blake2b
from typing import Any

from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from fhir_server.storage import binary
from fhir_server.storage.connection import Connection, enlarge
from fhir_server.storage.dictionaries import codings, labels
from fhir_server.storage.identities import Identities
from fhir_server.storage.sealing import Sealer, secrets

PREPARE_AFTER = 2
PREPARED_MAX = 500
_IDENTITY = """SELECT s.value, c.system_identifier, d.oid FROM secret s, pg_control_system() c, pg_database d
WHERE s.name = 'token-hash' AND d.datname = current_database()"""


async def identity(conn: AsyncConnection[Any]) -> str:
    """Return what tells this database from others, and says nothing else of it."""
    cursor = await conn.execute(_IDENTITY)
    found = await cursor.fetchone()
    assert found is not None
    key, *names = found
    return blake2b("|".join(map(str, names)).encode(), key=bytes(key)[:64], digest_size=8).hexdigest()


class Store:
    """Lends connections and remembers what never changes."""

    def __init__(
        self,
        pool: AsyncConnectionPool[AsyncConnection[Any]],
        keys: dict[str, bytes],
        sealer: Sealer | None = None,
    ) -> None:
        self.pool = pool
        self.keys = keys
        self.sealer = sealer
        self.identities = Identities(pool)
        self.labels = labels(pool)
        self.codings = codings(pool)
        if sealer is not None:
            sealer.ring.on_change = self.forget

    @classmethod
    async def open(
        cls,
        conninfo: str,
        *,
        pool_size: int = 10,
        timeout_s: float = 10.0,
        statement_timeout_s: float = 10.0,
        sealer: Sealer | None = None,
    ) -> Store:
        """Return a store whose pool is connected.

        Units:  seconds; `timeout_s` is how long a request waits for a connection, `statement_timeout_s` how long
                one statement may take
        Errors: psycopg_pool.PoolTimeout where the database does not answer
        """
        milliseconds = int(statement_timeout_s * 1000)
        settings = {
            "statement_timeout": milliseconds,
            "lock_timeout": milliseconds,
            "idle_in_transaction_session_timeout": 3 * milliseconds,
            "jit": "off",
            "plan_cache_mode": "force_generic_plan",
            "timezone": "UTC",
            "application_name": "healthbuddy",
        }
        options = " ".join(f"-c {name}={value}" for name, value in settings.items())
        pool: AsyncConnectionPool[AsyncConnection[Any]] = AsyncConnectionPool(
            conninfo,
            connection_class=Connection,
            kwargs={"autocommit": True, "options": options},
            min_size=min(2, pool_size),
            max_size=pool_size,
            timeout=timeout_s,
            configure=_configure(sealer),
            open=False,
        )
        await pool.open(wait=True, timeout=max(timeout_s, 10.0))
        async with pool.connection() as conn:
            keys = await secrets(conn, sealer)
        return cls(pool, keys, sealer)

    def forget(self) -> None:
        """Look up anew what somebody's erasure may have removed."""
        self.identities.forget()
        self.labels.forget()

    async def close(self) -> None:
        """Give all connections back to the database."""
        await self.pool.close()
        if self.sealer is not None:
            await self.sealer.close()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection[Any]]:
        """Lend a connection inside one READ COMMITTED transaction: committed on leaving, rolled back on error."""
        async with self.pool.connection() as conn, conn.transaction():
            yield conn


def _configure(sealer: Sealer | None) -> Callable[[AsyncConnection[Any]], Awaitable[None]]:
    async def configure(conn: AsyncConnection[Any]) -> None:
        conn.prepare_threshold = PREPARE_AFTER
        conn.prepared_max = PREPARED_MAX
        assert isinstance(conn, Connection)
        conn.sealer = sealer
        binary.register(conn.adapters)
        await enlarge(conn)

    return configure
