"""URIs: matched whole and exactly; a canonical also without its version.

Source: http://hl7.org/fhir/R4/search.html#uri
"""

from __future__ import annotations

from typing import Any

from fhir_server.search.hashing import token
from fhir_server.search.sink import Sink

FULL, UNVERSIONED = "u", "uv"


def index(param: int, value: Any, type_name: str, sink: Sink) -> None:
    """Add the hashes of one address to `sink`."""
    if value.__class__ is not str:
        return
    sink.present.add(param)
    sink.tokens.add(token(param, FULL, value))
    if type_name == "canonical":
        sink.tokens.add(token(param, UNVERSIONED, value.partition("|")[0]))
