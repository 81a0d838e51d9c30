"""Every table of the schema, declared: what migrations make is compared with it."""

from __future__ import annotations

from fhir_server.storage import (
    audit_tables,
    auth_tables,
    concept_tables,
    consent_tables,
    key_tables,
    people_tables,
)
from fhir_server.storage.tables import metadata

__all__ = [
    "audit_tables",
    "auth_tables",
    "concept_tables",
    "consent_tables",
    "key_tables",
    "metadata",
    "people_tables",
]
