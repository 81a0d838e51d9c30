"""One-time password apps. A code that was accepted is never accepted again, nor one from before it.

Source: RFC 6238 (30 seconds, six digits; section 5.2: one use, and one step of delay), RFC 4226 section 4 (160 bits)
"""

from __future__ import annotations

from io import BytesIO
from time import time
from typing import Any, NamedTuple

import pyotp
import segno
from psycopg import AsyncConnection

from fhir_server.auth import opaque
from fhir_server.auth.seal import Seal

STEP = 30
DRIFT = 1


class Setup(NamedTuple):
    """What an app needs to know: the secret to type, the address to scan, and that as an SVG picture."""

    factor: str
    secret: str
    uri: str
    picture: str


async def begun(conn: AsyncConnection[Any], seal: Seal, account: str, *, issuer: str, name: str) -> Setup:
    """Return a new app's setup; it counts for nothing until a code was confirmed. An earlier unconfirmed one ends."""
    await conn.execute(
        "DELETE FROM account_factor WHERE account = %s AND kind = 'totp' AND confirmed IS NULL", (account,)
    )
    secret, factor = pyotp.random_base32(32), opaque.fresh()[:22]
    await conn.execute(
        "INSERT INTO account_factor (id, account, kind, label, secret) VALUES (%s, %s, 'totp', %s, %s)",
        (factor, account, "Authenticator app", seal.sealed(secret.encode(), factor)),
    )
    return _setup(factor, secret, issuer, name)


async def waiting(
    conn: AsyncConnection[Any], seal: Seal, account: str, *, issuer: str, name: str
) -> Setup | None:
    """Return the setup that was begun and not confirmed."""
    cursor = await conn.execute(
        "SELECT id, secret FROM account_factor WHERE account = %s AND kind = 'totp' AND confirmed IS NULL",
        (account,),
    )
    row = await cursor.fetchone()
    return _setup(row[0], seal.opened(row[1], row[0]).decode(), issuer, name) if row else None


async def confirmed(conn: AsyncConnection[Any], seal: Seal, account: str, code: str) -> bool:
    """Whether `code` is of the app that is being set up; it counts from now on."""
    return await _taken(conn, seal, account, code, fresh=True)


async def accepted(conn: AsyncConnection[Any], seal: Seal, account: str, code: str) -> bool:
    """Whether `code` is of one of the account's apps, and newer than any that was accepted."""
    return await _taken(conn, seal, account, code, fresh=False)


async def _taken(conn: AsyncConnection[Any], seal: Seal, account: str, code: str, *, fresh: bool) -> bool:
    digits = "".join(code.split())
    if len(digits) != 6 or not digits.isascii() or not digits.isdigit():
        return False
    cursor = await conn.execute(
        "SELECT id, secret FROM account_factor WHERE account = %s AND kind = 'totp' AND (confirmed IS NULL) = %s",
        (account, fresh),
    )
    for factor, sealed in await cursor.fetchall():
        step = _step(seal.opened(sealed, factor).decode(), digits)
        if step is None:
            continue
        done = await conn.execute(
            "UPDATE account_factor SET counter = %s, used = clock_timestamp(),"
            " confirmed = coalesce(confirmed, clock_timestamp()) WHERE id = %s AND counter < %s RETURNING id",
            (step, factor, step),
        )
        if await done.fetchone():
            return True
    return False


def _step(secret: str, digits: str) -> int | None:
    """Return the time step whose code this is; all are compared, in the same time."""
    app, now = pyotp.TOTP(secret), int(time()) // STEP
    hits = [
        s
        for s in range(now - DRIFT, now + DRIFT + 1)
        if pyotp.utils.strings_equal(app.generate_otp(s), digits)
    ]
    return max(hits, default=None)


def _setup(factor: str, secret: str, issuer: str, name: str) -> Setup:
    uri = pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=issuer)
    out = BytesIO()
    segno.make(uri, error="m", micro=False).save(
        out, kind="svg", scale=5, border=4, dark="#000", light="#fff", xmldecl=False, svgns=True, nl=False
    )
    return Setup(factor, secret, uri, out.getvalue().decode())
