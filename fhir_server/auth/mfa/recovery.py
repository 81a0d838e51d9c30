"""Recovery codes: ten, each opens once, for whoever lost the phone. Source: NIST SP 800-63B section 5.1.2"""

from __future__ import annotations

import secrets
from typing import Any

from psycopg import AsyncConnection

from fhir_server.auth import opaque

COUNT = 10
_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
"""Without what looks alike."""
_LENGTH = 16
"""Characters: 79 bits."""


async def made(conn: AsyncConnection[Any], account: str) -> list[str]:
    """Return new codes, shown this once; earlier ones end."""
    await conn.execute("DELETE FROM account_factor WHERE account = %s AND kind = 'recovery'", (account,))
    codes = ["".join(secrets.choice(_ALPHABET) for _ in range(_LENGTH)) for _ in range(COUNT)]
    async with conn.cursor() as cursor:
        await cursor.executemany(
            "INSERT INTO account_factor (id, account, kind, label, secret, confirmed)"
            " VALUES (%s, %s, 'recovery', 'Recovery code', %s, clock_timestamp())",
            [(opaque.fresh()[:22], account, opaque.digest(code)) for code in codes],
        )
    return ["-".join(code[n : n + 4] for n in range(0, _LENGTH, 4)) for code in codes]


async def accepted(conn: AsyncConnection[Any], account: str, code: str) -> bool:
    """Whether `code` is one that is left; it is gone then."""
    plain = "".join(c for c in code.casefold() if c.isalnum())[: opaque.LONGEST]
    cursor = await conn.execute(
        "DELETE FROM account_factor WHERE account = %s AND kind = 'recovery' AND secret = %s RETURNING id",
        (account, opaque.digest(plain)),
    )
    return await cursor.fetchone() is not None
