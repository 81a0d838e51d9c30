"""The schema's key jobs and erasures. The keys themselves lie in a database of their own (`crypto/keystore.py`).

An erasure keeps no name: `subject` and `rids` are row numbers that nothing leads to any more, `digest` a keyed hash of
the patient's 'Patient/1'.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, DateTime, Identity, Index, Integer, LargeBinary, Table, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from fhir_server.storage.tables import EMPTY, NOW, ZERO, Key, metadata

__all__ = ["metadata"]

key_job = Table(
    "key_job",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("state", Text, nullable=False, server_default=text("'running'")),
    Column("started", DateTime(timezone=True), nullable=False, server_default=NOW),
    Column("updated", DateTime(timezone=True), nullable=False, server_default=NOW),
    Column("finished", DateTime(timezone=True)),
    Column("stage", Text, nullable=False, server_default=text("'keys'")),
    Column("rid", BigInteger, nullable=False, server_default=ZERO),
    Column("version", Integer, nullable=False, server_default=ZERO),
    *(Column(name, BigInteger, nullable=False, server_default=ZERO) for name in ("total", "done", "written")),
)
Index("key_job_one", text("(true)"), unique=True, postgresql_where=text("state = 'running'"))

erasure = Table(
    "erasure",
    metadata,
    Column("id", Key, primary_key=True),
    Column("subject", BigInteger, nullable=False),
    Column("asked", DateTime(timezone=True), nullable=False, server_default=NOW),
    Column("finished", DateTime(timezone=True)),
    Column("state", Text, nullable=False, server_default=text("'running'")),
    Column("by_whom", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("removed", JSONB, nullable=False, server_default=text("'{}'")),
    Column("rids", ARRAY(BigInteger), nullable=False, server_default=EMPTY),
    Column("digest", LargeBinary, nullable=False),
    Column("certificate", LargeBinary),
)
Index("erasure_subject", erasure.c.subject)
