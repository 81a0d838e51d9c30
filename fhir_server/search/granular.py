"""Search parameters in scopes (`patient/Observation.rs?category=laboratory`) as conditions on rows.

They are plain ones, of the resource itself: a chain would ask other resources, which a scope says nothing of.
Source: https://hl7.org/fhir/smart-app-launch/STU2.2/scopes-and-launch-context.html#finer-grained-resource-constraints-using-search-parameters
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import cast

from fhir_server.access.arguments import Arguments, Condition
from fhir_server.search.criteria import read
from fhir_server.search.registry import Epoch, registry
from fhir_server.search.sql import Sql, Test
from resources.outcome import FhirError

_NOT_PLAIN = (".", ":")
_NO_CRITERIA = frozenset({"_text", "_content", "_filter", "_list", "_query", "_sort", "_count"})


def condition(type_name: str, query: tuple[tuple[str, str], ...]) -> Condition | None:
    """Return the condition that a row of a type matches every parameter, None where the type has not got them."""
    tests = _tests(type_name, query, Epoch.value)
    if tests is None:
        return None

    def where(sql: Arguments, row: str) -> str:
        return " AND ".join(f"({test.where(cast('Sql', sql), row)})" for test in tests)

    return where


@lru_cache(1024)
def _tests(type_name: str, query: tuple[tuple[str, str], ...], _epoch: int) -> tuple[Test, ...] | None:
    found: list[Test] = []
    for name, value in query:
        if name in _NO_CRITERIA or any(mark in name for mark in _NOT_PLAIN):
            return None
        try:
            test = read(registry(type_name), name, value)
        except FhirError:
            return None
        if test is None:
            return None
        found.append(test)
    return tuple(found)


def understood(type_names: Iterable[str], query: tuple[tuple[str, str], ...]) -> bool:
    """Whether some of the types have all of a scope's search parameters: other scopes are refused."""
    return any(condition(name, query) is not None for name in type_names)
