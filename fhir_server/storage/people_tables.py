"""The schema's people: accounts, how they prove who they are, their sessions, and what was sent to them.

Secrets that are only compared (session, link, one-time code, recovery code) are kept as SHA-256;
passwords as argon2id; the secrets of one-time password apps sealed under the accounts' key, which is in a file.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, Identity, Index, Integer, LargeBinary, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from fhir_server.storage.tables import EMPTY, NOW, ZERO, Key, metadata

__all__ = ["metadata"]


def _at(name: str, *, now: bool = False, needed: bool = False) -> Column[object]:
    if now:
        return Column(name, DateTime(timezone=True), nullable=False, server_default=NOW)
    return Column(name, DateTime(timezone=True), nullable=not needed)


account = Table(
    "account",
    metadata,
    Column("id", Key, primary_key=True),
    Column("name", Text, nullable=False),
    Column("email", Text, nullable=False, comment="as it was written; empty: none"),
    Column("email_key", Key, unique=True, comment="the address in the form that is compared"),
    _at("email_verified"),
    Column("phone", Text, nullable=False, server_default=text("''")),
    Column(
        "fhir_user",
        Key,
        nullable=False,
        comment="Patient/1, Practitioner/1, RelatedPerson/1, Person/1; empty",
    ),
    Column("roles", ARRAY(Text), nullable=False, server_default=EMPTY),
    Column(
        "state", Key, nullable=False, comment="active, waiting (for the address to be verified), disabled"
    ),
    Column("password", Text, comment="argon2id"),
    _at("password_set"),
    _at("created", now=True),
    _at("last_sign_in"),
)

account_session = Table(
    "account_session",
    metadata,
    Column("id", Key, primary_key=True, comment="its public name"),
    Column("secret", LargeBinary, nullable=False, unique=True, comment="SHA-256 of the cookie"),
    Column("account", Key, nullable=False),
    Column("amr", ARRAY(Text), nullable=False, comment="RFC 8176"),
    Column("owes", Key, nullable=False, comment="what is left to do: challenge, enrolment; empty: signed in"),
    Column("agent", Text, nullable=False),
    Column("address", Text, nullable=False),
    _at("created", now=True),
    _at("signed_in", now=True),
    _at("seen", now=True),
    _at("expires", needed=True),
)
Index("account_session_account", account_session.c.account)
Index("account_session_expires", account_session.c.expires)

account_factor = Table(
    "account_factor",
    metadata,
    Column("id", Key, primary_key=True),
    Column("account", Key, nullable=False),
    Column("kind", Key, nullable=False, comment="totp, passkey, recovery"),
    Column("label", Text, nullable=False),
    Column(
        "secret",
        LargeBinary,
        nullable=False,
        comment="sealed (totp), public key (passkey), SHA-256 (recovery)",
    ),
    Column("credential", LargeBinary, unique=True, comment="id of a passkey"),
    Column(
        "counter",
        BigInteger,
        nullable=False,
        server_default=ZERO,
        comment="last time step; signature counter",
    ),
    _at("created", now=True),
    _at("confirmed"),
    _at("used"),
)
Index("account_factor_account", account_factor.c.account)

account_attempt = Table(
    "account_attempt",
    metadata,
    Column("name", Key, primary_key=True, comment="hash of whom it is about and of what was tried"),
    Column("failures", Integer, nullable=False),
    _at("last", now=True),
    _at("until", needed=True),
)

account_ticket = Table(
    "account_ticket",
    metadata,
    Column("secret", LargeBinary, primary_key=True, comment="SHA-256 of what the holder shows"),
    Column("kind", Key, nullable=False, comment="verify, invitation, reset, code, passkey, federation"),
    Column("account", Key),
    Column("data", JSONB, nullable=False, server_default=text("'{}'")),
    _at("created", now=True),
    _at("expires", needed=True),
)
Index("account_ticket_account", account_ticket.c.account)
Index("account_ticket_expires", account_ticket.c.expires)

account_identity = Table(
    "account_identity",
    metadata,
    Column("issuer", Key, primary_key=True),
    Column("subject", Key, primary_key=True),
    Column("account", Key, nullable=False),
    _at("created", now=True),
    _at("used"),
)
Index("account_identity_account", account_identity.c.account)

account_outbox = Table(
    "account_outbox",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("channel", Key, nullable=False, comment="email, sms"),
    Column("recipient", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("body", Text, nullable=False, comment="empty once it was sent"),
    Column("tries", Integer, nullable=False, server_default=ZERO),
    Column("problem", Text),
    _at("created", now=True),
    _at("due", now=True),
    _at("sent"),
)
Index("account_outbox_due", account_outbox.c.due, postgresql_where=account_outbox.c.sent.is_(None))
