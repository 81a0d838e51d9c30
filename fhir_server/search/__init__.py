"""Search: what of a resource is indexed, and how a query is answered from it."""

from __future__ import annotations

from fhir_server.search.context import configure, load_keys
from fhir_server.search.extract import index

__all__ = ["configure", "index", "load_keys"]
