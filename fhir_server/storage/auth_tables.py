"""The schema's authorization server: clients, requests, codes, tokens, keys, launches, state of apps.

Secrets, codes, refresh tokens and ids that open something are stored as SHA-256 of what was handed out.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    LargeBinary,
    PrimaryKeyConstraint,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from fhir_server.storage.tables import NOW, Key, metadata

__all__ = ["metadata"]

EMPTY = text("''")


def _keys(*names: str) -> list[Column[str]]:
    return [Column(name, Key, nullable=False) for name in names]


def _lists(*names: str) -> list[Column[Any]]:
    return [Column(name, ARRAY(Text), nullable=False) for name in names]


def _instant(name: str, **options: Any) -> Column[Any]:
    return Column(name, DateTime(timezone=True), **options)


def _created(*names: str) -> list[Column[Any]]:
    return [_instant(name, nullable=False, server_default=NOW) for name in names]


def _empty(*names: str) -> list[Column[str]]:
    return [Column(name, Key, nullable=False, server_default=EMPTY) for name in names]


auth_client = Table(
    "auth_client",
    metadata,
    Column("id", Key, primary_key=True),
    Column("name", Text, nullable=False),
    *_keys("kind", "state"),
    *(Column(name, LargeBinary) for name in ("secret", "old_secret")),
    _instant("old_secret_until"),
    Column("jwks", JSONB),
    Column("jwks_uri", Text, nullable=False, server_default=EMPTY),
    *_lists("redirect_uris"),
    Column("launch_uri", Text, nullable=False, server_default=EMPTY),
    *_lists("origins", "grants", "scopes"),
    Column("metadata", JSONB, nullable=False),
    Column("management", LargeBinary),
    *_keys("origin"),
    *_created("created", "updated"),
)

auth_client_keys = Table(
    "auth_client_keys",
    metadata,
    Column("url", Key, primary_key=True),
    Column("jwks", JSONB, nullable=False),
    _instant("fetched", nullable=False),
    _instant("expires", nullable=False),
)

auth_signing_key = Table(
    "auth_signing_key",
    metadata,
    Column("kid", Key, primary_key=True),
    Column("public", JSONB, nullable=False),
    Column("private", LargeBinary, nullable=False),
    *_created("created"),
    _instant("signs", nullable=False),
    _instant("ends"),
)

auth_ask = Table(
    "auth_ask",
    metadata,
    Column("id", LargeBinary, primary_key=True),
    *_keys("client"),
    Column("request", JSONB, nullable=False),
    *_empty("session", "account", "patient"),
    Column("agreed", ARRAY(Text)),
    Column("state", Key, nullable=False, server_default=text("'open'")),
    *_created("created"),
    _instant("expires", nullable=False),
)
Index("auth_ask_expires", auth_ask.c.expires)

auth_code = Table(
    "auth_code",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    *_keys("client", "family"),
    Column("redirect_uri", Text, nullable=False),
    Column("challenge", Text, nullable=False),
    Column("allowed", JSONB, nullable=False),
    _instant("expires", nullable=False),
    _instant("used"),
)
Index("auth_code_expires", auth_code.c.expires)

auth_family = Table(
    "auth_family",
    metadata,
    Column("id", Key, primary_key=True),
    *_keys("client", "account", "session", "access"),
    Column("allowed", JSONB, nullable=False),
    *_created("created", "used"),
    _instant("expires", nullable=False),
    _instant("ended"),
    *_empty("why"),
)
Index("auth_family_account", auth_family.c.account, auth_family.c.client)
Index("auth_family_session", auth_family.c.session, postgresql_where=text("session <> ''"))
Index("auth_family_client", auth_family.c.client)
Index("auth_family_expires", auth_family.c.expires)

auth_refresh = Table(
    "auth_refresh",
    metadata,
    Column("hash", LargeBinary, primary_key=True),
    Column("family", Key, ForeignKey("auth_family.id", ondelete="CASCADE"), nullable=False),
    *_created("issued"),
    _instant("expires", nullable=False),
    _instant("used"),
)
Index("auth_refresh_family", auth_refresh.c.family)

auth_agreed = Table(
    "auth_agreed",
    metadata,
    *_keys("account", "client"),
    *_lists("scopes"),
    *_created("at"),
    PrimaryKeyConstraint("account", "client"),
)

auth_revoked = Table(
    "auth_revoked",
    metadata,
    Column("n", BigInteger, Identity(always=True), primary_key=True),
    *_keys("what"),
    _instant("at", nullable=False, server_default=text("clock_timestamp()")),
    _instant("until", nullable=False),
)
Index("auth_revoked_until", auth_revoked.c.until)

auth_assertion = Table(
    "auth_assertion",
    metadata,
    *_keys("client"),
    Column("jti", LargeBinary, nullable=False),
    _instant("until", nullable=False),
    PrimaryKeyConstraint("client", "jti"),
)
Index("auth_assertion_until", auth_assertion.c.until)

auth_launch = Table(
    "auth_launch",
    metadata,
    Column("id", LargeBinary, primary_key=True),
    *_keys("client", "account"),
    Column("context", JSONB, nullable=False),
    *_created("created"),
    _instant("expires", nullable=False),
    _instant("used"),
)
Index("auth_launch_expires", auth_launch.c.expires)

auth_app_state = Table(
    "auth_app_state",
    metadata,
    Column("id", Key, primary_key=True),
    Column("version", Integer, nullable=False),
    *_keys("system", "code", "subject", "client"),
    Column("body", LargeBinary),
    *_created("updated"),
)
Index("auth_app_state_of", auth_app_state.c.subject, auth_app_state.c.system, auth_app_state.c.code)
