"""The table of `$operations`: what is registered here is routed, listed in the CapabilityStatement, and no more.

Source: http://hl7.org/fhir/R4/operations.html
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from fhir_server.exchange import Handler, Pairs
from fhir_server.routing import Route
from resources.outcome import FhirError


class Operation(msgspec.Struct, frozen=True):
    """One operation.

    Shape:  `name` with its `$`; `levels` of 'system', 'type', 'instance'; `types` empty means every type;
            one that affects state may not be called by GET; `bodies` are media types of bodies that it reads itself
    """

    name: str
    handler: Handler
    definition: str
    levels: frozenset[str]
    types: frozenset[str] = frozenset()
    affects_state: bool = False
    bodies: frozenset[str] = frozenset()


OPERATIONS: dict[str, Operation] = {}
"""By name; those of a single type by `Type/$name`, since another type may define the same name for itself."""


def register(operation: Operation) -> Operation:
    """Add `operation` to the table and return it."""
    single = next(iter(operation.types)) + "/" if len(operation.types) == 1 else ""
    OPERATIONS[single + operation.name] = operation
    return operation


AROUND: dict[str, Callable[[Handler], Handler]] = {}
"""Parameters that every operation takes, and what they make of its handler."""


def handler(route: Route, method: str, query: Pairs) -> Handler:
    """Return what answers a call of the operation that `route` names; errors as of `find`."""
    found = find(route, method).handler
    for name, around in AROUND.items():
        if any(given == name for given, _ in query):
            found = around(found)
    return found


def find(route: Route, method: str) -> Operation:
    """Return the operation that `route` names.

    Errors: 404 not-supported where it is unknown at this level or for this type, 405 for GET on one that writes
    """
    found = OPERATIONS.get(f"{route.type}/{route.operation}") or OPERATIONS.get(route.operation)
    found = found or next((one for one in OPERATIONS.values() if one.name == route.operation), None)
    level = "instance" if route.id else "type" if route.type else "system"
    if found is None:
        raise FhirError(404, "not-supported", f"The operation {route.operation} is not supported")
    if level not in found.levels or (route.type and found.types and route.type not in found.types):
        where = route.type or "the system"
        raise FhirError(
            404, "not-supported", f"The operation {route.operation} is not offered on {where} ({level})"
        )
    if found.affects_state and method != "POST":
        text = f"The operation {route.operation} changes data: call it by POST"
        raise FhirError(405, "not-supported", text, headers={"Allow": "POST, OPTIONS"})
    return found
