"""URIs: matched whole and exactly; a canonical also without its version.

Source: http://hl7.org/fhir/R4/search.html#uri
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fhir_server.search.hashing import token
from fhir_server.search.registry import Param
from fhir_server.search.sink import Sink
from fhir_server.search.sql import Test
from fhir_server.search.tokens import token_test
from fhir_server.search.values import unescape

FULL, UNVERSIONED = "u", "uv"


def index(param: int, value: Any, type_name: str, sink: Sink) -> None:
    """Add the hashes of one address to `sink`."""
    if value.__class__ is not str:
        return
    sink.present.add(param)
    sink.tokens.add(token(param, FULL, value))
    if type_name == "canonical":
        sink.tokens.add(token(param, UNVERSIONED, value.partition("|")[0]))


def test(param: Param, _modifier: str, values: Sequence[str]) -> Test:
    """Return the test that any of `values` passes, each a whole address."""
    plain = [unescape(value) for value in values]
    return token_test([found for value in plain for found in hashes(param, value)], (), 10, plain)


def hashes(param: Param, value: str) -> list[int]:
    """Return the hashes of an address: as it stands, and of canonicals that have any version of it."""
    return [token(part.id, form, value) for part in param.parts for form in (FULL, UNVERSIONED)]
