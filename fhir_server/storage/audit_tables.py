"""The schema's audit trail: entries in chains, and the signed checkpoints over them.

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
    Column("genesis", LargeBinary, nullable=False, comment="what the first entry is chained to"),
    Column(
        "signed", BigInteger, nullable=False, server_default=ZERO, comment="last entry under a checkpoint"
    ),
    Column("cut", BigInteger, nullable=False, server_default=ZERO, comment="entries up to here were let go"),
    Column("cut_hash", LargeBinary),
    Column("ended", Boolean, nullable=False, server_default=text("false")),
)

audit_entry = Table(
    "audit_entry",
    metadata,
    Column("chain", BigInteger, nullable=False),
    Column("n", BigInteger, nullable=False),
    Column("at", BigInteger, nullable=False, comment="microseconds since 1970 UTC"),
    Column("kind", Key, nullable=False),
    Column("agent", Key, nullable=False, comment="who: 'Practitioner/1', else the account or client"),
    Column("type", SmallInteger),
    Column("id", Key),
    Column("patients", ARRAY(BigInteger), comment="rids of the patients whose data were touched"),
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
    Column("heads", LargeBinary, nullable=False, comment="(chain, n, hash) of each chain that has grown"),
    Column("root", LargeBinary, nullable=False),
    Column("previous", LargeBinary, nullable=False),
    Column("key", Text, nullable=False),
    Column("signature", LargeBinary, nullable=False),
)
