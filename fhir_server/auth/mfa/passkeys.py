"""Passkeys: made and asked for with a challenge that is used once.

Source: https://www.w3.org/TR/webauthn-2/ sections 7.1 and 7.2 (the checks are py_webauthn's)
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import webauthn
from psycopg import AsyncConnection
from psycopg.errors import UniqueViolation
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, options_to_json_dict
from webauthn.helpers.exceptions import WebAuthnException
from webauthn.helpers.structs import (
    AuthenticatorSelectionCriteria,
    PublicKeyCredentialDescriptor,
    ResidentKeyRequirement,
    UserVerificationRequirement,
)

from fhir_server.auth import opaque, tickets
from fhir_server.auth.accounts import Account

_VERIFIED = UserVerificationRequirement.REQUIRED
_TROUBLE = (WebAuthnException, ValueError, KeyError, TypeError, AttributeError)
LONGEST = 20_000


class Site(NamedTuple):
    """Whom passkeys are for: a domain, its origin and its name."""

    id: str
    origin: str
    name: str


class Shown(NamedTuple):
    """Whose passkey it was."""

    account: str
    factor: str


def site(origin: str, name: str) -> Site:
    """Return the site of an origin."""
    return Site(urlsplit(origin).hostname or "localhost", origin, name)


async def creation(conn: AsyncConnection[Any], at: Site, account: Account) -> dict[str, Any]:
    """Return the options for making a passkey, with a challenge that opens once."""
    challenge = await _challenge(conn, account.id, "create")
    return options_to_json_dict(
        webauthn.generate_registration_options(
            rp_id=at.id,
            rp_name=at.name,
            user_name=account.email or account.name,
            user_id=account.id.encode(),
            user_display_name=account.name,
            challenge=challenge,
            timeout=300_000,
            authenticator_selection=AuthenticatorSelectionCriteria(
                resident_key=ResidentKeyRequirement.PREFERRED, user_verification=_VERIFIED
            ),
            exclude_credentials=await _known(conn, account.id),
        )
    )


async def made(conn: AsyncConnection[Any], at: Site, account: Account, answer: str, label: str) -> bool:
    """Whether `answer` is a new passkey of this account; it is kept then."""
    try:
        credential, challenge = _parsed(answer)
        if not await _redeemed(conn, challenge, account.id, "create"):
            return False
        found = webauthn.verify_registration_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=at.id,
            expected_origin=at.origin,
            require_user_verification=True,
        )
    except _TROUBLE:
        return False
    name = " ".join(label.split())[:60] or "Passkey"
    key = (
        opaque.fresh()[:22],
        account.id,
        name,
        found.credential_public_key,
        found.credential_id,
        found.sign_count,
    )
    try:
        async with conn.transaction():
            await conn.execute(
                "INSERT INTO account_factor (id, account, kind, label, secret, credential, counter, confirmed)"
                " VALUES (%s, %s, 'passkey', %s, %s, %s, %s, clock_timestamp())",
                key,
            )
    except UniqueViolation:
        return False
    return True


async def asked(conn: AsyncConnection[Any], at: Site, account: str | None) -> dict[str, Any]:
    """Return the options for showing a passkey: one of an account's, or anybody's where that is to be found out."""
    return options_to_json_dict(
        webauthn.generate_authentication_options(
            rp_id=at.id,
            challenge=await _challenge(conn, account, "show"),
            timeout=300_000,
            allow_credentials=await _known(conn, account) if account else None,
            user_verification=_VERIFIED,
        )
    )


async def shown(conn: AsyncConnection[Any], at: Site, account: str | None, answer: str) -> Shown | None:
    """Return whose passkey signed a challenge of ours, None where that is not so."""
    try:
        credential, challenge = _parsed(answer)
        if not await _redeemed(conn, challenge, account, "show"):
            return None
        cursor = await conn.execute(
            "SELECT id, account, secret, counter FROM account_factor WHERE kind = 'passkey' AND credential = %s",
            (base64url_to_bytes(credential["rawId"]),),
        )
        row = await cursor.fetchone()
        if row is None or (account is not None and row[1] != account):
            return None
        factor, owner, key, counter = row
        found = webauthn.verify_authentication_response(
            credential=credential,
            expected_challenge=challenge,
            expected_rp_id=at.id,
            expected_origin=at.origin,
            credential_public_key=bytes(key),
            credential_current_sign_count=counter,
            require_user_verification=True,
        )
    except _TROUBLE:
        return None
    await conn.execute(
        "UPDATE account_factor SET counter = greatest(counter, %s), used = clock_timestamp() WHERE id = %s",
        (found.new_sign_count, factor),
    )
    return Shown(owner, factor)


async def _challenge(conn: AsyncConnection[Any], account: str | None, what: str) -> bytes:
    return base64url_to_bytes(await tickets.issue(conn, "passkey", account, {"for": what}))


async def _redeemed(conn: AsyncConnection[Any], challenge: bytes, account: str | None, what: str) -> bool:
    ticket = await tickets.used(conn, "passkey", bytes_to_base64url(challenge))
    return ticket is not None and ticket.account == account and ticket.data == {"for": what}


def _parsed(answer: str) -> tuple[dict[str, Any], bytes]:
    """Return the credential that a browser sent and the challenge that it says it signed."""
    if len(answer) > LONGEST:
        raise ValueError("too long")
    credential = json.loads(answer)
    client = json.loads(base64url_to_bytes(credential["response"]["clientDataJSON"]))
    return credential, base64url_to_bytes(client["challenge"])


async def _known(conn: AsyncConnection[Any], account: str) -> list[PublicKeyCredentialDescriptor]:
    cursor = await conn.execute(
        "SELECT credential FROM account_factor WHERE account = %s AND kind = 'passkey'", (account,)
    )
    return [PublicKeyCredentialDescriptor(id=bytes(row[0])) for row in await cursor.fetchall()]
