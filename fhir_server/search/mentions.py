"""References that no search parameter files: edges of their own, so that `$everything` can follow them all.

R4 gives no parameter to some references (`Patient.contact.organization`), to any in an extension, and to the addresses
of attachments, which may be Binaries here.
"""

from __future__ import annotations

from typing import Any

import msgspec

from fhir_server.search.context import Context
from fhir_server.search.params.reference import local
from fhir_server.search.sink import Sink

PARAM = 0
"""The number under which such edges are filed: no parameter's."""


def index(resource: dict[str, Any], sink: Sink) -> None:
    """Add an edge for each local reference anywhere in `resource`, unless a parameter has filed its target."""
    name = resource["resourceType"]
    if name == "Bundle":
        return  # what it holds are documents and messages, not its own words
    filed = {(kind, id_) for _, kind, id_ in sink.edges}
    if sink.patient is not None and name != "Patient":
        filed.add(("Patient", sink.patient))
    raw = msgspec.json.encode(resource)
    if raw.count(b'"reference":"') <= len(filed) and b"Binary/" not in raw:
        return  # as many as were filed: each of them was
    bases = Context.bases
    nodes: list[Any] = [resource]
    while nodes:
        for key, value in nodes.pop().items():
            kind = value.__class__
            if kind is dict:
                nodes.append(value)
            elif kind is list:
                nodes += [child for child in value if child.__class__ is dict]
            elif kind is str and (key == "reference" or (key == "url" and "Binary/" in value)):
                found = local(value, bases)
                if found is not None and found not in filed and (key == "reference" or found[0] == "Binary"):
                    filed.add(found)
                    sink.edges.add((PARAM, *found))
