"""The keys that sign tokens: RS256, kept sealed in the database, exchanged with overlap.

A new key is published for a while before it signs, an old one for as long as anything that it signed is good: whoever
caches our key set never meets an unknown key. The sealing key is a file in the data folder.

Source: RFC 7517, RFC 7518 section 3.3, OpenID Connect Core 1.0 section 10.1.1
"""

from __future__ import annotations

import asyncio
import json
import os
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from joserfc.jwk import KeySet, RSAKey
from psycopg import AsyncConnection
from psycopg.types.json import Jsonb

from fhir_server.crypto.files import secret_file
from fhir_server.storage.store import Store

ALGORITHM = "RS256"
BITS = 2048
"""Source: NIST SP 800-57 part 1 revision 5, table 4: enough until 2030; keys are exchanged long before."""

ANNOUNCED_S = 600
"""Seconds that a new key is published before it signs."""

OVERLAP_S = 86_400
"""Seconds that an old key is published after it signed for the last time: more than any token lives."""

_NONCE = 12
_LOCK = "SELECT pg_advisory_xact_lock(hashtext('auth_signing_key'))"
_INSERT = """INSERT INTO auth_signing_key (kid, public, private, signs)
VALUES (%s, %s, %s, now() + make_interval(secs => %s))"""
_OPEN = """SELECT kid, public, private, signs <= now() FROM auth_signing_key
WHERE ends IS NULL OR ends > now() ORDER BY signs"""


class KeysError(Exception):
    """The signing keys cannot be used; the text says why."""


class KeyState(msgspec.Struct, frozen=True):
    """One signing key, for people to look at."""

    kid: str
    created: datetime
    signs: datetime
    ends: datetime | None


class SigningKeys:
    """The keys of this process, as they were read last."""

    def __init__(self, seal: bytes) -> None:
        self._seal = AESGCM(seal)
        self._public: dict[str, RSAKey] = {}
        self._signing: RSAKey | None = None

    async def load(self, store: Store) -> None:
        """Read the keys; raises KeysError where they were sealed with another file."""
        async with store.pool.connection() as conn:
            rows = await (await conn.execute(_OPEN)).fetchall()
        public: dict[str, RSAKey] = {}
        signing: tuple[str, bytes] | None = None
        for kid, jwk, private, signs in rows:
            public[kid] = self._public.get(kid) or RSAKey.import_key(jwk)
            if signs:
                signing = (kid, bytes(private))
        if signing is not None and (self._signing is None or self._signing.kid != signing[0]):
            self._signing = await asyncio.to_thread(self._opened, *signing)
        self._public = public

    async def ensure(self, store: Store) -> None:
        """Read the keys, and make the first where there is none."""
        await self.load(store)
        if self._signing is None:
            async with store.transaction() as conn:
                await conn.execute(_LOCK)
                if await (await conn.execute(_OPEN)).fetchone() is None:
                    await self.add(conn, 0)
            await self.load(store)

    async def add(self, conn: AsyncConnection[Any], delay: int) -> str:
        """Return the id of a new key that signs after `delay` seconds."""
        key = await asyncio.to_thread(
            RSAKey.generate_key, BITS, {"use": "sig", "alg": ALGORITHM}, auto_kid=True
        )
        kid = key.kid
        assert kid is not None
        nonce = os.urandom(_NONCE)
        sealed = nonce + self._seal.encrypt(
            nonce, json.dumps(key.as_dict(private=True)).encode(), kid.encode()
        )
        await conn.execute(_INSERT, (kid, Jsonb(key.as_dict(private=False)), sealed, delay))
        return kid

    def _opened(self, kid: str, private: bytes) -> RSAKey:
        try:
            opened = self._seal.decrypt(private[:_NONCE], private[_NONCE:], kid.encode())
        except InvalidTag:
            raise KeysError(
                "The signing keys in the database were sealed with another file than keys/token-signing: "
                "bring that file back, or exchange the keys with `healthbuddy key rotate --now`"
            ) from None
        return RSAKey.import_key(json.loads(opened))

    @property
    def signing(self) -> RSAKey:
        """The key that signs now."""
        if self._signing is None:
            raise KeysError("There is no signing key")
        return self._signing

    def public(self, kid: str) -> RSAKey | None:
        """Return the public key of that id."""
        return self._public.get(kid)

    def jwks(self) -> dict[str, Any]:
        """Return the key set to publish."""
        return {"keys": [key.as_dict(private=False) for key in KeySet(list(self._public.values())).keys]}


def sealing_key(data_dir: Path) -> bytes:
    """Return the key that seals signing keys, made with its file at first use; raises SecretFileError."""
    return secret_file(data_dir / "keys" / "token-signing", lambda: os.urandom(32))


async def rotate(store: Store, keys: SigningKeys, *, at_once: bool = False) -> str:
    """Return the id of a new signing key: it takes over after a while, or at once where the old one was stolen.

    Shape:  at once: old keys are gone with all that they signed; else they stay until that has expired
    """
    async with store.transaction() as conn:
        await conn.execute(_LOCK)
        if at_once:
            await conn.execute("DELETE FROM auth_signing_key")
            return await keys.add(conn, 0)
        await conn.execute(
            "UPDATE auth_signing_key SET ends = now() + make_interval(secs => %s) WHERE ends IS NULL",
            (ANNOUNCED_S + OVERLAP_S,),
        )
        return await keys.add(conn, ANNOUNCED_S)


async def listed(store: Store) -> list[KeyState]:
    """Return the keys that are published, oldest first."""
    async with store.pool.connection() as conn:
        rows = await (
            await conn.execute("SELECT kid, created, signs, ends FROM auth_signing_key ORDER BY signs")
        ).fetchall()
    return [KeyState(*row) for row in rows]
