"""URIs: matched whole and exactly; a canonical also without its version; `:above` and `:below` by steps of the path.

The addresses of a parameter are also labels (see `params/labels.py`), so that those below one are found by prefix
without a hash for each step in every row.

Source: http://hl7.org/fhir/R4/search.html#uri
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fhir_server.search.hashing import token
from fhir_server.search.params.labels import by_label, starting
from fhir_server.search.params.string import INDEXED
from fhir_server.search.registry import Param
from fhir_server.search.sink import Sink
from fhir_server.search.sql import Sql, Test, any_of
from fhir_server.search.tokens import token_test
from fhir_server.search.values import bad_value, unescape

FULL, UNVERSIONED = "u", "uv"


def index(param: int, value: Any, type_name: str, sink: Sink) -> None:
    """Add one address to `sink`: its hashes, and a URL's label."""
    if value.__class__ is str:
        file(param, value, type_name, sink)
        if "://" in value:
            sink.labels.add((param, value, token(param, FULL, value)))


def file(param: int, value: Any, type_name: str, sink: Sink) -> None:
    """Add the hashes of one address to `sink`."""
    if value.__class__ is not str:
        return
    sink.present.add(param)
    sink.tokens.add(token(param, FULL, value))
    if type_name == "canonical":
        sink.tokens.add(token(param, UNVERSIONED, value.partition("|")[0]))


def test(param: Param, modifier: str, values: Sequence[str]) -> Test:
    """Return the test that any of `values` passes, each a whole address; with `above` or `below` also those there.

    Errors: 400 value
    """
    plain = [unescape(value) for value in values]
    if modifier:
        for value in plain:
            if "://" not in value or len(value) >= INDEXED:
                raise bad_value(
                    param.code, value, f"':{modifier}' takes a URL of less than {INDEXED} characters"
                )
    if modifier == "below":
        return by_label(param, lambda sql: any_of([_below(sql, value) for value in plain]))
    if modifier == "above":
        plain = [step for value in plain for step in steps_above(value)]
    return token_test([found for value in plain for found in hashes(param, value)], (), 10, plain)


def hashes(param: Param, value: str) -> list[int]:
    """Return the hashes of an address: as it stands, and of canonicals that have any version of it."""
    return [token(part.id, form, value) for part in param.parts for form in (FULL, UNVERSIONED)]


def _below(sql: Sql, url: str) -> str:
    """Return the condition that a label is `url`, a version of it, or further down its path; 1.0 is below version 1.

    Source: http://hl7.org/fhir/R4/search.html#versions
    """
    if url.endswith("/"):
        return starting(sql, url)
    if "|" in url:
        return any_of([f"l.norm = {sql.text(url)}", *(starting(sql, url + sign) for sign in ".-+")])
    return any_of([f"l.norm = {sql.text(url)}", starting(sql, url + "/"), starting(sql, url + "|")])


def steps_above(url: str) -> list[str]:
    """Return `url` and every address above it, each with and without a slash at its end, the authority last."""
    found = [url]
    rest = url.partition("|")[0]
    while rest.count("/") > 2:
        found.append(rest)
        rest = rest[: rest.rindex("/", 0, -1) + 1] if rest.endswith("/") else rest[: rest.rindex("/") + 1]
        found.append(rest.rstrip("/"))
        if rest.endswith("://"):
            break
    return [step for step in dict.fromkeys(found) if "://" in step and not step.endswith("://")]
