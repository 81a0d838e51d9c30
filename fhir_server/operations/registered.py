"""Every operation that there is: who imports this module has them registered."""

from fhir_server.operations import diff, everything, fhirpath, meta, reindex

__all__ = ["diff", "everything", "fhirpath", "meta", "reindex"]
