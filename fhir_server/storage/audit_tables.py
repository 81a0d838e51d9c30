"""The schema's audit trail: entries in chains, and the signed checkpoints over them.

A chain hangs on its `genesis`; entries up to `signed` are under a checkpoint, those up to `cut` were let go (the last
of them had `cut_hash`). Instants are microseconds since 1970 UTC, `patients` row numbers, `heads` a packed list of
(chain, n, hash) of the chains that have grown since the checkpoint before.

A row's `record` is what is chained and signed; the columns beside it repeat parts of it for searches, and are compared
with it when the trail is verified.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Identity,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
    SmallInteger,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY

from fhir_server.storage.tables import NOW, ZERO, Key, metadata

__all__ = ["metadata"]

audit_chain = Table(
    "audit_chain",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("started", DateTime(timezone=True), nullable=False, server_default=NOW),
    Column("genesis", LargeBinary, nullable=False),
    Column("signed", BigInteger, nullable=False, server_default=ZERO),
    Column("cut", BigInteger, nullable=False, server_default=ZERO),
    Column("cut_hash", LargeBinary),
    Column("ended", Boolean, nullable=False, server_default=text("false")),
)

audit_entry = Table(
    "audit_entry",
    metadata,
    Column("chain", BigInteger, nullable=False),
    Column("n", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False),
    Column("kind", Key, nullable=False),
    Column("interaction", Key, nullable=False),
    Column("status", SmallInteger, nullable=False),
    Column("agent", Key, nullable=False),
    Column("type", SmallInteger),
    Column("id", Key),
    Column("patients", ARRAY(BigInteger)),
    Column("record", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    PrimaryKeyConstraint("chain", "n"),
)
Index("audit_entry_at", audit_entry.c.at)
Index("audit_entry_agent", audit_entry.c.agent, audit_entry.c.at)
Index(
    "audit_entry_entity", audit_entry.c.type, audit_entry.c.id, postgresql_where=audit_entry.c.id.is_not(None)
)
Index("audit_entry_patients", audit_entry.c.patients, postgresql_using="gin")

audit_checkpoint = Table(
    "audit_checkpoint",
    metadata,
    Column("n", BigInteger, primary_key=True, autoincrement=False),
    Column("at", BigInteger, nullable=False),
    Column("heads", LargeBinary, nullable=False),
    Column("root", LargeBinary, nullable=False),
    Column("previous", LargeBinary, nullable=False),
    Column("key", Text, nullable=False),
    Column("signature", LargeBinary, nullable=False),
)
