"""Forgets a patient: what apps were allowed to do with that record, and the state that they kept about it."""

from __future__ import annotations

from typing import Any

from psycopg import AsyncConnection

from fhir_server.auth.families import ACCESS_MOST_S
from fhir_server.auth.revocations import revoke

_FORGET = (
    "DELETE FROM auth_app_state WHERE subject = %(reference)s",
    "DELETE FROM auth_launch WHERE context->>'patient' = %(id)s",
    "DELETE FROM auth_code WHERE allowed->>'patient' = %(id)s OR allowed->>'user' = %(reference)s",
    "DELETE FROM auth_ask WHERE patient = %(id)s OR request->'launch'->>'patient' = %(id)s",
    "DELETE FROM auth_agreed WHERE account IN (SELECT account FROM auth_family WHERE allowed->>'user' = %(reference)s)",
)
_END = """DELETE FROM auth_family WHERE allowed->>'patient' = %(id)s OR allowed->>'user' = %(reference)s RETURNING id"""


async def erased(conn: AsyncConnection[Any], reference: str) -> int:
    """Return how many apps' access ended with a patient ('Patient/1'), of whom nothing is kept here; tokens end too."""
    said = {"reference": reference, "id": reference.partition("/")[2]}
    for statement in _FORGET:
        await conn.execute(statement, said)
    families = [f"sid:{family}" for (family,) in await (await conn.execute(_END, said)).fetchall()]
    if families:
        await revoke(conn, families, ACCESS_MOST_S)
    return len(families)
