"""Every operation that there is: who imports this module has them registered."""

from fhir_server.operations import (
    access_log,
    diff,
    docref,
    document,
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
    "diff",
    "docref",
    "document",
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
