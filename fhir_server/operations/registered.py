"""Every operation that there is: who imports this module has them registered."""

from fhir_server.operations import (
    access_log,
    break_glass,
    diff,
    docref,
    document,
    elevate,
    erase,
    everything,
    fhirpath,
    graphql,
    implements,
    lastn,
    meta,
    reindex,
    terminology,
    validate,
)

__all__ = [
    "access_log",
    "break_glass",
    "diff",
    "docref",
    "document",
    "elevate",
    "erase",
    "everything",
    "fhirpath",
    "graphql",
    "implements",
    "lastn",
    "meta",
    "reindex",
    "terminology",
    "validate",
]
