"""The gate before every interaction: what a method and path ask for is granted, or refused with 403."""

from __future__ import annotations

from fhir_server.access.policy import Policy
from fhir_server.routing import Route


def require(policy: Policy, route: Route, path: str) -> None:
    """Raise FhirError 403 unless `policy` allows what `route` names at `path`."""
    if policy.unbounded:
        return
    type_name = route.type
    if route.interaction == "search-compartment":
        searched = path.split("/")[2]
        type_name = "" if searched == "*" else searched
    policy.require(route.interaction, type_name, route.operation)
