"""The operations of the terminology service."""

from fhir_server.operations.terminology import (
    closure,
    expand,
    find_matches,
    lookup,
    subsumes,
    translate,
    validate_code,
)

__all__ = ["closure", "expand", "find_matches", "lookup", "subsumes", "translate", "validate_code"]
