"""The writer of the trail: one chain for each process, many entries to a commit, durable before anybody is answered.

While one commit is under way the entries of others gather; the next takes them all. Alone, a request waits for its own
commit; under load a commit is shared.
"""

from __future__ import annotations

import asyncio
import logging
import os
from time import monotonic
from typing import Any, Protocol

import psycopg
from psycopg import AsyncConnection

from fhir_server.access.grant import Grant
from fhir_server.audit.entry import Entry, Kind, chained, entry
from fhir_server.storage import binary
from fhir_server.storage.binary import Byteas, Int2s, Int8s, Texts
from fhir_server.storage.rows import type_number
from resources.outcome import FhirError

_log = logging.getLogger("fhir_server.audit")
MOST = 512
"""Entries of one commit."""
WAITING_MOST = 20_000
IDLE_S = 1800.0
"""A chain to which nothing was added for so long is left; the signer may close it."""

_INSERT = """INSERT INTO audit_entry (chain, n, at, kind, interaction, status, agent, type, id, patients, record, hash)
SELECT %s, w.n, w.at, w.kind, w.interaction, w.status, w.agent, w.type, w.id, w.patients::bigint[], w.record, w.hash
FROM unnest(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
AS w(n, at, kind, interaction, status, agent, type, id, patients, record, hash)"""


class Trail(Protocol):
    """Where entries go."""

    async def record(self, one: Entry) -> None:
        """Return when the entry is durable; raises FhirError 503 where it cannot be."""
        ...

    async def note(self, kind: Kind, grant: Grant, **said: Any) -> None:
        """Record an entry of this moment on behalf of `grant`; `said` are further fields of Entry."""
        ...

    async def close(self) -> None:
        """Finish what was begun."""
        ...


class NoTrail:
    """Where the audit is switched off."""

    async def record(self, one: Entry) -> None:
        """Forget the entry."""

    async def note(self, kind: Kind, grant: Grant, **said: Any) -> None:
        """Forget the entry."""

    async def close(self) -> None:
        """Do nothing."""


class ChainedTrail:
    """Writes to PostgreSQL on a connection of its own."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo
        self._waiting: list[tuple[Entry, asyncio.Future[None]]] = []
        self._more = asyncio.Event()
        self._conn: AsyncConnection[Any] | None = None
        self._chain, self._n, self._head, self._last = 0, 0, b"", 0.0
        self._closing = False
        self._writer = asyncio.create_task(self._write())

    async def record(self, one: Entry) -> None:
        """Return when the entry is durable; raises FhirError 503 where it cannot be."""
        if len(self._waiting) >= WAITING_MOST or self._writer.done():
            raise unwritten()
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((one, done))
        self._more.set()
        await asyncio.shield(done)

    async def note(self, kind: Kind, grant: Grant, **said: Any) -> None:
        """Record an entry of this moment on behalf of `grant`; `said` are further fields of Entry."""
        await self.record(entry(kind, grant, **said))

    async def close(self) -> None:
        """Write what is waiting, and let go of the connection."""
        self._closing = True
        self._more.set()
        await asyncio.gather(self._writer, return_exceptions=True)
        await self._disconnect()

    async def _write(self) -> None:
        while self._waiting or not self._closing:
            await self._more.wait()
            batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            if not self._waiting and not self._closing:
                self._more.clear()
            if not batch:
                continue
            try:
                await self._commit([one for one, _ in batch])
            except (psycopg.Error, OSError) as error:
                _log.error("the audit trail could not be written: %s", type(error).__name__)
                await self._disconnect()
                _settle(batch, unwritten())
            except BaseException:
                _settle(batch, unwritten())
                raise
            else:
                _settle(batch, None)

    async def _commit(self, entries: list[Entry]) -> None:
        if self._conn is None or monotonic() - self._last > IDLE_S:
            await self._begin()
        assert self._conn is not None
        records = [one.packed() for one in entries]
        hashes, head = [], self._head
        for record in records:
            head = chained(head, record)
            hashes.append(head)
        first = self._n + 1
        columns = (
            Int8s(range(first, first + len(entries))),
            Int8s([one.at for one in entries]),
            Texts([one.kind for one in entries]),
            Texts([one.interaction for one in entries]),
            Int2s([one.status for one in entries]),
            Texts([one.agent for one in entries]),
            Int2s([type_number(one.type) if one.type else None for one in entries]),
            Texts([one.id or None for one in entries]),
            Texts([_array(one.patients) for one in entries]),
            Byteas(records),
            Byteas(hashes),
        )
        await self._conn.execute(_INSERT, (self._chain, *columns), binary=True, prepare=True)
        self._n, self._head, self._last = self._n + len(entries), head, monotonic()

    async def _begin(self) -> None:
        """Begin a new chain: after every loss of the connection, since nobody knows what was still written."""
        await self._disconnect()
        self._conn = await AsyncConnection.connect(
            self._conninfo, autocommit=True, application_name="healthbuddy audit"
        )
        binary.register(self._conn.adapters)
        genesis = os.urandom(32)
        cursor = await self._conn.execute(
            "INSERT INTO audit_chain (genesis) VALUES (%s) RETURNING id", (genesis,)
        )
        found = await cursor.fetchone()
        assert found is not None
        self._chain, self._n, self._head, self._last = int(found[0]), 0, genesis, monotonic()

    async def _disconnect(self) -> None:
        conn, self._conn = self._conn, None
        if conn is not None:
            await conn.close()


def unwritten() -> FhirError:
    """Return what is answered where the trail cannot be written: no audit, no answer."""
    text = "The access could not be written to the audit trail, so that there is no answer; please try again"
    return FhirError(503, "transient", text, headers={"Retry-After": "2"})


def _settle(batch: list[tuple[Entry, asyncio.Future[None]]], error: FhirError | None) -> None:
    for _, done in batch:
        if done.done():
            continue
        if error is None:
            done.set_result(None)
        else:
            done.set_exception(error)


def _array(numbers: tuple[int, ...]) -> str | None:
    return "{" + ",".join(map(str, numbers)) + "}" if numbers else None
