"""Codes that are sent by e-mail or SMS, where nothing better is at hand.

Source: NIST SP 800-63B section 5.1.3 (out-of-band: six digits at least, ten minutes, one use; e-mail is weaker than it
        allows, so that it only stands in for a strong factor that the account has)
"""

from __future__ import annotations

import hmac
import secrets
from typing import Any, Literal

from psycopg import AsyncConnection

from fhir_server.auth import opaque, outbox, tickets
from fhir_server.auth.accounts import Account
from fhir_server.auth.mfa.factors import Factor, strong

Channel = Literal["email", "sms"]
TRIES = 5


def channels(account: Account, found: list[Factor]) -> list[Channel]:
    """Return by which ways a code can reach an account that has a strong factor."""
    if not strong(found):
        return []
    ways: list[Channel] = []
    if account.verified:
        ways.append("email")
    if account.phone:
        ways.append("sms")
    return ways


async def sent(
    conn: AsyncConnection[Any], account: Account, session: str, channel: Channel, brand: str
) -> None:
    """Send a new code for one session; an earlier one ends."""
    code = f"{secrets.randbelow(10**8):08d}"
    await tickets.withdrawn(conn, "code", account.id)
    shown = f"{account.id}:{session}"
    await tickets.issue(conn, "code", account.id, {"code": _digest(shown, code), "tries": 0}, value=shown)
    text = (
        f"{code} is your code for {brand}. It holds for 10 minutes. Nobody of ours will ever ask you for it."
    )
    to = account.email if channel == "email" else account.phone
    await outbox.put(conn, channel, to, f"{brand}: your code", text)


async def accepted(conn: AsyncConnection[Any], account: str, session: str, code: str) -> bool:
    """Whether `code` was sent for this session; a few wrong ones end it."""
    shown = f"{account}:{session}"
    ticket = await tickets.used(conn, "code", shown)
    if ticket is None:
        return False
    digits = "".join(code.split())
    if hmac.compare_digest(_digest(shown, digits), ticket.data["code"]):
        return True
    tries = ticket.data["tries"] + 1
    if tries < TRIES:
        await tickets.issue(conn, "code", account, {**ticket.data, "tries": tries}, value=shown)
    return False


def _digest(shown: str, code: str) -> str:
    return opaque.digest(f"{shown}:{code}").hex()
