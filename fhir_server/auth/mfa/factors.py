"""The factors of an account, whatever their kind."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import msgspec
from psycopg import AsyncConnection

from fhir_server.auth.accounts import Account

STRONG = ("totp", "passkey")
"""Kinds that fulfil the policy; recovery codes and codes sent stand in for one that is there."""


class Factor(msgspec.Struct, frozen=True):
    """A factor as its owner sees it; `confirmed` once it was used the first time."""

    id: str
    kind: str
    label: str
    created: datetime
    confirmed: datetime | None
    used: datetime | None


async def of(conn: AsyncConnection[Any], account: str) -> list[Factor]:
    """Return the confirmed factors of an account, recovery codes among them."""
    cursor = await conn.execute(
        "SELECT id, kind, label, created, confirmed, used FROM account_factor"
        " WHERE account = %s AND confirmed IS NOT NULL ORDER BY created, id",
        (account,),
    )
    return [Factor(*row) for row in await cursor.fetchall()]


async def removed(conn: AsyncConnection[Any], account: str, factor: str | None = None) -> int:
    """Return how many factors were removed: the one, or all; recovery codes go with the last strong one."""
    cursor = await conn.execute(
        "DELETE FROM account_factor WHERE account = %s AND (%s::text IS NULL OR id = %s)",
        (account, factor, factor),
    )
    await conn.execute(
        "DELETE FROM account_factor r WHERE r.account = %s AND r.kind = 'recovery' AND NOT EXISTS"
        " (SELECT FROM account_factor f WHERE f.account = r.account AND f.kind = ANY(%s)"
        " AND f.confirmed IS NOT NULL)",
        (account, list(STRONG)),
    )
    return cursor.rowcount


def strong(found: Iterable[Factor]) -> list[Factor]:
    """Return those that fulfil the policy."""
    return [one for one in found if one.kind in STRONG]


def required(account: Account, roles: Iterable[str]) -> bool:
    """Whether an account in one of `roles` must have a second factor."""
    return not set(account.roles).isdisjoint(roles)
