"""The schema's elevations: rights that somebody got for a while and on record.

`operator` is an operator's sight of clinical content, in force once another person approved it; `break-glass` a
clinician's of one patient, in force at once. `subject` is the account, `person` who that is ('Practitioner/1').
"""

from __future__ import annotations

from sqlalchemy import Boolean, Column, DateTime, Index, Integer, Table, Text

from fhir_server.storage.tables import NOW, Key, metadata

__all__ = ["metadata"]

elevation = Table(
    "elevation",
    metadata,
    Column("id", Key, primary_key=True),
    *(Column(name, Key, nullable=False) for name in ("kind", "subject", "person", "client", "patient")),
    Column("reason", Text, nullable=False),
    Column("minutes", Integer, nullable=False),
    Column("asked", DateTime(timezone=True), nullable=False, server_default=NOW),
    Column("approved", Boolean, comment="NULL: nobody has decided yet"),
    Column("decided", DateTime(timezone=True)),
    Column("decided_by", Key),
    Column("decision", Text, comment="what whoever decided said"),
    Column("expires", DateTime(timezone=True)),
    Column("ended", DateTime(timezone=True)),
    Column("ended_by", Key),
)
Index("elevation_subject", elevation.c.subject, elevation.c.expires)
