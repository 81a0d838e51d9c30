"""Removes what has expired: it opens nothing any more."""

from __future__ import annotations

from fhir_server.storage.store import Store

_EXPIRED = (
    "DELETE FROM auth_ask WHERE expires < now()",
    # a used code is remembered for a day: who comes with it again is a thief
    "DELETE FROM auth_code WHERE expires < now() - interval '1 day'",
    "DELETE FROM auth_revoked WHERE until < now()",
    "DELETE FROM auth_assertion WHERE until < now()",
    "DELETE FROM auth_launch WHERE expires < now()",
    "DELETE FROM auth_family WHERE expires < now() - interval '1 day'",
    "DELETE FROM auth_client_keys WHERE expires < now() - interval '1 day'",
    "DELETE FROM auth_signing_key WHERE ends < now()",
)


async def sweep(store: Store) -> None:
    """Remove what has expired."""
    async with store.pool.connection() as conn:
        for statement in _EXPIRED:
            await conn.execute(statement)
