"""The signer: every few seconds all chains that have grown come under one signed checkpoint.

Whoever holds the lock signs; all other processes look on. What is removed from the end of a chain before the next
checkpoint cannot be noticed; that is why a copy of each checkpoint goes to a file, best on another machine.
"""

from __future__ import annotations

import asyncio
import base64
import logging
from pathlib import Path
from time import time_ns
from typing import Any

import msgspec
import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg import AsyncConnection

from fhir_server.audit.checkpoint import FIRST, Checkpoint, Head, signed
from fhir_server.audit.trail import IDLE_S
from fhir_server.storage.binary import Int8s
from fhir_server.storage.store import Store

_log = logging.getLogger("fhir_server.audit")
EVERY_S = 5.0
LOCK = 0x4842_4155
"""The lock of the one who signs: 'HBAU'."""

_GROWN = """SELECT c.id, c.genesis, e.n, e.hash FROM audit_chain c CROSS JOIN LATERAL
(SELECT n, hash FROM audit_entry e WHERE e.chain = c.id ORDER BY n DESC LIMIT 1) e
WHERE NOT c.ended AND e.n > c.signed ORDER BY c.id"""
_LAST = "SELECT n, root FROM audit_checkpoint ORDER BY n DESC LIMIT 1"
_KEEP = """INSERT INTO audit_checkpoint (n, at, heads, root, previous, key, signature)
VALUES (%s, %s, %s, %s, %s, %s, %s)"""
_SIGNED = """UPDATE audit_chain c SET signed = h.n FROM unnest(%s, %s) AS h(chain, n) WHERE c.id = h.chain"""
_ENDED = """UPDATE audit_chain c SET ended = true FROM audit_entry e
WHERE NOT c.ended AND e.chain = c.id AND e.n = c.signed AND e.at < %s
AND NOT EXISTS (SELECT FROM audit_entry later WHERE later.chain = c.id AND later.n > c.signed)"""


async def sign(conn: AsyncConnection[Any], key: Ed25519PrivateKey) -> Checkpoint | None:
    """Return the new checkpoint, None where nothing has grown or another process signs; inside a transaction."""
    cursor = await conn.execute("SELECT pg_try_advisory_xact_lock(%s)", (LOCK,))
    if await cursor.fetchone() != (True,):
        return None
    heads = [Head(*row) for row in await (await conn.execute(_GROWN, binary=True)).fetchall()]
    if not heads:
        return None
    last = await (await conn.execute(_LAST, binary=True)).fetchone()
    number, previous = (last[0] + 1, last[1]) if last else (1, FIRST)
    now = time_ns() // 1000
    made = signed(key, number, now, heads, previous)
    await conn.execute(_KEEP, msgspec.structs.astuple(made))
    await conn.execute(_SIGNED, (Int8s([h.chain for h in heads]), Int8s([h.n for h in heads])))
    await conn.execute(_ENDED, (now - int(2 * IDLE_S * 1_000_000),))
    return made


async def signing(store: Store, key: Ed25519PrivateKey, copy: Path | None, every: float = EVERY_S) -> None:
    """Sign again and again until cancelled; each checkpoint is also appended to the file `copy`."""
    while True:
        await asyncio.sleep(every)
        try:
            async with store.transaction() as conn:
                made = await sign(conn, key)
            if made is not None and copy is not None:
                await asyncio.to_thread(append, copy, made)
        except (psycopg.Error, OSError) as error:
            _log.error("no audit checkpoint could be made: %s", type(error).__name__)


def append(path: Path, one: Checkpoint) -> None:
    """Add a line on a checkpoint to a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.write(line(one) + b"\n")


def line(one: Checkpoint) -> bytes:
    """Return what a copy says of a checkpoint: its number, instant, root and signature, as JSON."""
    said = {
        "n": one.n,
        "at": one.at,
        "root": base64.b64encode(one.root).decode(),
        "key": one.key,
        "signature": base64.b64encode(one.signature).decode(),
    }
    return msgspec.json.encode(said)
