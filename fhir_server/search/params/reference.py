"""References: exact edges between rows for what is ours, hashes for what is elsewhere.

Source: http://hl7.org/fhir/R4/search.html#reference
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from fhir_server.search.context import Context
from fhir_server.search.params import token as tokens
from fhir_server.search.params import uri
from fhir_server.search.sink import Sink
from resources.definitions import definitions

_LOCAL = re.compile(r"([A-Z][A-Za-z]+)/([A-Za-z0-9.\-]{1,64})(?:/_history/[A-Za-z0-9.\-]{1,64})?\Z")


@lru_cache(maxsize=4_096)
def local(text: str, bases: tuple[str, ...]) -> tuple[str, str] | None:
    """Return the type and id that a literal reference names on this server, None where it points elsewhere."""
    base = next((base for base in bases if text.startswith(base)), "")
    found = _LOCAL.match(text, len(base))
    if found is None or not definitions().is_resource(found[1]):
        return None
    return found[1], found[2]


def named_type(value: Any) -> str:
    """Return the resource type that a Reference names by its text or its `type`, empty where neither does."""
    text = value.get("reference")
    if isinstance(text, str) and not text.startswith("#"):
        parts = text.partition("/_history/")[0].rsplit("/", 2)
        if len(parts) > 1 and definitions().is_resource(parts[-2]):
            return parts[-2]
    return str(value.get("type", ""))


def index(param: int, value: Any, type_name: str, sink: Sink, *, carried: bool = False) -> None:
    """Add one reference to `sink`; a `carried` one makes the resource belong to its Patient instead of an edge."""
    if type_name == "Reference":
        _reference(param, value, carried, sink)
    elif type_name in ("canonical", "uri"):
        uri.index(param, value, type_name, sink)
    elif type_name == "Resource":
        if "id" in value:
            sink.edges.add((param, value["resourceType"], value["id"]))
            sink.present.add(param)
    elif type_name == "Extension" and "valueReference" in value:
        _reference(param, value["valueReference"], carried, sink)


def _reference(param: int, value: Any, carried: bool, sink: Sink) -> None:
    sink.present.add(param)
    if "identifier" in value:
        tokens.index_identifier(param, value["identifier"], tokens.IDENTIFIER, sink)
    text = value.get("reference")
    if text is None or text.startswith("#"):
        return
    found = local(text, Context.bases)
    if found is None:
        uri.index(param, text, "uri", sink)
    elif carried and found[0] == "Patient":
        sink.patient = found[1]
    else:
        sink.edges.add((param, *found))
